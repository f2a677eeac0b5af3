//! Processes that a test starts: what they print is watched as it comes, they
//! are given a time, and they are ended with the test.

#![allow(clippy::expect_used, clippy::panic)]

use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::machine::Stopwatch;

/// Longer than anything here takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What a stream has said so far, read by a thread of its own.
#[derive(Clone)]
pub struct Stream(Arc<(Mutex<Said>, Condvar)>);

#[derive(Default)]
struct Said {
    bytes: Vec<u8>,
    seen: usize,
    ended: bool,
}

impl Stream {
    /// Reads `from` until its end.
    pub fn of(mut from: impl Read + Send + 'static) -> Self {
        let stream = Self(Arc::default());
        let writer = stream.clone();
        thread::spawn(move || {
            let mut chunk = [0; 65536];
            while let Ok(count @ 1..) = from.read(&mut chunk) {
                writer.lock().bytes.extend_from_slice(&chunk[..count]);
                writer.0.1.notify_all();
            }
            writer.lock().ended = true;
            writer.0.1.notify_all();
        });
        stream
    }

    fn lock(&self) -> MutexGuard<'_, Said> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `text` comes after what was expected before, and returns
    /// what came in between.
    ///
    /// # Panics
    /// When it doesn't come in time, or the stream ends.
    pub fn expect(&self, text: &str, limit: Duration) -> String {
        self.wait_for(text, limit).unwrap_or_else(|said| panic!("no {text:?} within {limit:?}, but {said:?}"))
    }

    /// The same, without a panic.
    ///
    /// # Errors
    /// What it said instead.
    pub fn wait_for(&self, text: &str, limit: Duration) -> Result<String, String> {
        self.wait_for_any(&[text], limit).map(|(_, between)| between)
    }

    /// Waits for whichever of `texts` comes first; its number, and what came
    /// before it.
    ///
    /// # Errors
    /// What it said instead.
    pub fn wait_for_any(&self, texts: &[&str], limit: Duration) -> Result<(usize, String), String> {
        let until = Instant::now() + limit;
        let mut said = self.lock();
        loop {
            let new = &said.bytes[said.seen..];
            let found =
                texts.iter().enumerate().filter_map(|(which, text)| Some((find(new, text)?, which, text.len())));
            if let Some((at, which, length)) = found.min() {
                let between = String::from_utf8_lossy(&new[..at]).into_owned();
                said.seen += at + length;
                return Ok((which, between));
            }
            let left = until.saturating_duration_since(Instant::now());
            if said.ended || left.is_zero() {
                return Err(String::from_utf8_lossy(new).into_owned());
            }
            said = self.0.1.wait_timeout(said, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Everything until the end.
    ///
    /// # Panics
    /// When it doesn't end in time.
    pub fn to_end(&self, limit: Duration) -> Vec<u8> {
        let (said, timeout) =
            self.0.1.wait_timeout_while(self.lock(), limit, |said| !said.ended).unwrap_or_else(PoisonError::into_inner);
        assert!(!timeout.timed_out(), "no end within {limit:?}: {:?}", String::from_utf8_lossy(&said.bytes));
        said.bytes.clone()
    }

    /// Everything so far.
    pub fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.lock().bytes).into_owned()
    }
}

fn find(bytes: &[u8], text: &str) -> Option<usize> {
    bytes.windows(text.len()).position(|window| window == text.as_bytes())
}

/// A process that ended.
pub struct Finished {
    /// How.
    pub status: ExitStatus,
    /// What it wrote to standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error.
    pub stderr: String,
    /// How long it ran.
    pub took: Duration,
    /// How much of that a host kept from each processor.
    pub kept: Duration,
}

impl Finished {
    /// Its exit code; none when a signal ended it.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// How long it ran of the time that we had.
    pub fn own_time(&self) -> Duration {
        self.took.saturating_sub(self.kept)
    }

    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// Runs `command` with `input`.
///
/// # Panics
/// When it can't be started, or runs for more than [`PATIENCE`].
pub fn run(command: &mut Command, input: &[u8]) -> Finished {
    let watch = Stopwatch::start();
    let mut running = Running::start(command);
    let mut stdin = running.child.stdin.take().expect("piped");
    let input = input.to_vec();
    // It may end without having read everything.
    thread::spawn(move || drop(stdin.write_all(&input)));
    let status = running.wait(PATIENCE);
    let (took, kept) = (watch.elapsed(), watch.kept());
    let stdout = running.stdout.to_end(PATIENCE);
    let stderr = running.stderr.to_end(PATIENCE);
    Finished { status, stdout, stderr: String::from_utf8_lossy(&stderr).into_owned(), took, kept }
}

/// A process whose output is watched; ended when dropped.
pub struct Running {
    child: Child,
    /// Its standard output.
    pub stdout: Stream,
    /// Its standard error.
    pub stderr: Stream,
}

impl Running {
    /// Starts `command`, with pipes for its standard streams.
    ///
    /// # Panics
    /// When it can't be started.
    pub fn start(command: &mut Command) -> Self {
        Self::start_with_input(command, Stdio::piped())
    }

    /// The same with another standard input.
    ///
    /// # Panics
    /// When it can't be started.
    pub fn start_with_input(command: &mut Command, input: Stdio) -> Self {
        let piped = command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdout = Stream::of(child.stdout.take().expect("piped"));
        let stderr = Stream::of(child.stderr.take().expect("piped"));
        Self { child, stdout, stderr }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Types `text`.
    ///
    /// # Panics
    /// When nobody reads any more.
    pub fn send(&mut self, text: &str) {
        let stdin = self.child.stdin.as_mut().expect("standard input is open");
        stdin.write_all(text.as_bytes()).and_then(|()| stdin.flush()).expect("somebody reads");
    }

    /// Ends its input.
    pub fn close(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it doesn't end in time; it is killed then.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let pid = rustix::process::Pid::from_child(&self.child);
        let (ended, watch) = mpsc::channel::<()>();
        // wait(2) knows no deadline, so somebody else keeps the time.
        let keeper = thread::spawn(move || {
            let late = watch.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout);
            if late {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
            late
        });
        // Child::wait would end its input.
        let input = self.child.stdin.take();
        let status = self.child.wait().expect("a child of ours");
        self.child.stdin = input;
        drop(ended);
        let late = keeper.join().expect("no panic there");
        assert!(!late, "still running after {limit:?}; it said {:?}", self.stderr.so_far());
        status
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
