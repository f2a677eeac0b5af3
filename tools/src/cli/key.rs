//! Behind `oathgate key`.

use std::net::IpAddr;

use clap::{Args, Subcommand};
use otp_core::{Account, Owner};

use super::{Json, List};

/// Verbs of `key`.
#[derive(Debug, Subcommand)]
pub enum Key {
    /// Let a further SSH key in with codes that are enrolled already
    Add(KeyAdd),
    /// Show the SSH keys and what is asked for at each
    List(List),
    /// Say what is asked for at a key: a code, or nothing
    Policy(KeyPolicy),
    /// Let a key in from one address without a code for a while, or stop that
    Grant(KeyGrant),
    /// Forget a key; its credentials stay
    Remove(KeyName),
}

/// A key of an account.
#[derive(Debug, Args)]
pub struct KeyName {
    /// The SSH key
    #[arg(value_name = "FILE.pub|SHA256:…")]
    pub key: String,
    /// The login name [default: your own]
    #[arg(long)]
    pub account: Option<Account>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub json: Json,
}

/// Arguments of `key add`.
#[derive(Debug, Args)]
pub struct KeyAdd {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub key: KeyName,
    /// The person whose key it is [default: the account's name]
    #[arg(long)]
    pub owner: Option<Owner>,
    /// Ask for codes of this credential; may be given several times
    #[arg(long = "credential", value_name = "ID|LABEL")]
    pub credentials: Vec<String>,
    /// A note to recognise it by [default: the key's comment]
    #[arg(long)]
    pub note: Option<String>,
}

/// Arguments of `key policy`.
#[derive(Debug, Args)]
pub struct KeyPolicy {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub key: KeyName,
    /// What is asked for
    pub policy: Policy,
    /// With none: until then, as 12h, 30d or 2031-01-31 (UTC)
    #[arg(long, value_name = "WHEN")]
    pub until: Option<String>,
    /// With code: for so long after an accepted code its address needs none, as 10m or 2h
    #[arg(long, value_name = "TIME")]
    pub grant: Option<String>,
}

/// Arguments of `key grant`.
#[derive(Debug, Args)]
pub struct KeyGrant {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub key: KeyName,
    /// For so long, as 10m or 2h; at most a day
    #[arg(value_name = "TIME", required_unless_present = "revoke")]
    pub time: Option<String>,
    /// From this IP address
    #[arg(long, value_name = "ADDRESS", required_unless_present = "revoke")]
    pub from: Option<IpAddr>,
    /// Take every grant of the key back
    #[arg(long, conflicts_with_all = ["time", "from"])]
    pub revoke: bool,
}

/// What is asked for at a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Policy {
    /// A code
    Code,
    /// Nothing: the key alone is enough
    None,
}
