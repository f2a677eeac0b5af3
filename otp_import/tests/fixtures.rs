//! Real files of other programs, where they lie beside the project: each must
//! come out as its expected file says.

#![allow(clippy::unwrap_used)] // helpers outside of #[test] functions

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use otp_core::Digits;
use otp_core::otp::code;
use otp_import::{Entry, Kind, Source, read};
use serde_json::Value;

fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/import/fixtures");
    if folder.join("manifest.json").exists() {
        return Some(folder);
    }
    eprintln!("skipped: no fixtures at {}", folder.display());
    None
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Reads a fixture with the files beside it, and says how it differs.
fn differences(folder: &Path, row: &Value) -> Vec<String> {
    let path = folder.join(row["fixture"].as_str().unwrap());
    let expected = json(&folder.join(row["expected"].as_str().unwrap()));
    let beside = |suffix: &str| std::fs::read(format!("{}{suffix}", path.display())).ok();
    let (bytes, wal, journal) = (std::fs::read(&path).unwrap(), beside("-wal"), beside("-journal"));
    let password = row["password"].as_str().map(str::as_bytes);
    let (wal, journal) = (wal.as_deref(), journal.as_deref());
    let source = Source { name: "fixture", bytes: &bytes, wal, journal, password, zone: None };
    let parsed = match (read(&[source]), row["must_fail"].is_string()) {
        (Err(_), true) => return vec![],
        (Ok(_), true) => return vec!["was read, and must not be".to_owned()],
        (Err(error), false) => return vec![error.to_string()],
        (Ok(parsed), false) => parsed,
    };
    let mut wrong = Vec::new();
    let expected_entries = expected["entries"].as_array().unwrap();
    if parsed.entries.len() != expected_entries.len() {
        wrong.push(format!("{} entries of {}: {:?}", parsed.entries.len(), expected_entries.len(), parsed.skipped));
        return wrong;
    }
    let skipped = expected["skipped"].as_array().unwrap();
    if parsed.skipped.len() != skipped.len() {
        wrong.push(format!("skipped {:?} instead of {skipped:?}", parsed.skipped));
    }
    for (entry, expected) in parsed.entries.iter().zip(expected_entries) {
        wrong.extend(entry_differences(entry, expected));
    }
    wrong
}

fn entry_differences(entry: &Entry, expected: &Value) -> Vec<String> {
    let hex: String = entry.secret.expose().iter().map(|byte| format!("{byte:02x}")).collect();
    let stored = if let Kind::Hotp { stored, .. } = entry.kind { Some(stored) } else { None };
    let found = [
        ("issuer", Value::from(entry.issuer.as_str())),
        ("name", entry.name.as_str().into()),
        ("type", entry.kind.name().into()),
        ("secret_hex", hex.into()),
        ("algo", entry.algorithm.name().into()),
        ("digits", entry.digits.into()),
        ("period", entry.kind.period().into()),
        ("counter", stored.into()),
    ];
    let mut wrong: Vec<String> = found
        .iter()
        .filter(|(field, value)| &expected[*field] != value)
        .map(|(field, value)| format!("{}: {field} is {value} instead of {}", entry.title(), expected[*field]))
        .collect();
    let next = if let Kind::Hotp { next, .. } = entry.kind { Some(next) } else { None };
    let expected_next = expected["verifier_next_counter"].as_u64();
    if expected_next.is_some() && next != expected_next {
        wrong.push(format!("{}: next counter {next:?} instead of {expected_next:?}", entry.title()));
    }
    wrong.extend(code_differences(entry, &expected["check"]));
    wrong
}

/// The codes that the expected file gives, where a login could use the entry.
fn code_differences(entry: &Entry, check: &Value) -> Vec<String> {
    let (Some(algorithm), Ok(digits)) = (entry.algorithm.algorithm(), Digits::new(entry.digits)) else { return vec![] };
    let mut wrong = Vec::new();
    for (moment, expected) in check.as_object().into_iter().flatten() {
        let (what, number) = moment.split_once('=').unwrap();
        let number: u64 = number.parse().unwrap();
        let factor = match entry.kind {
            Kind::Totp { period } if what == "unix" => number / u64::from(period),
            Kind::Hotp { .. } if what == "counter" => number,
            _ => continue,
        };
        if expected.as_str() != Some(code(&entry.secret, algorithm, digits, factor).as_str()) {
            wrong.push(format!("{}: another code at {moment}", entry.title()));
        }
    }
    wrong
}

#[test]
fn every_fixture_comes_out_as_expected() {
    let Some(folder) = folder() else { return };
    let manifest = json(&folder.join("manifest.json"));
    let mut report = BTreeMap::<&str, (usize, Vec<String>)>::new();
    for row in manifest.as_array().unwrap() {
        let format = row["format"].as_str().unwrap();
        let (files, wrong) = report.entry(format).or_default();
        *files += 1;
        let fixture = row["fixture"].as_str().unwrap();
        wrong.extend(differences(&folder, row).into_iter().map(|line| format!("{fixture}: {line}")));
    }
    for (format, (files, wrong)) in &report {
        println!("{format:32} {files:3} files  {}", if wrong.is_empty() { "ok" } else { "WRONG" });
        wrong.iter().for_each(|line| println!("    {line}"));
    }
    assert!(report.values().all(|(_, wrong)| wrong.is_empty()));
}
