//! What may be typed after `convert` and `import`.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use otp_core::{Account, Label, Owner};

use crate::cli::Json;

/// Arguments of `convert`.
#[derive(Debug, Args)]
#[command(after_help = "\
The format of each file is told by its content; a folder copied from an Android phone will do.

Examples:
  oathgate convert databases                            what is in it, without secrets
  oathgate convert export.txt --to json --output new.json
  oathgate convert screenshot.png --to qr --select 1    for a further device
  oathgate convert - --to uri --select 2                URIs or an export's text from standard input")]
pub struct Convert {
    /// What an authenticator wrote: a file, a folder copied from a phone, or - for standard input
    #[arg(value_name = "FILE", required_unless_present = "formats")]
    pub files: Vec<PathBuf>,
    /// In which form
    #[arg(long, value_name = "FORM", default_value = "table")]
    pub to: Target,
    /// Only this entry, by its number in the table or by its name; may be given several times
    #[arg(long, value_name = "N|NAME")]
    pub select: Vec<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub locked: Locked,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub form: Form,
    /// List the formats that are read
    #[arg(long, exclusive = true)]
    pub formats: bool,
}

/// How exports are opened that are locked.
#[derive(Debug, Default, Args)]
pub struct Locked {
    /// The password of a locked export is the first line of this file [default: asked for at the terminal]
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
}

/// How entries are written, beside the target.
#[derive(Debug, Default, Args)]
pub struct Form {
    /// With qr, png and svg: codes that Google Authenticator imports, ten entries in each
    #[arg(long)]
    pub batch: bool,
    /// Write into this new file, which only you can read
    #[arg(long, short, value_name = "NEW")]
    pub output: Option<PathBuf>,
}

/// The forms that `convert` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Target {
    /// A table for people, without secrets
    Table,
    /// JSON with everything, secrets included
    Json,
    /// otpauth:// URIs, one a line
    Uri,
    /// otpauth-migration:// texts, which Google Authenticator imports; ten entries a line
    Migration,
    /// A state file of google-authenticator's PAM module; of one entry
    Libpam,
    /// Lines for pam_oath
    UsersOath,
    /// QR codes on the terminal, to enrol a further device
    Qr,
    /// QR codes as PNG pictures, in the new files that --output names
    Png,
    /// QR codes as SVG pictures, in the new files that --output names
    Svg,
}

/// Arguments of `export`.
#[derive(Debug, Args)]
#[command(after_help = "\
Who may do it says the setting export in oathgate.toml(5): root, owners with a code, or nobody.
Each credential that leaves is in the audit. It goes on counting here: for a further device that
is meant; for another verifier revoke it here first thing afterwards, or its codes count twice.

Examples:
  sudo oathgate export phone --account alice --to qr               a further device for alice
  sudo oathgate export k3f7q2mz --to libpam --output alice.state   for google-authenticator's module
  sudo oathgate export k3f7q2mz m2c4x6pq --to users-oath >>users.oath")]
pub struct Export {
    /// Ids or labels, as `oathgate list` shows them
    #[arg(value_name = "ID|LABEL", required = true)]
    pub credentials: Vec<String>,
    /// In which form
    #[arg(long, value_name = "FORM", value_parser = with_secrets())]
    pub to: Target,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub form: Form,
    /// The account whose credentials they are [default: your own; any for root]
    #[arg(long)]
    pub account: Option<Account>,
    /// Show the secrets without asking first
    #[arg(long)]
    pub yes: bool,
}

/// Every target but the table: that shows no secrets, and `oathgate list` is one.
fn with_secrets() -> impl TypedValueParser<Value = Target> {
    let targets = Target::value_variants().iter().filter(|target| **target != Target::Table);
    PossibleValuesParser::new(targets.filter_map(ValueEnum::to_possible_value))
        .try_map(|name| Target::from_str(&name, false))
}

/// Arguments of `import`.
#[derive(Debug, Args)]
#[command(after_help = "\
Nothing is accepted for a login that was not chosen: without --select and with more than one
entry the table is shown, and you are asked which; without a terminal nothing is imported.

Examples:
  oathgate import ~/.google_authenticator               keeps window, skew, used codes, scratch codes
  sudo oathgate import --homes                          everybody's, each opened with its owner's rights
  sudo oathgate import users.oath --everybody             all its users, at once or not at all
  sudo oathgate import export.txt --select 3 --account alice")]
pub struct Import {
    /// What an authenticator or another PAM module wrote: a file, a phone's folder, or -
    #[arg(value_name = "FILE", required_unless_present = "homes")]
    pub files: Vec<PathBuf>,
    /// As root: every account's ~/.google_authenticator, or only that of --account
    #[arg(long, conflicts_with_all = ["files", "select", "owner", "ssh_key", "label"])]
    pub homes: bool,
    /// As root: every row of a users.oath, each for the account that it names; all of them or none
    #[arg(long, conflicts_with_all = ["homes", "select", "account", "owner", "ssh_key", "label"])]
    pub everybody: bool,
    /// This entry, by its number in the table or by its name; may be given several times
    #[arg(long, value_name = "N|NAME")]
    pub select: Vec<String>,
    /// The login name [default: your own]
    #[arg(long)]
    pub account: Option<Account>,
    /// The person whose codes they are, where several share an account [default: the account's name]
    #[arg(long)]
    pub owner: Option<Owner>,
    /// Bind them to this SSH key; without it they count where no key is used (su, sudo, login)
    #[arg(long, value_name = "FILE.pub|SHA256:…")]
    pub ssh_key: Option<String>,
    /// Short name, for one entry [default: made from the entry's name]
    #[arg(long)]
    pub label: Option<Label>,
    /// Take secrets of fewer than 80 bits, which can be guessed
    #[arg(long)]
    pub allow_weak: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub locked: Locked,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub json: Json,
}

impl Import {
    /// Everybody's, wherever they are.
    pub fn all(allow_weak: bool) -> Self {
        Self {
            files: vec![],
            homes: true,
            everybody: false,
            select: vec![],
            account: None,
            owner: None,
            ssh_key: None,
            label: None,
            allow_weak,
            locked: Locked::default(),
            json: Json::default(),
        }
    }
}
