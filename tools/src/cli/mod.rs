//! What may be typed.

mod key;
mod look;
mod ssh;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use otp_core::{Account, Algorithm, Label, Owner};

use crate::convert::arguments::{Convert, Export, Import};
use crate::luks::arguments::Luks;
use crate::migrate::{Migrate, TrialEnd};

pub use key::{Key, KeyAdd, KeyGrant, KeyName, KeyPolicy, Policy};
pub use look::{Audit, Backup, Closely, Config, Doctor, DoctorLuks, DoctorSsh, Restore, Status, Verdict};
pub use ssh::{KeyOrAll, Ssh, SshAdopt, SshChange, SshFile, SshInstall, SshRemove, Task};

/// One-time codes for logins: enrol, look, revoke.
#[derive(Debug, Parser)]
#[command(
    name = "oathgate",
    version,
    max_term_width = 100,
    after_help = "\
Exit status: 0 yes, 1 no, 2 usage, 3 could not decide.

Examples:
  oathgate --user-store enrol --ssh-key ~/.ssh/id_ed25519.pub   a code for one SSH key, without root
  oathgate ssh install ~/.ssh/id_ed25519.pub --user-store       ask for it at logins with that key
  sudo oathgate enrol alice --png alice.png                     a code for alice, to hand over as a picture
  oathgate list                                                 what is enrolled"
)]
pub struct Cli {
    /// How to reach the verifier.
    #[command(flatten)]
    pub reach: Reach,
    /// The verb.
    #[command(subcommand)]
    pub verb: Verb,
}

/// Which verifier is asked.
#[derive(Debug, Clone, Default, Args)]
pub struct Reach {
    /// Use the store in your own home directory, without root
    #[arg(long, global = true, conflicts_with = "socket", help_heading = "Verifier")]
    pub user_store: bool,
    /// Ask the verifier that listens here [default: /run/oathgate/root for root, /run/oathgate/socket for others]
    #[arg(long, global = true, value_name = "PATH", help_heading = "Verifier")]
    pub socket: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Make a new code and show its QR code once
    Enrol(Enrol),
    /// Read the secrets that an authenticator wrote, and write them in another form; needs no verifier
    Convert(Convert),
    /// Make login credentials of chosen secrets that an authenticator or another PAM module wrote
    Import(Import),
    /// Write enrolled credentials with their secrets, for a further device or another PAM module
    Export(Export),
    /// Take over from another PAM module: everybody's secrets, and the stacks in /etc/pam.d
    Migrate(Migrate),
    /// Show what is enrolled, without secrets
    List(List),
    /// Show one credential, without its secret
    Show(Named),
    /// Never accept a credential again
    Revoke(Named),
    /// Refuse a credential until it is enabled again
    Disable(Named),
    /// Accept a disabled credential again
    Enable(Named),
    /// Give a credential another label
    Rename(Rename),
    /// Follow a device whose clock or counter has run away, by two codes in a row
    Resync(Resync),
    /// Open an account's doors again after too many wrong codes
    Unlock(Unlock),
    /// Ask for a code and say whether it is right; it is spent
    Verify(Verify),
    /// Codes on paper for the day the phone is lost
    #[command(subcommand)]
    Scratch(Scratch),
    /// SSH keys: which may log in, and what is asked for
    #[command(subcommand)]
    Key(Key),
    /// Put ssh-otp into authorized_keys, or take it out
    #[command(subcommand)]
    Ssh(Ssh),
    /// Encrypted disks: ask for a PIN and a code where one is opened
    #[command(subcommand)]
    Luks(Luks),
    /// Show who was let in, who was refused, and what was changed
    Audit(Audit),
    /// Show how the verifier is
    Status(Status),
    /// Look for what is wrong, and say what to run
    Doctor(Doctor),
    /// Check the settings
    #[command(subcommand)]
    Config(Config),
    /// Write a copy of the store into a new file, while it is in use
    Backup(Backup),
    /// Put a copy in the place of the store; nothing that was used becomes usable again
    Restore(Restore),
    /// Prepare the system's store, once, as root
    Init,
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// End a trial of a migration
    #[command(hide = true)]
    TrialEnd(TrialEnd),
    /// Do a piece of work as another person
    #[command(hide = true)]
    AsPerson {
        /// The person
        name: String,
        /// The work
        #[command(subcommand)]
        task: Task,
    },
    /// Write the man pages
    #[command(hide = true)]
    Man {
        /// Into this folder
        dir: PathBuf,
    },
}

/// `--json`
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Json {
    /// Print JSON on one line, for programs
    #[arg(long)]
    pub json: bool,
}

