//! What a code costs an unlock: cryptsetup as a whole, with our plugin, beside
//! the same Argon2id alone and beside cryptsetup with a key file.

#![allow(clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use luks_unlock::sealing::measure;
use luks_unlock::{Cost, StoreToken};
use oathgate_tests::oathgated::{Device, Oathgated};
use oathgate_tests::process::run;
use otp_core::Secret;
use otp_wire::message::{DiskEnrol, DiskKey, Outcome};
use otp_wire::{Ask, SecretText};
use serde_json::{Value, json};

use crate::numbers::{Series, round, shown};
use crate::world::{Disk, KEY, PIN, hotp, ready, shown as code, token_of};

/// The least that enrolment takes, beside which most can be seen.
const COST: Cost = Cost::LEAST;

/// Times of one unlock, without mapping anything, in each way.
#[derive(Default)]
pub struct Unlock {
    /// PIN and code at the header gate.
    header: Series,
    /// Argon2id with the PIN's cost, in this process.
    argon2id: Series,
    /// A code at the store gate; only root can measure that.
    store: Series,
    /// The same keyslot by a key file.
    key_file: Series,
}

impl Unlock {
    /// Measures so many unlocks; all ways take turns.
    pub fn measure(times: usize) -> Option<Self> {
        if times == 0 || !ready() {
            return None;
        }
        let (disk, sealed) = (Disk::with(&token_of(hotp(), 0, COST)), Sealed::new());
        let key = disk.path().with_extension("key");
        fs::write(&key, KEY).expect("our folder");
        let mut unlock = Self::default();
        for turn in 0..=times {
            let mut this = Self::default();
            let counter = u64::try_from(turn).expect("a count");
            time(&mut this.header, &mut by_token(&disk.path()), &format!("{PIN}{}", code(counter)));
            this.argon2id.time(|| measure(COST)).expect("memory");
            time(&mut this.key_file, &mut by_key(&disk.path(), &key), "");
            if let Some(sealed) = &sealed {
                time(&mut this.store, &mut sealed.by_token(), &sealed.device.code(counter));
            }
            // The first turn loads what stays loaded.
            if turn > 0 {
                unlock.append(this);
            }
        }
        println!("measured unlocks of disks");
        Some(unlock)
    }

    fn append(&mut self, other: Self) {
        self.header.append(other.header);
        self.argon2id.append(other.argon2id);
        self.store.append(other.store);
        self.key_file.append(other.key_file);
    }

    /// What an unlock at the header gate takes beside Argon2id, in microseconds: of
    /// each the tenth that was quickest, since whatever else runs on the machine
    /// takes more from half a second than what is looked for.
    pub fn beside_argon2id(&self) -> f64 {
        self.header.p10() - self.argon2id.p10()
    }

    /// What an unlock at the store gate takes beside that by a key file; none
    /// where it was not measured.
    pub fn beside_key_file(&self) -> Option<f64> {
        (self.store.count() > 0).then(|| self.store.p10() - self.key_file.p10())
    }

    /// For people.
    pub fn print(&self) {
        println!("\nUnlocking a disk with cryptsetup, as a whole process");
        println!(
            "  header gate: {} (p99 {}), Argon2id with {} MiB and {} passes alone {}; {} more",
            shown(self.header.median()),
            shown(self.header.p99()),
            COST.memory / 1024,
            COST.passes,
            shown(self.argon2id.median()),
            shown(self.beside_argon2id())
        );
        let plain = shown(self.key_file.median());
        match self.beside_key_file() {
            None => println!("  by a key file {plain}; the store gate is for root to measure"),
            Some(more) => println!(
                "  store gate: {} (p99 {}), by a key file {plain}; {} more",
                shown(self.store.median()),
                shown(self.store.p99()),
                shown(more)
            ),
        }
        println!("  More is that of the quickest tenth of each.");
    }

    /// For programs.
    pub fn json(&self) -> Value {
        json!({
            "header_gate": self.header.json(), "argon2id": self.argon2id.json(),
            "argon2id_kib": COST.memory, "argon2id_passes": COST.passes,
            "store_gate": self.beside_key_file().map(|_| self.store.json()), "key_file": self.key_file.json(),
            "header_gate_more_us": round(self.beside_argon2id()), "store_gate_more_us": self.beside_key_file().map(round),
        })
    }
}

/// Only this, on the terminal.
pub fn once() -> ExitCode {
    Unlock::measure(20).iter().for_each(Unlock::print);
    ExitCode::SUCCESS
}

fn time(series: &mut Series, command: &mut Command, typed: &str) {
    let finished = series.time(|| run(command, typed.as_bytes()));
    assert_eq!(finished.code(), Some(0), "{command:?}: {}", finished.stderr);
}

fn by_token(disk: &Path) -> Command {
    let mut command = Disk::inside(&[]);
    command.arg("cryptsetup").args(Disk::open(disk.to_str().expect("a path")));
    command
}

fn by_key(disk: &Path, key: &Path) -> Command {
    let mut command = Disk::inside(&[]);
    command.args(["cryptsetup", "open", "--test-passphrase", "--key-slot=1", "--key-file"]).arg(key).arg(disk);
    command
}

/// A disk whose key a verifier keeps.
struct Sealed {
    service: Oathgated,
    disk: Disk,
    device: Device,
}

impl Sealed {
    /// None where only root may ask the verifier.
    fn new() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        let (service, disk) = (Oathgated::start(), Disk::bare());
        disk.import(&StoreToken::new(1).to_json());
        let path = disk.path();
        let volume = disk.run(&["luksUUID", path.to_str().expect("a path")], "").text().trim().to_owned();
        let key = Secret::copy(KEY).expect("a key").to_base32();
        let key = DiskKey { volume: volume.clone(), key: SecretText::new(&key).expect("a key") };
        let administrator = service.administrator();
        assert!(matches!(administrator.ask(Ask::DiskKey(key)), Outcome::Done(_)));
        let (kind, algorithm) = ("hotp".to_owned(), "SHA1".to_owned());
        let new = DiskEnrol { volume, label: None, kind, algorithm, digits: 6, period: None };
        let Outcome::Enrolled(enrolled) = administrator.ask(Ask::DiskEnrol(new)) else { panic!("no credential") };
        Some(Self { service, disk, device: Device(*enrolled) })
    }

    fn by_token(&self) -> Command {
        let (folder, path): (&Path, PathBuf) = (self.service.folder(), self.disk.path());
        let mut command = Disk::inside(&["--bind", folder.to_str().expect("a path"), "/run/oathgate"]);
        command.arg("cryptsetup").args(Disk::open(path.to_str().expect("a path")));
        command
    }
}
