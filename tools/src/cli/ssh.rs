//! Behind `oathgate ssh`, and what a child does in a home.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use otp_core::{Account, Fingerprint};

use super::Json;
use crate::ssh::line::Forwarding;

/// Verbs of `ssh`.
#[derive(Debug, Subcommand)]
pub enum Ssh {
    /// Ask for a code at logins with a key: puts ssh-otp into its line of authorized_keys
    Install(SshInstall),
    /// Ask for no code any more: takes ssh-otp out of the key's line
    Remove(SshRemove),
    /// Move secrets that stand in authorized_keys (command="ssh-otp SECRET") into the store
    Adopt(SshAdopt),
}

/// Arguments of `ssh install`.
#[derive(Debug, Args)]
pub struct SshInstall {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub key: KeyOrAll,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub change: SshChange,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub file: SshFile,
}

/// Arguments of `ssh remove`.
#[derive(Debug, Args)]
pub struct SshRemove {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub key: KeyOrAll,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub file: SshFile,
}

/// Arguments of `ssh adopt`.
#[derive(Debug, Args)]
pub struct SshAdopt {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub change: SshChange,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub file: SshFile,
}

/// A key, or all in the file.
#[derive(Debug, Args)]
pub struct KeyOrAll {
    /// The SSH key
    #[arg(value_name = "FILE.pub|SHA256:…", required_unless_present_any = ["key", "all"])]
    pub key_file: Option<String>,
    /// The SSH key, by its fingerprint
    #[arg(long, value_name = "SHA256:…", conflicts_with = "key_file")]
    pub key: Option<Fingerprint>,
    /// Each key in the file; install offers them one by one
    #[arg(long, conflicts_with_all = ["key", "key_file"])]
    pub all: bool,
}

/// How lines are given a gate.
#[derive(Debug, Args)]
pub struct SshChange {
    /// Ask nothing: run the line's command, but have no code confirmed
    #[arg(long)]
    pub yes: bool,
    /// Change the line without having run its command first; for another host's file
    #[arg(long, requires = "yes")]
    pub no_trial: bool,
    /// Leave this open, which needs no code then: port, agent or x11; may be given several times
    #[arg(long, value_name = "WHAT")]
    pub allow_forwarding: Vec<Forwarding>,
}

/// A file of keys.
#[derive(Debug, Args)]
pub struct SshFile {
    /// Whose file it is [default: your own]
    #[arg(long)]
    pub account: Option<Account>,
    /// Edit this file [default: ~/.ssh/authorized_keys]
    #[arg(long, value_name = "PATH")]
    pub file: Option<PathBuf>,
    /// Show the old and the new line, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub json: Json,
}

/// What is done as another person; for this program's own child.
#[derive(Debug, Subcommand)]
pub enum Task {
    /// Look at files
    Look,
    /// Read a file of keys
    ReadKeys {
        /// The file
        path: PathBuf,
        /// The person's home directory
        home: PathBuf,
    },
    /// Replace a file of keys by what is on standard input
    ReplaceKeys {
        /// The file
        path: PathBuf,
        /// The person's home directory
        home: PathBuf,
    },
    /// Run a forced command, with the code on standard input
    Try {
        /// The person's home directory
        home: PathBuf,
        /// The login shell
        shell: PathBuf,
        /// The command
        command: String,
    },
}
