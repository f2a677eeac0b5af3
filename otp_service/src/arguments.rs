//! The command line of `oathgated`.

use std::path::PathBuf;

use clap::Parser;

/// The verifier of oathgate: owns the store, answers the front ends.
#[derive(Debug, Parser)]
#[command(
    name = "oathgated",
    version,
    after_help = "EXAMPLES:
  oathgated --init         make the folders and the sealing key, once, as root
  oathgated                serve on /run/oathgate/root and /run/oathgate/socket
  oathgated --stdio        answer one request from standard input (front ends start this)
  oathgated --backup       copy the store to standard output (oathgate backup starts this)
  oathgated --restore      put a copy from standard input in its place, merged with it
  oathgated --rotate       make the next sealing key, used from the next start on

Files: /etc/oathgate/oathgate.toml, /etc/oathgate/keys/, /var/lib/oathgate/store.db"
)]
pub struct Arguments {
    /// Make the folders and a sealing key, and end
    #[arg(long, group = "instead")]
    pub init: bool,
    /// Answer one request from standard input on standard output, and end
    #[arg(long, group = "instead")]
    pub stdio: bool,
    /// Check settings, sealing keys and the store's place, and end
    #[arg(long, group = "instead")]
    pub check: bool,
    /// Write a copy of the store to standard output, and end; a service may be running
    #[arg(long, group = "instead")]
    pub backup: bool,
    /// Put the copy from standard input in the place of the store, merged with it, and end; no service may be running
    #[arg(long, group = "instead")]
    pub restore: bool,
    /// Make the next sealing key, and end
    #[arg(long, group = "instead")]
    pub rotate: bool,
    /// Use the calling user's own store below --home
    #[arg(long, requires = "home")]
    pub user_store: bool,
    /// The calling user's home directory
    #[arg(long, value_name = "DIR", requires = "user_store")]
    pub home: Option<PathBuf>,
    /// Settings instead of /etc/oathgate/oathgate.toml
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Store instead of the one in the settings
    #[arg(long, value_name = "FILE")]
    pub store: Option<PathBuf>,
    /// Folder of sealing keys instead of the one in the settings
    #[arg(long, value_name = "DIR")]
    pub keys: Option<PathBuf>,
    /// Socket for root
    #[arg(long, value_name = "PATH", default_value = otp_wire::ROOT_SOCKET)]
    pub root_socket: PathBuf,
    /// Socket for everybody
    #[arg(long, value_name = "PATH", default_value = otp_wire::PUBLIC_SOCKET)]
    pub public_socket: PathBuf,
}
