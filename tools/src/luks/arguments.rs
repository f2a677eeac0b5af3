//! What may be typed behind `oathgate luks`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use luks_unlock::order::Flags;
use otp_core::{Algorithm, Label};

use crate::cli::{CodeKind, Json};

/// Verbs of `luks`.
#[derive(Debug, Subcommand)]
pub enum Luks {
    /// Ask for a code where a disk is opened
    #[command(after_help = "\
With --gate store the verifier keeps the key, and gives it away for a code; the verifier must not lie
on that disk. Whoever takes the disk alone has no key at all.

With --gate header the key is in the disk's own header, sealed under a PIN, and used codes are remembered
beside it. Whoever copies the header can guess at the PIN for as long as they like, and needs no code
once it is found; so the PIN has to be long. The code stops whoever saw the PIN and has no copy.")]
    Enrol(Enrol),
    /// Open a disk with PIN and code
    Open(Open),
    /// Close an open disk
    Close(Close),
    /// Show what opens a disk
    Status(Status),
    /// Show the disks of this machine that ask for a code
    List(Json),
    /// Stop an open disk, and wipe its key from memory, until PIN and code are given again
    Suspend(Close),
    /// Let a suspended disk go on
    Resume(Resume),
    /// Put a new PIN and a new code in the place of old ones; at the store gate, a new key
    #[command(after_help = "\
At the store gate the code stays as it is: the verifier gets a new key for the disk, and the old one opens
nothing any more. A new code: oathgate luks remove, then oathgate luks enrol. When it fails half-way the disk
still opens with the same code; rotate again.")]
    Rotate(Rotate),
    /// Ask for no code any more; a passphrase still opens the disk
    Remove(Named),
}

/// Where a disk is.
#[derive(Debug, Clone, Args)]
pub struct Disk {
    /// The block device, or a file
    pub device: PathBuf,
    /// Its LUKS2 header, where that is not on the device
    #[arg(long, value_name = "FILE")]
    pub header: Option<PathBuf>,
}

/// What stands between answer and key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Gate {
    /// The disk's own header: PIN and code, for root volumes
    Header,
    /// The verifier, which keeps the key: a code, for data volumes
    Store,
}

/// What proves that a disk may be changed, and keeps what it was.
#[derive(Debug, Clone, Args)]
pub struct Change {
    /// Take a passphrase that opens the disk already from this file, whole
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Copy the header into this new file first [default: one in /var/backups]
    #[arg(long, value_name = "FILE")]
    pub backup: Option<PathBuf>,
    /// Read what is asked for from standard input, a line each, for programs
    #[arg(long)]
    pub stdin: bool,
}

/// The new code and PIN.
#[derive(Debug, Clone, Args)]
pub struct New {
    /// Name for the authenticator [default: the disk's file name]
    #[arg(long)]
    pub label: Option<Label>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub kind: CodeKind,
    /// Take a PIN of fewer than 12 characters
    #[arg(long)]
    pub weak_pin: bool,
    /// KiB of memory for each guess at the PIN, at least 65536 [default: 262144]
    #[arg(long, value_name = "KIB", requires = "pbkdf_force_iterations",
        value_parser = clap::value_parser!(u32).range(65536..=4194304))]
    pub pbkdf_memory: Option<u32>,
    /// Passes of Argon2id over it, at least 3 [default: as many as take two seconds here]
    #[arg(long, value_name = "N", requires = "pbkdf_memory", value_parser = clap::value_parser!(u32).range(3..=64))]
    pub pbkdf_force_iterations: Option<u32>,
    /// Do not ask for the first code
    #[arg(long)]
    pub no_confirm: bool,
    /// As JSON, secrets included; never asks for the first code
    #[command(flatten)]
    pub json: Json,
}

impl New {
    /// Whether it says anything of a code or a PIN.
    pub fn is_about_codes(&self) -> bool {
        let Self { label, kind, weak_pin, pbkdf_memory, no_confirm, .. } = self;
        let usual = !kind.hotp && kind.period.is_none() && kind.digits == 6 && kind.algorithm == Algorithm::Sha1;
        !usual || label.is_some() || *weak_pin || pbkdf_memory.is_some() || *no_confirm
    }
}

