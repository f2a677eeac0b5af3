//! A machine in a mount namespace, with folders laid over those of this one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use oathgate_tests::built::bin;
use oathgate_tests::process::{Finished, run};

/// A machine on which oathgate is installed, with somebody at its console.
pub struct Machine {
    folder: tempfile::TempDir,
}

impl Machine {
    /// Whoever is asked answers with these lines, one after the other.
    pub fn new(answers: &[&str]) -> Self {
        let machine = Self { folder: tempfile::tempdir().unwrap() };
        for folder in ["libexec/oathgate", "cryptsetup", "initramfs-tools", "initramfs/cryptroot"] {
            fs::create_dir_all(machine.path(folder)).unwrap();
        }
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pkg/initramfs-tools");
        for name in ["luks-keyscript", "hook"] {
            fs::copy(source.join(name), machine.path("libexec/oathgate").join(name)).unwrap();
        }
        fs::copy(bin("oathgate-luks"), machine.path("libexec/oathgate/oathgate-luks")).unwrap();
        fs::write(machine.path("answers"), answers.join("\n") + "\n").unwrap();
        let next = "printf '%s' \"$(head -n 1 \"$f\")\"; sed -i 1d \"$f\"";
        let script = format!("#!/bin/sh\nf={}\necho \"$1\" >&2\n{next}\n", machine.path("answers").display());
        machine.program("cryptsetup/askpass", &script);
        machine
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn program(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs a program there, without a console and without systemd, whom the real
    /// askpass would ask. A place to lay something over must exist, and is not
    /// to be made on the machine: so the folders around are made anew.
    pub fn run(&self, words: &[&str], environment: &[(&str, &str)]) -> Finished {
        self.run_with(&[], words, environment)
    }

    /// The same with more `bwrap` options.
    pub fn run_with(&self, more: &[&str], words: &[&str], environment: &[(&str, &str)]) -> Finished {
        let mut command = Command::new("bwrap");
        command.args(["--dev-bind", "/", "/", "--dev", "/dev", "--tmpfs", "/run", "--tmpfs", "/sys/fs"]);
        for folder in ["/etc", "/usr", "/usr/lib", "/usr/share"] {
            anew(&mut command, Path::new(folder));
        }
        for (ours, theirs) in [
            ("libexec", "/usr/libexec"),
            ("cryptsetup", "/usr/lib/cryptsetup"),
            ("initramfs-tools", "/usr/share/initramfs-tools"),
        ] {
            command.arg("--bind").arg(self.path(ours)).arg(theirs);
        }
        if self.path("crypttab").exists() {
            command.arg("--ro-bind").arg(self.path("crypttab")).arg("/etc/crypttab");
        }
        run(command.args(more).arg("--").args(words).envs(environment.iter().copied()), b"")
    }
}

/// A folder in memory with all that is in the machine's, but what a test lays there.
fn anew(command: &mut Command, folder: &Path) {
    const LAID: [&str; 6] = ["crypttab", "lib", "libexec", "share", "cryptsetup", "initramfs-tools"];
    command.arg("--tmpfs").arg(folder);
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        match fs::read_link(&path) {
            _ if LAID.iter().any(|name| entry.file_name() == *name) => {}
            Ok(target) => drop(command.arg("--symlink").arg(target).arg(&path)),
            Err(_) => drop(command.arg("--ro-bind-try").arg(&path).arg(&path)),
        }
    }
}
