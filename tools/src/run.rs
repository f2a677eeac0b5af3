//! From the command line to an exit status.

use std::process::ExitCode;

use clap::Parser;
use otp_wire::Ask;
use otp_wire::syslog::escape;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use rustix::stdio::stderr;
use rustix::termios::isatty;

use crate::cli::{Cli, Closely, Config, Key, Scratch, Ssh, Verb};
use crate::client::Client;
use crate::error::Failure;
use crate::output::{Output, paint, wants_colour};
use crate::terminal::Console;
use crate::{
    audit, backup, convert, credential, doctor, enrol, init, key, list, luks, migrate, pages, scratch, ssh, status,
    verify,
};

/// Does what the command line says.
pub fn main() -> ExitCode {
    // Secrets pass through here: no core dump and no debugger may see them.
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        return failed(&Failure::undecided(format!("can't turn core dumps off: {error}")));
    }
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failed(&failure),
    }
}

fn run(cli: &Cli) -> Result<(), Failure> {
    let mut out = Output::stdout();
    let out = &mut out;
    let client = || Client::new(&cli.reach, &Console);
    match &cli.verb {
        Verb::Enrol(arguments) => enrol::run(&client()?, arguments, out),
        Verb::Convert(arguments) => convert::run(arguments, out),
        Verb::Import(arguments) => convert::import::run(client, arguments, out),
        Verb::Export(arguments) => convert::export::run(&client()?, arguments, out),
        Verb::Migrate(arguments) => migrate::run(client, arguments, out),
        Verb::List(arguments) => list::run(&client()?, arguments, out),
        Verb::Show(named) => credential::show(&client()?, named, out),
        Verb::Revoke(named) => credential::change(&client()?, named, Ask::Revoke, out),
        Verb::Disable(named) => credential::change(&client()?, named, Ask::Disable, out),
        Verb::Enable(named) => credential::change(&client()?, named, Ask::Enable, out),
        Verb::Rename(arguments) => credential::rename(&client()?, arguments, out),
        Verb::Resync(arguments) => verify::resync(&client()?, arguments, out),
        Verb::Unlock(arguments) => credential::unlock(&client()?, arguments, out),
        Verb::Verify(arguments) => verify::run(&client()?, arguments, out),
        Verb::Luks(verb) => luks::run(client, verb, out),
        Verb::Scratch(Scratch::New(owned)) => scratch::new(&client()?, owned, out),
        Verb::Scratch(Scratch::Add(arguments)) => scratch::add(&client()?, arguments, out),
        Verb::Scratch(Scratch::Status(owned)) => scratch::status(&client()?, owned, out),
        Verb::Key(Key::Add(arguments)) => key::add(&client()?, arguments, out),
        Verb::Key(Key::List(arguments)) => key::list(&client()?, arguments, out),
        Verb::Key(Key::Policy(arguments)) => key::policy(&client()?, arguments, out),
        Verb::Key(Key::Grant(arguments)) => key::grant(&client()?, arguments, out),
        Verb::Key(Key::Remove(name)) => key::remove(&client()?, name, out),
        Verb::Ssh(Ssh::Install(line)) => ssh::install(&cli.reach, line, &Console, out),
        Verb::Ssh(Ssh::Remove(line)) => ssh::remove(&cli.reach, line, out),
        Verb::Ssh(Ssh::Adopt(lines)) => ssh::adopt(&cli.reach, lines, &Console, out),
        Verb::Audit(arguments) => audit::run(&client()?, arguments, out),
        Verb::Status(arguments) => status::run(&client()?, arguments, out),
        Verb::Doctor(arguments) => match &arguments.closely {
            Some(Closely::Ssh(arguments)) => doctor::ssh::run(&cli.reach, arguments, out),
            Some(Closely::Luks(arguments)) => doctor::luks::run(client, arguments, out),
            None => doctor::run(&cli.reach, arguments, out),
        },
        Verb::Config(Config::Check) => doctor::config(&cli.reach, out),
        Verb::Backup(arguments) => backup::backup(&cli.reach, arguments, out),
        Verb::Restore(arguments) => backup::restore(&cli.reach, arguments, out),
        Verb::Init => init::run(&cli.reach, out),
        Verb::Completions { shell } => pages::completions(*shell, out),
        Verb::AsPerson { name, task } => ssh::as_person(name, task, out),
        Verb::TrialEnd(arguments) => migrate::end(arguments),
        Verb::Man { dir } => pages::man(dir),
    }
}

fn failed(failure: &Failure) -> ExitCode {
    let colour = isatty(stderr()) && wants_colour();
    if !failure.what.is_empty() {
        eprintln!("{} {}", paint(colour, "1;31", "error:"), escape(&failure.what));
    }
    if let Some(hint) = &failure.hint {
        eprintln!("{} {}", paint(colour, "1;36", "hint:"), escape(hint));
    }
    failure.exit.into()
}
