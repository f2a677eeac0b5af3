//! In the guest: somebody who answers systemd's questions for passwords.

#![allow(clippy::expect_used)]

use std::fs;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

use crate::disks::good;
use crate::system::run;

/// Whoever answers systemd's questions.
#[derive(Default)]
pub struct Asked {
    /// The question that was answered last.
    last: String,
}

impl Asked {
    /// Waits for the next question, and answers it; the question.
    pub fn reply(&mut self, answer: &str) -> String {
        self.last = next_question(&self.last);
        let question = fs::read_to_string(&self.last).expect("a question");
        let socket = question.lines().find_map(|line| line.strip_prefix("Socket=")).expect("a socket");
        let message = question.lines().find_map(|line| line.strip_prefix("Message=")).expect("a message");
        println!("  {message}");
        good(&run(&["/lib/systemd/systemd-reply-password", "1", socket], answer));
        message.to_owned()
    }
}

/// The file of the first question but this one, as soon as it is there.
fn next_question(but: &str) -> String {
    const FOLDER: &str = "/run/systemd/ask-password";
    fs::create_dir_all(FOLDER).expect("systemd's folder");
    let events = inotify::init(CreateFlags::CLOEXEC).expect("inotify");
    inotify::add_watch(&events, FOLDER, WatchFlags::MOVED_TO | WatchFlags::CREATE).expect("systemd's folder");
    loop {
        let entries = fs::read_dir(FOLDER).expect("systemd's folder").flatten();
        let mut paths = entries.filter_map(|entry| entry.path().to_str().map(str::to_owned));
        if let Some(path) = paths.find(|path| path.contains("/ask.") && path != but) {
            return path;
        }
        rustix::io::read(&events, &mut [0; 4096]).expect("an event");
    }
}
