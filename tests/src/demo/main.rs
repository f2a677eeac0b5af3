//! `make demo`: the main job with a real sshd and a real ssh, told step by step.

#![forbid(unsafe_code)]

mod pam;
mod phone;
mod story;
mod tour;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut story = story::Story::new();
    tour::run(&mut story);
    story.end()
}
