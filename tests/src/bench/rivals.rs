//! The modules that are compared, each with a service and state of its own in
//! a private folder, and each accepting a fresh HOTP code in every transaction.

#![allow(clippy::expect_used, clippy::panic)]

use std::cell::Cell;
use std::fmt::Write;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use otp_core::{Algorithm, Digits, otp};

use crate::disk;
use crate::numbers::{Series, commas};
use crate::pam::{self, Login};
use crate::people::{People, secret};

/// One of them.
pub struct Rival {
    pub name: String,
    /// Owners in its store.
    pub owners: usize,
    service: String,
    logins: Box<dyn Fn() -> Login>,
    pub in_process: Series,
    pub new_process: Series,
    /// Fsyncs of the calling process in one transaction.
    pub fsyncs: usize,
}

/// The folder in place of /etc/pam.d, and who logs in.
pub struct Stage {
    pub folder: PathBuf,
    pub user: String,
}

impl Stage {
    fn rival(&self, name: &str, owners: usize, line: &str, logins: impl Fn() -> Login + 'static) -> Rival {
        let service = format!("{}-{owners}", name.replace('.', "-"));
        fs::write(self.folder.join(&service), format!("auth required {line}\n")).expect("our folder");
        Rival {
            name: name.to_owned(),
            owners,
            service,
            logins: Box::new(logins),
            in_process: Series::default(),
            new_process: Series::default(),
            fsyncs: 0,
        }
    }

    /// The floor: it always says yes.
    pub fn permit(&self) -> Rival {
        self.rival("pam_permit", 0, "pam_permit.so", || Login { auth_info: None, code: String::new() })
    }

    /// Ours, asking the service at `socket` about anybody of `people`.
    pub fn oathgate(&self, module: &Path, socket: &Path, people: &Arc<People>) -> Rival {
        let line = format!("{} socket={}", module.display(), socket.display());
        let people = Arc::clone(people);
        self.rival("pam_oathgate", people.count(), &line, move || {
            let person = people.anybody();
            Login { auth_info: Some(people.auth_info(person)), code: people.code(person) }
        })
    }

    /// google-authenticator with a file for its only user.
    pub fn google(&self) -> Rival {
        let path = self.state("google-authenticator");
        let scratch: String = (0..5).fold(String::new(), |mut text, number| {
            let _ = writeln!(text, "1234567{number}");
            text
        });
        fs::write(&path, format!("{}\n\" HOTP_COUNTER 1\n{scratch}", &*secret(0).to_base32())).expect("our folder");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("our file");
        let line = format!("pam_google_authenticator.so secret={} user={}", path.display(), self.user);
        self.rival("pam_google_authenticator", 1, &line, counting(1))
    }

    /// pam_oath with `owners` lines in its file, the user's in the middle.
    pub fn oath(&self, owners: usize) -> Rival {
        let path = self.state(&format!("users.oath-{owners}"));
        let mut text = String::new();
        for owner in 0..owners {
            let name = if owner == owners / 2 { self.user.clone() } else { format!("person{owner:07}") };
            let number = if owner == owners / 2 { 0 } else { owner };
            let _ = write!(text, "HOTP {name} - ");
            for byte in secret(number).expose() {
                let _ = write!(text, "{byte:02x}");
            }
            text.push('\n');
        }
        fs::write(&path, text).expect("our folder");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("our file");
        let line = format!("pam_oath.so usersfile={} window=5 digits=6", path.display());
        self.rival("pam_oath", owners, &line, counting(0))
    }

    fn state(&self, name: &str) -> PathBuf {
        let folder = self.folder.join("state");
        fs::create_dir_all(&folder).expect("our folder");
        folder.join(name)
    }
}

fn counting(first: u64) -> impl Fn() -> Login {
    let next = Cell::new(first);
    move || {
        let counter = next.replace(next.get() + 1);
        let code = otp::code(&secret(0), Algorithm::Sha1, Digits::SIX, counter).to_string();
        Login { auth_info: None, code }
    }
}

impl Rival {
    pub fn title(&self) -> String {
        match self.owners {
            0 => self.name.clone(),
            owners => format!("{}, {}", self.name, commas(owners)),
        }
    }

    /// One transaction in this process; it must succeed.
    pub fn authenticate(&mut self, stage: &Stage, measured: bool) {
        let login = (self.logins)();
        let mut series = Series::default();
        let status = series.time(|| pam::authenticate(&stage.folder, &self.service, &stage.user, &login));
        assert_eq!(status, 0, "{}", self.title());
        if measured {
            self.in_process.append(series);
        }
    }

    /// One transaction in a new process.
    pub fn authenticate_anew(&mut self, stage: &Stage) {
        let login = (self.logins)();
        let status = self.new_process.time(|| pam::new_process(&stage.folder, &self.service, &stage.user, &login));
        assert_eq!(status, 0, "{}", self.title());
    }

    /// Counts the fsyncs of one transaction.
    pub fn count_fsyncs(&mut self, stage: &Stage) {
        let (login, log) = ((self.logins)(), stage.folder.join("strace"));
        let mut command: Command = disk::strace(&log, &std::env::current_exe().expect("/proc"));
        command.arg("once").arg(&stage.folder).args([&self.service, &stage.user]).args(&login.auth_info);
        assert_eq!(pam::run_command(&mut command, &login), 0, "{}", self.title());
        self.fsyncs = disk::fsyncs(&log);
    }
}
