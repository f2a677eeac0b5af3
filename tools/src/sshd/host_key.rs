//! A host key for the moment. sshd answers no question without one, and the
//! host's own are root's; nobody ever connects to this one.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::error::Failure;

/// A key in a folder of its own; removed when dropped.
pub struct HostKey {
    folder: PathBuf,
}

impl HostKey {
    /// Makes one.
    ///
    /// # Errors
    /// When there is no room for it, or no ssh-keygen.
    pub fn generate() -> Result<Self, Failure> {
        let mut random = [0; 16];
        rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty()).map_err(Failure::undecided)?;
        let folder = PathBuf::from(format!("/tmp/oathgate-{:032x}", u128::from_ne_bytes(random)));
        DirBuilder::new().mode(0o700).create(&folder).map_err(Failure::undecided)?;
        let key = Self { folder };
        let mut keygen = Command::new("/usr/bin/ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(key.path()).env_clear();
        let made = keygen.stdin(Stdio::null()).stdout(Stdio::null()).status();
        match made {
            Ok(status) if status.success() => Ok(key),
            _ => {
                Err(Failure::undecided("ssh-keygen makes no key, and sshd needs one to answer")
                    .hint("run this as root"))
            }
        }
    }

    /// The private key's file.
    pub fn path(&self) -> PathBuf {
        self.folder.join("key")
    }
}

impl Drop for HostKey {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_gone_afterwards() {
        let key = HostKey::generate().unwrap();
        let folder = key.folder.clone();
        assert!(fs::read_to_string(key.path()).unwrap().contains("PRIVATE KEY"));
        drop(key);
        assert!(!folder.exists());
    }
}
