//! What an owner holds in hand, and askers who ask at the same moment.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::thread;

use otp_core::{Algorithm, Digits, Secret, otp};
use otp_wire::message::{Enrol, Enrolled, Outcome, Reason};
use otp_wire::{Ask, Verifier};

use crate::common::{ask, enrol_for};

/// An authenticator. Its codes have eight digits, so that a test that meets two
/// alike by chance is rare.
pub struct Device(pub Box<Enrolled>);

impl Device {
    /// What came out of an enrolment.
    pub fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Enrolled(enrolled) => Self(enrolled),
            other => panic!("not enrolled: {other:?}"),
        }
    }

    /// One at a running service.
    pub fn enrol(verifier: &dyn Verifier, account: &str, kind: &str) -> Self {
        Self::of(ask(verifier, Ask::Enrol(eight(kind, account))).unwrap())
    }

    pub fn code(&self, factor: u64) -> String {
        code_of(self.0.secret.expose(), Algorithm::Sha1, factor)
    }

    pub fn scratch(&self, number: usize) -> &str {
        self.0.scratch[number].expose()
    }
}

/// An enrolment with codes of eight digits, labelled as its kind.
pub fn eight(kind: &str, account: &str) -> Enrol {
    let Ask::Enrol(six) = enrol_for(account, kind) else { panic!("another request") };
    Enrol { digits: 8, kind: kind.to_owned(), ..six }
}

pub fn code_of(secret: &str, algorithm: Algorithm, factor: u64) -> String {
    otp::code(&Secret::from_base32(secret).unwrap(), algorithm, Digits::new(8).unwrap(), factor).to_string()
}

pub fn is_accepted(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Accepted { .. })
}

pub fn is_done(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Done(_))
}

/// Why it was refused.
pub fn refused(outcome: &Outcome) -> Option<Reason> {
    match outcome {
        Outcome::Refused { reason, .. } => Some(*reason),
        _ => None,
    }
}

/// What `many` are told who ask at the same moment.
pub fn at_once<T: Send>(many: usize, ask: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let barrier = Barrier::new(many);
    let (ask, barrier) = (&ask, &barrier);
    thread::scope(|scope| {
        let asker = |number| {
            scope.spawn(move || {
                barrier.wait();
                ask(number)
            })
        };
        let askers: Vec<_> = (0..many).map(asker).collect();
        askers.into_iter().map(|asker| asker.join().unwrap()).collect()
    })
}

/// Every file below a folder.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let (path, kind) = entry.map(|entry| (entry.path(), entry.file_type().unwrap())).unwrap();
        match kind {
            kind if kind.is_dir() => files.extend(files_below(&path)),
            kind if kind.is_file() => files.push(path),
            _ => {}
        }
    }
    files
}

/// No file below the folder holds any of these, nor the first eight bytes of one.
pub fn assert_none_below(folder: &Path, secrets: &[Vec<u8>]) {
    let heads: HashSet<&[u8]> = secrets.iter().map(|secret| &secret[..8]).collect();
    for path in files_below(folder) {
        let bytes = fs::read(&path).unwrap();
        // The reserve is large and empty.
        let leaks = bytes.iter().any(|byte| *byte != 0) && bytes.windows(8).any(|window| heads.contains(window));
        assert!(!leaks, "a secret is in {}", path.display());
    }
}
