//! `ssh-otp`: the forced command that asks for a code and then becomes what
//! sshd would have run.

#![forbid(unsafe_code)]

mod arguments;
mod connection;
mod gate;
mod login;
mod run;
mod sftp_refusal;
mod terminal;
mod verifier;

fn main() -> std::process::ExitCode {
    login::main()
}