/// What kind of code.
#[derive(Debug, Clone, Args)]
pub struct CodeKind {
    /// Count codes (HOTP, for hardware tokens with a button) instead of taking the time
    #[arg(long, conflicts_with = "period")]
    pub hotp: bool,
    /// SHA1, SHA256 or SHA512; many authenticators know only SHA1
    #[arg(long, default_value = "SHA1")]
    pub algorithm: Algorithm,
    /// Digits of a code, 6 to 8; many authenticators know only 6
    #[arg(long, default_value = "6", value_name = "N", value_parser = clap::value_parser!(u8).range(6..=8))]
    pub digits: u8,
    /// Seconds that a code lasts, 1 to 120; many authenticators know only 30 [default: 30]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(1..=120))]
    pub period: Option<u16>,
}

/// Arguments of `enrol`.
#[derive(Debug, Args)]
pub struct Enrol {
    /// The login name [default: your own]
    pub account: Option<Account>,
    /// The person whose code it is, where several share an account [default: the account's name]
    #[arg(long)]
    pub owner: Option<Owner>,
    /// Bind the code to this SSH key; without it the code counts where no key is used (su, sudo, login)
    #[arg(long, value_name = "FILE.pub|SHA256:…")]
    pub ssh_key: Option<String>,
    /// Short name of the credential [default: the key's comment, or the account's name]
    #[arg(long)]
    pub label: Option<Label>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub kind: CodeKind,
    /// Write the QR code to this new file, to hand to somebody else, and show no secret here
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    pub png: Option<PathBuf>,
    /// Do not ask for the first code
    #[arg(long)]
    pub no_confirm: bool,
    /// As JSON, secrets included; never asks for the first code
    #[command(flatten)]
    pub json: Json,
}

/// Arguments of `list`.
#[derive(Debug, Args)]
pub struct List {
    /// Only this account [default: your own; everybody's for root]
    pub account: Option<Account>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub json: Json,
}

/// One credential.
#[derive(Debug, Args)]
pub struct Named {
    /// Its id or label, as `oathgate list` shows it
    #[arg(value_name = "ID|LABEL")]
    pub name: String,
    /// The account whose credential it is [default: your own; any for root]
    #[arg(long)]
    pub account: Option<Account>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub json: Json,
}

/// Arguments of `rename`.
#[derive(Debug, Args)]
pub struct Rename {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub named: Named,
    /// The new label
    #[arg(value_name = "NEW")]
    pub label: Label,
}

/// Arguments of `resync`.
#[derive(Debug, Args)]
pub struct Resync {
    /// The login name [default: your own]
    pub account: Option<Account>,
    /// The SSH key that the device's codes belong to
    #[arg(long, value_name = "FILE.pub|SHA256:…")]
    pub ssh_key: Option<String>,
    /// For this credential, whose last code was of a time that lies in the future
    /// because the clock was wrong once; as root, with two codes of this moment
    #[arg(long, value_name = "CREDENTIAL", conflicts_with = "ssh_key")]
    pub set_back: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub json: Json,
}

/// Arguments of `unlock`.
#[derive(Debug, Args)]
pub struct Unlock {
    /// The login name, or disk:UUID
    #[arg(value_parser = Account::stored)]
    pub account: Account,
    /// Only the door of this SSH key
    #[arg(long, value_name = "FILE.pub|SHA256:…")]
    pub ssh_key: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub json: Json,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// The login name [default: your own]
    pub account: Option<Account>,
    /// As if the login came by this SSH key
    #[arg(long, value_name = "FILE.pub|SHA256:…")]
    pub ssh_key: Option<String>,
    /// Read the code from standard input, for programs; it is never an argument
    #[arg(long)]
    pub stdin: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub json: Json,
}

/// Verbs of `scratch`.
#[derive(Debug, Subcommand)]
pub enum Scratch {
    /// Make ten new scratch codes; the old ones stop working
    New(Owned),
    /// Take codes that exist already, beside those there are
    Add(ScratchAdd),
    /// Show how many are left
    Status(Owned),
}

/// Arguments of `scratch add`.
#[derive(Debug, Args)]
pub struct ScratchAdd {
    /// Read them from standard input, one a line; without it they are asked for on the terminal
    #[arg(value_name = "-", value_parser = ["-"])]
    pub from: Option<String>,
    /// The login name [default: your own]
    #[arg(long)]
    pub account: Option<Account>,
    /// The person, where several share an account [default: the account's name]
    #[arg(long)]
    pub owner: Option<Owner>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub json: Json,
}

/// An owner, by account.
#[derive(Debug, Args)]
pub struct Owned {
    /// The login name [default: your own]
    pub account: Option<Account>,
    /// The person, where several share an account [default: the account's name]
    #[arg(long)]
    pub owner: Option<Owner>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub json: Json,
}