/// Arguments of `luks enrol`.
#[derive(Debug, Args)]
pub struct Enrol {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub disk: Disk,
    /// What stands between answer and key [default: asks which volume it is]
    #[arg(long, value_enum)]
    pub gate: Option<Gate>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub new: New,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub change: Change,
    /// Put a line for the disk into crypttab, under this name; what was there is kept beside it
    #[arg(long, value_name = "NAME")]
    pub write_crypttab: Option<String>,
    /// That file
    #[arg(long, value_name = "FILE", default_value = "/etc/crypttab", requires = "write_crypttab")]
    pub crypttab: PathBuf,
    /// The line is for the root file system: our script asks for PIN and code in the initramfs
    #[arg(long, requires = "write_crypttab")]
    pub initramfs: bool,
}

/// Arguments of `luks remove`: a token, and what proves that it may be changed.
#[derive(Debug, Args)]
pub struct Named {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub disk: Disk,
    /// The token, as `oathgate luks status` shows it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..32))]
    pub token: i32,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub change: Change,
}

/// Arguments of `luks rotate`.
#[derive(Debug, Args)]
pub struct Rotate {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub named: Named,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub new: New,
}

/// Arguments of `luks open`.
#[derive(Debug, Args)]
pub struct Open {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub disk: Disk,
    /// The name below /dev/mapper
    #[arg(required_unless_present = "test")]
    pub name: Option<String>,
    /// Only say whether PIN and code are right; the code is used up
    #[arg(long, conflicts_with = "name")]
    pub test: bool,
    /// Read PIN and code from standard input, for programs
    #[arg(long)]
    pub stdin: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub mapping: Mapping,
}

/// How a disk is mapped; see cryptsetup-open(8).
#[derive(Debug, Clone, Copy, Default, Args)]
#[allow(clippy::struct_excessive_bools)] // flags
pub struct Mapping {
    /// Nothing can be written to the disk
    #[arg(long, help_heading = "Mapping")]
    pub readonly: bool,
    /// Pass freed blocks on to the device, which then tells which are in use
    #[arg(long, help_heading = "Mapping")]
    pub allow_discards: bool,
    /// Encrypt on the processor that asked for it
    #[arg(long = "perf-same_cpu_crypt", help_heading = "Mapping")]
    pub same_cpu_crypt: bool,
    /// Submit writes from the processor that encrypted
    #[arg(long = "perf-submit_from_crypt_cpus", help_heading = "Mapping")]
    pub submit_from_crypt_cpus: bool,
    /// Decrypt without a work queue
    #[arg(long = "perf-no_read_workqueue", help_heading = "Mapping")]
    pub no_read_workqueue: bool,
    /// Encrypt without a work queue
    #[arg(long = "perf-no_write_workqueue", help_heading = "Mapping")]
    pub no_write_workqueue: bool,
}

impl From<Mapping> for Flags {
    fn from(mapping: Mapping) -> Self {
        let Mapping { readonly, allow_discards, same_cpu_crypt, .. } = mapping;
        let Mapping { submit_from_crypt_cpus, no_read_workqueue, no_write_workqueue, .. } = mapping;
        Self { readonly, allow_discards, same_cpu_crypt, submit_from_crypt_cpus, no_read_workqueue, no_write_workqueue }
    }
}

/// Arguments of `luks close` and `luks suspend`.
#[derive(Debug, Args)]
pub struct Close {
    /// The name below /dev/mapper
    pub name: String,
}

/// Arguments of `luks resume`.
#[derive(Debug, Args)]
pub struct Resume {
    /// The name below /dev/mapper
    pub name: String,
    /// Its LUKS2 header, where that is not on the device
    #[arg(long, value_name = "FILE")]
    pub header: Option<PathBuf>,
    /// Read PIN and code from standard input, for programs
    #[arg(long)]
    pub stdin: bool,
}

/// Arguments of `luks status`.
#[derive(Debug, Args)]
pub struct Status {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub disk: Disk,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub json: Json,
}
