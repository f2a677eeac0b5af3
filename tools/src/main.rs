//! `oathgate`: the front end for people.
//!
//! [`cli`] says what may be typed; each verb has a module; [`client`] asks the
//! verifier, which alone decides and alone opens the store.

#![forbid(unsafe_code)]

mod as_person;
mod audit;
mod backup;
mod bulk;
mod cli;
mod client;
mod clock;
mod convert;
mod credential;
mod doctor;
mod enrol;
mod error;
mod init;
mod key;
mod list;
mod look;
mod luks;
mod migrate;
mod output;
mod pages;
mod passwd;
mod progress;
mod qr;
mod run;
mod scratch;
mod settings;
mod ssh;
mod sshd;
mod status;
mod terminal;
#[cfg(test)]
mod testing;
mod users;
mod verify;

fn main() -> std::process::ExitCode {
    run::main()
}
