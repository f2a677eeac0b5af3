//! `migrate`: from another PAM module to ours, people and stacks together.
//!
//! First everybody's secrets come in, then the stacks change: whoever is not
//! covered would be shut out, or let in by `nullok` without a code.

mod files;
mod stack;
mod trial;

use std::path::{Path, PathBuf};

use clap::Args;
use otp_wire::syslog::escape;

pub use stack::Module;
pub use trial::{TrialEnd, end};

use crate::client::Client;
use crate::convert::homes::{self, Home, State};
use crate::convert::{arguments, users_file};
use crate::error::Failure;
use crate::output::Output;
use crate::passwd;
use files::{Found, Replaced};
use trial::Trial;

/// Where accounts come from (nsswitch.conf(5)).
const SOURCES: &str = "/etc/nsswitch.conf";
/// Where PAM looks for stacks.
const STACKS: &str = "/etc/pam.d";
/// Where libpam looks for modules, on distributions of all kinds.
const MODULES: [&str; 5] = ["/usr/lib/security", "/usr/lib64/security", "/lib/security", "/usr/lib", "/lib"];

/// Arguments of `migrate`.
#[derive(Debug, Args)]
#[command(after_help = "\
Nothing is changed if anything is not understood. What was there is kept beside each stack as
NAME.before-oathgate. Keep a root shell open, and log in from a second terminal before you close it.
A trial ends after its time, and with a reboot where systemd runs: the stacks that it replaced are as
before, what was imported stays. A stack that was edited or removed meanwhile is left as it is.

Examples:
  sudo oathgate migrate google-authenticator --dry-run   what would become of stacks and people
  sudo oathgate migrate google-authenticator --trial 10m   everybody, and every stack, for ten minutes
  sudo oathgate migrate google-authenticator --confirm     within them: for good
  sudo oathgate migrate google-authenticator --undo      the stacks as they were before")]
pub struct Migrate {
    /// From which module
    pub from: Module,
    /// Show what would be done, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Put the stacks back after this time (90s, 10m, 2h), unless it is confirmed
    #[arg(long, value_name = "TIME", conflicts_with = "dry_run")]
    pub trial: Option<String>,
    /// End a trial: the stacks stay as they are
    #[arg(long, conflicts_with_all = ["dry_run", "trial"])]
    pub confirm: bool,
    /// Put the stacks back, while a trial runs those that it replaced; what was imported stays
    #[arg(long, conflicts_with_all = ["dry_run", "trial", "confirm"])]
    pub undo: bool,
    /// The folder of the stacks
    #[arg(long, value_name = "DIR", default_value = STACKS)]
    pub pam_dir: PathBuf,
    /// With nullok and a directory of people (LDAP): those who matter are listed by getent(1), or imported
    #[arg(long)]
    pub all_listed: bool,
    /// Take secrets of fewer than 80 bits, which can be guessed
    #[arg(long)]
    pub allow_weak: bool,
}

/// Migrates, or shows what that would do, or takes it back.
///
/// # Errors
/// When something is not understood, somebody would come in without a code, or
/// the verifier can't be asked. No stack is changed then.
pub fn run<'a>(
    client: impl FnOnce() -> Result<Client<'a>, Failure>,
    arguments: &Migrate,
    out: &mut Output,
) -> Result<(), Failure> {
    if arguments.undo {
        return undo(arguments, out);
    }
    if arguments.confirm {
        return confirm(arguments, out);
    }
    let trial = arguments.trial.as_deref().map(trial::seconds).transpose()?;
    if Trial::running(&arguments.pam_dir)?.is_some() {
        return Err(Failure::no("a trial is running; nothing was changed").hint("end it with --confirm or --undo"));
    }
    let found = files::find(&arguments.pam_dir, arguments.from)?;
    if found.is_empty() {
        let folder = arguments.pam_dir.display();
        return Err(Failure::no(format!("no stack in {folder} names that module; nothing was changed")));
    }
    installed(&arguments.pam_dir)?;
    let nullok = found.iter().any(|found| found.stack.nullok);
    if nullok && !arguments.all_listed {
        listed(&std::fs::read_to_string(SOURCES).unwrap_or_default())?;
    }
    let people = people(&client()?, arguments, &found)?;
    let known: Vec<Home> = people.into_iter().filter(|home| home.state != State::Absent).collect();
    homes::show(&known, out)?;
    covered(&known, nullok, out)?;
    if !arguments.dry_run {
        replace(arguments, &found, trial)?;
    }
    say(&found, arguments.dry_run, out)?;
    match &arguments.trial {
        Some(time) => {
            let from = arguments.from.name();
            out.line(format!("All goes back in {time}, unless you confirm: sudo oathgate migrate {from} --confirm"))
        }
        None => Ok(()),
    }
}

