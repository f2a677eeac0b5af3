//! Behind the verbs that look after a verifier: audit, doctor, back-ups, status.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use otp_core::Account;

use super::Json;

/// Arguments of `audit`.
#[derive(Debug, Args)]
pub struct Audit {
    /// Only this account
    pub account: Option<Account>,
    /// Only this SSH key
    #[arg(long, value_name = "FILE.pub|SHA256:…")]
    pub ssh_key: Option<String>,
    /// Only these
    #[arg(long)]
    pub verdict: Option<Verdict>,
    /// Only since then, as 2h, 7d or 2031-01-31 (UTC)
    #[arg(long, value_name = "WHEN")]
    pub since: Option<String>,
    /// At most so many rows, newest first
    #[arg(long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub limit: u32,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub json: Json,
}

/// Verdicts in the audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Verdict {
    /// Let in
    Accept,
    /// Refused
    Refuse,
    /// Something was changed
    Change,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Doctor {
    /// What to look at more closely.
    #[command(subcommand)]
    pub closely: Option<Closely>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub json: Json,
}

/// What doctor looks at more closely.
#[derive(Debug, Subcommand)]
pub enum Closely {
    /// Look for every way around the code at logins over SSH, and say which line to change
    #[command(after_help = "\
It asks sshd itself what holds for the login, and reads every file of keys that sshd would read, the
lines of PAM, and the shell's start files; what is in a home, it reads with that person's rights. It
changes nothing. What it could not look at, it says (?), and it calls nothing good that it has not seen.

Exit status: 0 each way in asks for a code, 1 there is a way around, 3 something could not be seen.")]
    Ssh(DoctorSsh),
    /// Look whether each encrypted disk will ask for its code, and opens without one in need
    #[command(after_help = "\
It reads crypttab, the headers of the disks, what is installed, and what the verifier keeps; it changes
nothing and asks for no code. What it could not look at, it says (?).

Exit status: 0 each disk asks and can be recovered, 1 something is bad, 3 something could not be seen.")]
    Luks(DoctorLuks),
}

/// Arguments of `doctor luks`.
#[derive(Debug, Args)]
pub struct DoctorLuks {
    /// Devices, or files with a header, beside those of crypttab
    pub devices: Vec<PathBuf>,
    /// Where disks are listed
    #[arg(long, value_name = "FILE", default_value = "/etc/crypttab")]
    pub crypttab: PathBuf,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub json: Json,
}

/// Arguments of `doctor ssh`.
#[derive(Debug, Args)]
pub struct DoctorSsh {
    /// The login name [default: your own]; another's, as root
    pub account: Option<Account>,
    /// As if the login came from there [default: somewhere outside]
    #[arg(long, value_name = "ADDRESS")]
    pub address: Option<IpAddr>,
    /// The server
    #[arg(long, value_name = "PATH", default_value = "/usr/sbin/sshd")]
    pub sshd: PathBuf,
    /// Its settings
    #[arg(long, value_name = "PATH", default_value = "/etc/ssh/sshd_config")]
    pub config: PathBuf,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub json: Json,
}

/// Verbs of `config`.
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Say whether a verifier could start with the settings, keys and store as they are
    Check,
}

/// Arguments of `backup`.
#[derive(Debug, Args)]
pub struct Backup {
    /// The new file; the sealing keys are not in it
    pub file: PathBuf,
}

/// Arguments of `restore`.
#[derive(Debug, Args)]
pub struct Restore {
    /// What `oathgate backup` wrote
    pub file: PathBuf,
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct Status {
    /// Who has a code, when it was last used, and what is amiss
    #[arg(long)]
    pub users: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub json: Json,
}
