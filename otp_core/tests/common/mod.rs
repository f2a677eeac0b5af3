//! A record to decide about, and short ways to try it.

#![allow(dead_code)] // each test program uses a part
#![allow(clippy::unwrap_used)]

use otp_core::Terms;
use otp_core::decide::Shown;
use otp_core::grant::Origin;
use otp_core::scratch::{HashedCode, Salt, ScratchHash, ScratchKind, ScratchSet};
use otp_core::{
    Account, Admission, Algorithm, Attempt, Credential, CredentialId, Digits, Entry, Factor, Fingerprint, Input,
    Limits, Period, Policy, Record, Secret, State, UnixTime, Verdict, admit, decide, otp,
};

pub const NOW: UnixTime = 1_700_000_010;
pub const SALT: Salt = Salt([7; 16]);
pub const OLD_SALT: Salt = Salt([8; 16]);
pub const SCRATCH: &str = "ABCD-EFGH-IJKL-2345";
pub const OLD_SCRATCH: &str = "12345678";

pub fn account(name: &str) -> Account {
    name.parse().unwrap()
}

pub fn key(number: u8) -> Fingerprint {
    let first = char::from(b'A' + number);
    format!("SHA256:{first}{}", "A".repeat(42)).parse().unwrap()
}

pub fn id(number: u8) -> CredentialId {
    CredentialId::from_random([number; 5])
}

fn secret(number: u8) -> Secret {
    Secret::copy(&[number; 20]).unwrap()
}

pub fn code_of(number: u8, factor: u64) -> String {
    otp::code(&secret(number), Algorithm::Sha1, Digits::SIX, factor).to_string()
}

/// The code that the TOTP credential `number` shows at `time`.
pub fn code_at(number: u8, time: UnixTime) -> String {
    code_of(number, Period::DEFAULT.step(time))
}

/// Well-formed, and right at no time: no credential here has seven digits.
pub const WRONG: &str = "1234567";

pub fn totp(number: u8) -> Credential {
    credential(number, Factor::Totp { period: Period::DEFAULT, last_step: None, skew: 0, window: 1 })
}

pub fn hotp(number: u8, next: u64) -> Credential {
    credential(number, Factor::Hotp { next })
}

fn credential(number: u8, factor: Factor) -> Credential {
    Credential {
        id: id(number),
        label: format!("device-{number}").parse().unwrap(),
        display: None,
        algorithm: Algorithm::Sha1,
        digits: Digits::SIX,
        secret: secret(number),
        factor,
        created: 0,
        confirmed: None,
        last_used: None,
        state: State::Active,
        barred: None,
    }
}

pub fn entry(key: Option<Fingerprint>, numbers: &[u8]) -> Entry {
    let credentials = numbers.iter().map(|number| id(*number)).collect();
    Entry { account: account("alice"), key, note: None, policy: Policy::Code, credentials, grant: None }
}

/// alice: key 1 with TOTP 1, key 2 with TOTP 2, key 3 with HOTP 3, key 4 with
/// TOTP 1 and 2, nothing where no key is used.
pub fn record() -> Record {
    let mut record = Record::new("alice".parse().unwrap());
    record.credentials = vec![totp(1), totp(2), hotp(3, 5)];
    record.entries = vec![
        entry(Some(key(1)), &[1]),
        entry(Some(key(2)), &[2]),
        entry(Some(key(3)), &[3]),
        entry(Some(key(4)), &[1, 2]),
    ];
    record
}

/// What the service does with Argon2id; any function serves here.
pub fn hash(text: &[u8], salt: &Salt) -> ScratchHash {
    let mut hash = [salt.0[0]; 32];
    for (index, byte) in text.iter().enumerate() {
        hash[index % 31 + 1] ^= byte.rotate_left(u32::try_from(index / 31).unwrap());
    }
    ScratchHash(hash)
}

pub fn with_scratch(mut record: Record) -> Record {
    let set = |kind, salt: Salt, text: &str| {
        let codes = vec![HashedCode { hash: hash(text.as_bytes(), &salt), used: None }];
        ScratchSet { kind, salt, created: 0, codes }
    };
    record.scratch = vec![
        set(ScratchKind::Base32, SALT, &SCRATCH.replace('-', "")),
        set(ScratchKind::EightDigits, OLD_SALT, OLD_SCRATCH),
    ];
    record
}

pub fn without_key(service: &str) -> Shown<'_> {
    Shown::Fact { service, keys: &[] }
}

pub fn with_keys(keys: &[Fingerprint]) -> Shown<'_> {
    Shown::Fact { service: "sshd", keys }
}

pub fn try_code(record: Record, shown: Shown<'_>, typed: &str, now: UnixTime) -> (Verdict, Record) {
    try_full(record, "alice", shown, typed, None, now)
}

pub fn try_full(
    record: Record,
    name: &str,
    shown: Shown<'_>,
    typed: &str,
    only: Option<&CredentialId>,
    now: UnixTime,
) -> (Verdict, Record) {
    let input = Input::parse(typed.as_bytes());
    let text = typed.replace('-', "");
    let hashes = [(SALT, hash(text.as_bytes(), &SALT)), (OLD_SALT, hash(text.as_bytes(), &OLD_SALT))];
    decide(
        record,
        &Attempt {
            account: &account(name),
            shown,
            input: &input,
            hashes: &hashes,
            only,
            limits: Limits::Usual,
            terms: Terms::default(),
        },
        now,
    )
}

pub fn admitted(record: &Record, shown: Shown<'_>, now: UnixTime) -> Admission {
    admit(record, &account("alice"), shown, &Origin::default(), Limits::Usual, now)
}

/// Everything in a record but its secrets.
pub fn picture(record: &Record) -> String {
    format!("{record:?}")
}