fn replace(arguments: &Migrate, found: &[Found], trial: Option<u64>) -> Result<(), Failure> {
    let folder = &arguments.pam_dir;
    trial.map(|seconds| trial::begin(folder, arguments.from, found, seconds)).transpose()?;
    files::replace(found).inspect_err(|_| {
        // What is left of it finds nothing to put back.
        let _ = Trial::running(folder).map(|trial| trial.map(Trial::over));
    })
}

fn confirm(arguments: &Migrate, out: &mut Output) -> Result<(), Failure> {
    let trial = Trial::running(&arguments.pam_dir)?.filter(|trial| trial.module() == arguments.from);
    let none = || Failure::no("no such trial is running: it has ended, and the stacks are as they were before");
    trial.ok_or_else(none)?.over()?;
    out.line("The stacks stay as they are now.")
}

fn undo(arguments: &Migrate, out: &mut Output) -> Result<(), Failure> {
    let trial = Trial::running(&arguments.pam_dir)?.filter(|trial| trial.module() == arguments.from);
    let names = trial.as_ref().and_then(Trial::names);
    let Replaced { found, edited, gone } = files::replaced(&arguments.pam_dir, arguments.from, names)?;
    if let Some(path) = edited.first() {
        let kept = files::before(path);
        return Err(Failure::no(format!("{} was changed since; nothing was put back", path.display()))
            .hint(format!("compare it with {} and put back what you want", kept.display())));
    }
    files::put_back(&found)?;
    trial.map(Trial::over).transpose()?;
    for path in &gone {
        out.line(format!("{} is gone, and is left so", escape(&path.display().to_string())))?;
    }
    if found.is_empty() {
        return Err(Failure::no(format!("no stack in {} was migrated from it", arguments.pam_dir.display())));
    }
    for one in &found {
        out.line(format!("Put back {}", escape(&one.path.display().to_string())))?;
    }
    out.line("The other module does not know which codes were used here meanwhile: they may count again there.")
}

/// Everybody whose secrets the other module has.
fn people(client: &Client, arguments: &Migrate, found: &[Found]) -> Result<Vec<Home>, Failure> {
    let import = arguments::Import::all(arguments.allow_weak);
    match arguments.from {
        Module::GoogleAuthenticator => homes::all(client, &passwd::all(), &import, arguments.dry_run),
        Module::PamOath => {
            let mut files: Vec<PathBuf> =
                found.iter().flat_map(|found| &found.stack.secrets).map(PathBuf::from).collect();
            files.sort();
            files.dedup();
            users_file::all(client, &files, &import, arguments.dry_run)
        }
    }
}

