//! A host of its own: accounts, stacks, modules and a verifier at the places that
//! are compiled in, in a mount namespace.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use oathgate_tests::built::{bin, library};
use oathgate_tests::homes;
use oathgate_tests::oathgated::Oathgated;
use oathgate_tests::process::{Finished, run};
use otp_core::{Algorithm, Digits, Secret, otp};

/// Where libpam looks for modules.
fn modules() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").unwrap().flatten().map(|entry| entry.path().join("security"));
    folders.into_iter().find(|folder| folder.join("pam_permit.so").exists())
}

/// Another module's file, where Debian's package of it is here.
pub fn installed(module: &str) -> Option<PathBuf> {
    let found = modules().map(|folder| folder.join(module)).filter(|path| path.exists());
    if found.is_none() {
        eprintln!("skipped: no {module}");
    }
    found
}

pub fn code(secret: &Secret, factor: u64) -> String {
    otp::code(secret, Algorithm::Sha1, Digits::SIX, factor).to_string()
}

pub struct Stage {
    folder: PathBuf,
    _service: Oathgated,
}

impl Stage {
    /// Inside, with a stack of each name; `None` outside, after the test ran inside.
    pub fn inside(test: &str, people: &[&str], module: &str) -> Option<Self> {
        let ours = library("libpam_oathgate.so");
        let theirs = installed(module)?;
        let folder = homes::inside(test, people)?;
        let (security, run_folder) = (folder.join("security"), folder.join("run"));
        for folder in [&security, &run_folder, &folder.join("pam.d")] {
            fs::create_dir(folder).unwrap();
        }
        fs::copy(ours, security.join("pam_oathgate.so")).unwrap();
        fs::copy(&theirs, security.join(module)).unwrap();
        let service = Oathgated::start();
        fs::create_dir(run_folder.join("oathgate")).unwrap();
        symlink(service.root_socket(), run_folder.join("oathgate/root")).unwrap();
        let stacks = folder.join("pam.d");
        let over = [(&security, theirs.parent().unwrap()), (&run_folder, Path::new("/run"))];
        for (from, to) in over.into_iter().chain([(&stacks, Path::new("/etc/pam.d"))]) {
            let mounted = run(Command::new("mount").arg("--bind").arg(from).arg(to), b"");
            assert_eq!(mounted.code(), Some(0), "{}", mounted.stderr);
        }
        Some(Self { folder, _service: service })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub fn stack(&self, line: &str) {
        fs::write(self.path("pam.d/su"), format!("auth required {line}\n")).unwrap();
    }

    /// Whether the stack, as it is now, lets the person in with `typed`.
    pub fn login(&self, person: &str, typed: &str) -> bool {
        let mut host = Command::new(env!("CARGO_BIN_EXE_pam_host"));
        host.arg(self.path("pam.d")).args(["su", person]);
        run(&mut host, format!("{typed}\n").as_bytes()).text().contains("result PAM_SUCCESS\n")
    }

    /// `oathgate` as root runs it, without a word about where the verifier is.
    pub fn oathgate(&self, words: &[&str]) -> Finished {
        let mut command = Command::new(bin("oathgate"));
        let finished = run(command.args(words).env_clear().current_dir(&self.folder), b"");
        assert_eq!(finished.code(), Some(0), "{words:?}: {}{}", finished.text(), finished.stderr);
        finished
    }

    /// Types what a section of a document has to be typed; what was said.
    pub fn follow(&self, document: &str, section: &str) -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(document);
        let text = fs::read_to_string(path).unwrap();
        let (_, section) = text.split_once(&format!("\n## {section}\n")).expect(section);
        let lines = section.split("\n## ").next().unwrap().lines();
        let typed: Vec<&str> = lines.filter_map(|line| line.strip_prefix("    sudo oathgate ")).collect();
        assert!(!typed.is_empty());
        typed.iter().map(|line| self.oathgate(&line.split(' ').collect::<Vec<_>>()).text()).collect()
    }

    /// The only credential of the person's, written for another module.
    pub fn export(&self, person: &str, to: &str) -> Finished {
        let listed = self.oathgate(&["list", person, "--json"]).text();
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        let owners = listed.get("owners").unwrap_or(&listed);
        let id = owners[0]["credentials"][0]["id"].as_str().expect("a credential").to_owned();
        self.oathgate(&["export", &id, "--account", person, "--to", to, "--yes"])
    }
}
