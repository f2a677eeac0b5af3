//! A program that authenticates somebody with PAM, with a private folder in
//! place of /etc/pam.d. What PAM says and how it ends is printed, a line each;
//! answers are the lines of standard input.
//!
//! `pam_host FOLDER SERVICE USER [--tty T] [--rhost R] [--env NAME=VALUE]
//! [--silent] [--deaf] [--all] [--rest] [--tries N] [--delays] [--threads N] [--times N] [--pause] [--hold]`
//!
//! With `--threads`, as many transactions run at once; when all of them have
//! prompted, one line of input answers them all. `--deaf` lets every
//! conversation fail, `--all` also calls setcred and account, `--rest` session and
//! password, `--tries` authenticates so often by one handle, `--delays` prints how long PAM
//! would have waited each time (it never waits here), `--times`
//! authenticates again and again and compares the state of the process,
//! `--pause` waits for a line before it authenticates, `--hold` at the end.

#![allow(clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::{Barrier, Mutex};
use std::thread;

use oathgate_tests::ffi::{CBuffer, Item, Person, Reply, Style, Transaction, delay};
use oathgate_tests::state::{State, resident};
use zeroize::Zeroizing;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let job = Job::read(&arguments);
    let prompt = Prompt { all_there: Barrier::new(job.threads), line: Mutex::default(), deaf: job.deaf };
    if job.times > 1 {
        repeat(&job, &prompt);
    } else {
        thread::scope(|scope| {
            let others: Vec<_> = (1..job.threads).map(|_| scope.spawn(|| authenticate(&job, &prompt))).collect();
            authenticate(&job, &prompt);
            others.into_iter().for_each(|other| other.join().expect("no panic there"));
        });
    }
    if job.hold {
        println!("held");
        read_line();
    }
}

struct Job<'a> {
    folder: &'a Path,
    service: &'a str,
    user: &'a str,
    items: Vec<(Item, &'a str)>,
    environment: Vec<&'a str>,
    flags: i32,
    deaf: bool,
    all: bool,
    rest: bool,
    tries: usize,
    delays: bool,
    threads: usize,
    times: usize,
    hold: bool,
    pause: bool,
}

impl<'a> Job<'a> {
    fn read(arguments: &'a [String]) -> Self {
        let [folder, service, user, options @ ..] = arguments else { panic!("FOLDER SERVICE USER") };
        let mut job = Self {
            folder: Path::new(folder),
            service,
            user,
            items: vec![],
            environment: vec![],
            flags: 0,
            deaf: false,
            all: false,
            rest: false,
            tries: 1,
            delays: false,
            threads: 1,
            times: 1,
            hold: false,
            pause: false,
        };
        let mut options = options.iter();
        while let Some(option) = options.next() {
            let mut value = || options.next().expect("a value").as_str();
            match option.as_str() {
                "--tty" => job.items.push((Item::Tty, value())),
                "--rhost" => job.items.push((Item::RHost, value())),
                "--env" => job.environment.push(value()),
                "--silent" => job.flags = 0x8000,
                "--deaf" => job.deaf = true,
                "--all" => job.all = true,
                "--rest" => job.rest = true,
                "--tries" => job.tries = value().parse().expect("a number"),
                "--delays" => job.delays = true,
                "--threads" => job.threads = value().parse().expect("a number"),
                "--times" => job.times = value().parse().expect("a number"),
                "--hold" => job.hold = true,
                "--pause" => job.pause = true,
                other => panic!("unknown option {other}"),
            }
        }
        job
    }
}

fn authenticate(job: &Job<'_>, prompt: &Prompt) {
    let mut transaction = match Transaction::start(job.folder, job.service, job.user, prompt) {
        Ok(transaction) => transaction,
        Err(code) => return println!("start {}", name(code)),
    };
    job.items.iter().for_each(|(item, value)| transaction.set_item(*item, value));
    job.environment.iter().for_each(|pair| transaction.putenv(pair));
    if job.pause {
        println!("paused");
        read_line();
    }
    for _ in 0..job.tries {
        println!("result {}", name(transaction.authenticate(job.flags)));
        if job.delays {
            println!("delay {}", delay());
        }
    }
    if job.all {
        println!("setcred {}", name(transaction.setcred()));
        println!("account {}", name(transaction.account()));
    }
    if job.rest {
        println!("session {}", name(transaction.session()));
        println!("password {}", name(transaction.password()));
    }
}

/// The first times may load what stays; after that, nothing may change.
fn repeat(job: &Job<'_>, prompt: &Prompt) {
    (0..10).for_each(|_| authenticate(job, prompt));
    let (state, memory) = (State::now(), resident());
    (0..job.times).for_each(|_| authenticate(job, prompt));
    println!("grown {}", resident().saturating_sub(memory));
    let after = State::now();
    println!("state {}", if after == state { "same".to_owned() } else { format!("{state}\n{after}") });
}

/// The person; the same for all threads.
struct Prompt {
    all_there: Barrier,
    line: Mutex<Zeroizing<Vec<u8>>>,
    deaf: bool,
}

impl Person for Prompt {
    fn hear(&self, style: Style, text: &str) -> Option<Reply> {
        println!("{style:?} {text:?}");
        if self.deaf {
            return None;
        }
        if matches!(style, Style::Error | Style::Info) {
            return Some(Reply::Heard);
        }
        if self.all_there.wait().is_leader() {
            *self.line.lock().expect("no panic there") = read_line();
        }
        self.all_there.wait();
        let line = self.line.lock().expect("no panic there");
        let mut typed = CBuffer::new(line.len());
        typed.bytes().copy_from_slice(&line);
        drop(line);
        // Nothing of it stays here.
        if self.all_there.wait().is_leader() {
            *self.line.lock().expect("no panic there") = Zeroizing::default();
        }
        Some(Reply::Typed(typed))
    }
}

/// A line of standard input, without a buffer that would keep it.
fn read_line() -> Zeroizing<Vec<u8>> {
    let mut line = Zeroizing::new(Vec::with_capacity(64 * 1024));
    let mut byte = Zeroizing::new([0]);
    while rustix::io::read(rustix::stdio::stdin(), &mut byte[..]).is_ok_and(|count| count == 1) && byte[0] != b'\n' {
        assert!(line.len() < line.capacity(), "a longer line than any test has");
        line.push(byte[0]);
    }
    line
}

/// PAM's name for a code (_pam_types.h).
fn name(code: i32) -> String {
    match code {
        0 => "PAM_SUCCESS".to_owned(),
        4 => "PAM_SYSTEM_ERR".to_owned(),
        6 => "PAM_PERM_DENIED".to_owned(),
        7 => "PAM_AUTH_ERR".to_owned(),
        9 => "PAM_AUTHINFO_UNAVAIL".to_owned(),
        11 => "PAM_MAXTRIES".to_owned(),
        25 => "PAM_IGNORE".to_owned(),
        26 => "PAM_ABORT".to_owned(),
        28 => "PAM_MODULE_UNKNOWN".to_owned(),
        other => format!("{other}"),
    }
}