/// Says who is covered and who is not.
///
/// # Errors
/// When somebody with a secret there has none here and `nullok` would let that
/// person in without a code, or nobody at all could log in.
fn covered(known: &[Home], nullok: bool, out: &mut Output) -> Result<(), Failure> {
    let names = |wanted: &[State]| {
        let names = known.iter().filter(|home| wanted.contains(&home.state)).map(|home| escape(&home.account));
        names.collect::<Vec<_>>()
    };
    let (in_, skipped) = (names(&[State::Ready, State::Imported, State::Known]), names(&[State::Skipped]));
    out.line(format!("{} covered, {} not covered: {}", in_.len(), skipped.len(), list(&skipped)))?;
    let others = if nullok { "are let pass by nullok, as before" } else { "are refused" };
    out.line(format!("People without a secret there {others}; directories' accounts are not listed here."))?;
    if nullok && !skipped.is_empty() {
        return Err(Failure::no("nullok would let those who are not covered in without a code; no stack was changed")
            .hint("mend their files; or remove them, and enrol these people: oathgate enrol NAME"));
    }
    if in_.is_empty() && !nullok {
        return Err(Failure::no("nobody could log in; no stack was changed"));
    }
    Ok(())
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "nobody".to_owned() } else { names.join(" ") }
}

fn say(found: &[Found], dry_run: bool, out: &mut Output) -> Result<(), Failure> {
    let word = if dry_run { "Would replace" } else { "Replaced" };
    for one in found {
        out.line(format!("{word} the module in {}", escape(&one.path.display().to_string())))?;
        for note in &one.stack.notes {
            out.line(format!("  {note}"))?;
        }
    }
    if dry_run { out.line("Nothing was changed.") } else { out.line("Keep this shell, and log in from another.") }
}

/// Whom getent(1) doesn't list is not imported, and `nullok` would let such
/// people in without a code.
fn listed(sources: &str) -> Result<(), Failure> {
    let code = sources.lines().filter_map(|line| line.split('#').next());
    let words = code.filter_map(|line| line.trim().strip_prefix("passwd:")).flat_map(str::split_whitespace);
    let whole = ["files", "systemd", "compat", "altfiles"];
    match words.filter(|word| !word.starts_with('[')).find(|word| !whole.contains(word)) {
        None => Ok(()),
        Some(source) => Err(Failure::no(format!(
            "accounts come from {source} too, which may not list all; nullok would let the others in without a code"
        ))
        .hint("import theirs (oathgate import --homes --account NAME) and add --all-listed, or take nullok out first")),
    }
}

/// A stack whose module is missing lets nobody in.
fn installed(pam_dir: &Path) -> Result<(), Failure> {
    let here = |folder: &Path| folder.join("pam_oathgate.so").exists();
    let multiarch = |folder: &&str| {
        let inside = std::fs::read_dir(folder).into_iter().flatten().flatten();
        inside.map(|entry| entry.path().join("security")).any(|folder| here(&folder))
    };
    if pam_dir != Path::new(STACKS) || MODULES.iter().any(|folder| here(Path::new(folder)) || multiarch(folder)) {
        return Ok(());
    }
    Err(Failure::no("pam_oathgate.so is not installed; nothing was changed").hint("make install, then again"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Style;

    #[test]
    fn nullok_and_a_directory_do_not_go_together_unseen() {
        for (sources, fine) in [
            ("", true),
            ("# passwd: ldap\npasswd:  files systemd # ldap\ngroup: files ldap\n", true),
            ("passwd: files [NOTFOUND=continue] sss\n", false),
            ("passwd:\tcompat ldap # all of us\n", false),
        ] {
            assert_eq!(listed(sources).is_ok(), fine, "{sources}");
        }
    }

    #[test]
    fn whoever_would_be_let_in_without_a_code_stops_it() {
        let home = |state| Home { account: "ann".to_owned(), state, remarks: vec![] };
        for (states, nullok, fine) in [
            (&[State::Imported][..], true, true),
            (&[State::Known, State::Homeless], true, true),
            (&[State::Imported, State::Skipped], true, false),
            (&[State::Imported, State::Skipped], false, true),
            (&[State::Skipped], false, false),
            (&[], false, false),
            (&[], true, true),
        ] {
            let homes: Vec<Home> = states.iter().map(|state| home(*state)).collect();
            let mut text = Vec::new();
            let done = covered(&homes, nullok, &mut Output::to(&mut text, Style::default()));
            assert_eq!(done.is_ok(), fine, "{states:?} {nullok}");
        }
    }
}
