//! 10 to 12 and 22: digits, bits, periods, windows and look-ahead, at their borders.

use otp_core::{Algorithm, Limits, Secret};
use otp_wire::message::{Enrol, Import, Imported, ImportedFactor, Outcome, Resync, Selection};
use otp_wire::{Ask, SecretText};

use crate::common::world::{ACCOUNT, NOW, World, key, login, verify};
use crate::device::*;

const PERIOD: u64 = 30;
const STEP: u64 = NOW / PERIOD;
/// A plain TOTP credential, as imports bring it.
const TOTP: ImportedFactor = ImportedFactor::Totp { period: 30, last_step: None, skew: 0, window: 1 };

/// A secret of so many bytes, another one for each length.
fn base32(bytes: usize) -> String {
    let bytes: Vec<u8> = (0..bytes).map(|byte| u8::try_from(byte * 7 + bytes).unwrap()).collect();
    Secret::copy(&bytes).unwrap().to_base32().to_string()
}

/// An import of one credential, for the key of that number.
fn import(number: u8, secret: &str, algorithm: Algorithm, factor: ImportedFactor) -> Import {
    let credential = Imported {
        label: Some(format!("import{number}")),
        display: None,
        secret: SecretText::new(secret).unwrap(),
        algorithm: algorithm.to_string(),
        digits: 8,
        factor,
    };
    Import {
        account: ACCOUNT.to_owned(),
        owner: None,
        key: Some(key(number).to_string()),
        note: None,
        credentials: vec![credential],
        scratch: vec![],
        allow_weak: false,
        rate: None,
    }
}

#[test]
fn r10_six_digits_at_least_and_secrets_of_160_128_or_80_bits() {
    let world = World::new(false);
    let mut number = 0;
    let mut enrol = |change: &dyn Fn(&mut Enrol)| {
        number += 1;
        let (label, key) = (Some(format!("enrolled{number}")), Some(key(number).to_string()));
        let mut enrol = Enrol { label, key, digits: 6, ..eight("hotp", ACCOUNT) };
        change(&mut enrol);
        world.at(NOW, Ask::Enrol(enrol))
    };
    for (digits, taken) in [(0, false), (5, false), (6, true), (8, true), (9, false), (255, false)] {
        assert_eq!(matches!(enrol(&|enrol| enrol.digits = digits), Outcome::Enrolled(_)), taken, "{digits} digits");
    }
    for algorithm in ["SHA1", "SHA256", "SHA512"] {
        let new = Device::of(enrol(&|enrol| enrol.algorithm = algorithm.to_owned()));
        let bits = Secret::from_base32(new.0.secret.expose()).unwrap().bits();
        assert!(bits >= 160, "a new secret for {algorithm} has {bits} bits");
    }
    for (bytes, taken) in [(10, false), (15, false), (16, true)] {
        let told = enrol(&|enrol| enrol.secret = SecretText::new(&base32(bytes)));
        assert_eq!(matches!(told, Outcome::Enrolled(_)), taken, "{bytes} bytes by hand: {told:?}");
    }
    for (number, bytes, allow_weak, taken) in
        [(21, 9, false, false), (22, 10, false, true), (23, 17, false, true), (24, 9, true, true)]
    {
        let import = Import { allow_weak, ..import(number, &base32(bytes), Algorithm::Sha1, TOTP) };
        let told = world.at(NOW, Ask::Import(import));
        assert_eq!(is_done(&told), taken, "{bytes} bytes imported: {told:?}");
        let warned = format!("{told:?}").contains(&format!("{} bits", bytes * 8));
        assert_eq!(warned, bytes < 16, "whoever imports {bytes} bytes is warned, or told why not: {told:?}");
    }
}

/// A fresh TOTP credential with this window.
fn totp(window: Option<u8>) -> (World, String) {
    let world = World::new(false);
    let secret = base32(20);
    let Some(window) = window else {
        let enrol = Enrol { key: Some(key(1).to_string()), ..eight("totp", ACCOUNT) };
        let device = Device::of(world.at(NOW, Ask::Enrol(enrol)));
        assert_eq!(device.0.period, Some(30), "the default");
        return (world, device.0.secret.expose().to_owned());
    };
    let factor = ImportedFactor::Totp { period: 30, last_step: None, skew: 0, window };
    assert!(is_done(&world.at(NOW, Ask::Import(import(1, &secret, Algorithm::Sha1, factor)))));
    (world, secret)
}

fn tried(world: &World, secret: &str, factor: u64, now: u64) -> bool {
    let typed = code_of(secret, Algorithm::Sha1, factor);
    is_accepted(&world.at(now, verify(login(ACCOUNT, &[key(1)]), &typed)))
}

#[test]
fn r11_a_period_of_120_seconds_at_most_and_a_window_of_one_step_or_none() {
    let (world, _) = totp(None);
    for (period, taken) in [(0, false), (121, false), (120, true), (u16::MAX, false)] {
        let label = Some(format!("period{period}"));
        let told = world.at(NOW, Ask::Enrol(Enrol { label, period: Some(period), ..eight("totp", ACCOUNT) }));
        assert_eq!(matches!(told, Outcome::Enrolled(_)), taken, "{period} s: {told:?}");
    }
    for (window, reach) in [(None, 1), (Some(1), 1), (Some(0), 0)] {
        for step in STEP - 3..=STEP + 3 {
            let (world, secret) = totp(window);
            // The first and the last moment of the present step.
            for now in [STEP * PERIOD, STEP * PERIOD + PERIOD - 1] {
                let spent = now > STEP * PERIOD && step.abs_diff(STEP) <= reach;
                let expected = step.abs_diff(STEP) <= reach && !spent;
                assert_eq!(tried(&world, &secret, step, now), expected, "step {step} of {STEP}, window {window:?}");
            }
        }
    }
}

#[test]
fn r12_a_counter_is_looked_ahead_ten_and_moves_forward_only_on_success() {
    let world = World::new(false);
    let factor = ImportedFactor::Hotp { next: 100 };
    let secret = base32(20);
    assert!(is_done(&world.at(NOW, Ask::Import(import(1, &secret, Algorithm::Sha1, factor)))));
    let tries = [(99, false), (111, false), (110, true), (110, false), (100, false), (109, false), (122, false)];
    for (minute, (counter, expected)) in (0..).zip(tries) {
        assert_eq!(tried(&world, &secret, counter, NOW + minute * 60), expected, "counter {counter}");
    }
    assert!(tried(&world, &secret, 111, NOW + 3600), "what was refused moved nothing");
}

#[test]
fn r12_two_consecutive_codes_resynchronise_within_twenty_steps() {
    for (offset, follows, expected) in
        [(-21, 1, false), (-20, 1, true), (20, 1, true), (21, 1, false), (5, 2, false), (5, 0, false), (5, -1, false)]
    {
        let (world, secret) = totp(None);
        let first = STEP.saturating_add_signed(offset);
        let codes = [first, first.saturating_add_signed(follows)]
            .map(|step| SecretText::typed(code_of(&secret, Algorithm::Sha1, step).as_bytes()));
        let resync = Resync { login: login(ACCOUNT, &[key(1)]), codes, credential: None };
        assert_eq!(is_accepted(&world.at(NOW, Ask::Resync(resync))), expected, "{offset} steps, then {follows}");
        assert_eq!(tried(&world, &secret, first + 2, NOW + PERIOD), expected, "{offset}: the device's next code");
    }
}

/// Codes of both RFCs, through everything between a front end and the store.
#[test]
fn r22_the_vectors_of_rfc_4226_and_rfc_6238_pass() {
    let world = World::over(false, Limits::Usual, |store| Box::new(store));
    let seed = b"1234567890".repeat(7);
    let secret = |bytes: usize| Secret::copy(&seed[..bytes]).unwrap().to_base32().to_string();
    let mut hotp = import(1, &secret(20), Algorithm::Sha1, ImportedFactor::Hotp { next: 0 });
    hotp.credentials[0].digits = 6;
    assert!(is_done(&world.at(NOW, Ask::Import(hotp))));
    // RFC 4226, appendix D.
    let vectors = "755224 287082 359152 969429 338314 254676 287922 162583 399871 520489";
    for typed in vectors.split(' ') {
        assert!(is_accepted(&world.at(NOW, verify(login(ACCOUNT, &[key(1)]), typed))), "{typed}");
    }
    // RFC 6238, appendix B; the lengths of the secrets are its own program's.
    let times = [59, 1_111_111_109, 1_111_111_111, 1_234_567_890, 2_000_000_000, 20_000_000_000];
    let vectors = [
        (Algorithm::Sha1, 20, "94287082 07081804 14050471 89005924 69279037 65353130"),
        (Algorithm::Sha256, 32, "46119246 68084774 67062674 91819424 90698825 77737706"),
        (Algorithm::Sha512, 64, "90693936 25091201 99943326 93441116 38618901 47863826"),
    ];
    for (number, (algorithm, bytes, codes)) in (2..).zip(vectors) {
        let world = World::new(false);
        assert!(is_done(&world.at(59, Ask::Import(import(number, &secret(bytes), algorithm, TOTP)))));
        for (now, typed) in times.into_iter().zip(codes.split(' ')) {
            let told = world.at(now, verify(login(ACCOUNT, &[key(number)]), typed));
            assert!(is_accepted(&told), "{algorithm} at {now}: {told:?}");
        }
        let Outcome::Listing(owners) = world.at(NOW, Ask::List(Selection::default())) else { panic!("no listing") };
        assert_eq!(owners[0].credentials[0].algorithm, algorithm.to_string());
    }
}

/// `make fuzz` runs every program in that folder.
#[test]
fn r22_every_parser_has_a_fuzz_target() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/src/bin");
    let text = |name: &str| std::fs::read_to_string(folder.join(format!("{name}.rs"))).unwrap_or_default();
    // What is read from others, and the function that reads it.
    for (target, parser) in [
        ("request", "Request"),
        ("reply", "Reply"),
        ("record", "record"),
        ("input", "Input::parse"),
        ("config", "Config::parse"),
        ("auth_info", "auth_info::keys"),
        ("pam_options", "Options::parse"),
        ("uri", "KeyUri::parse"),
        ("authorized_keys", "KeyLine::parse"),
        ("ssh_key_line", "Fingerprint::of_line"),
        ("import_text", "otp_import"),
        ("import_migration", "otp_import"),
        ("import_database", "otp_import"),
        ("picture", "qr::read"),
    ] {
        assert!(text(target).contains(parser), "fuzz/src/bin/{target}.rs runs {parser}");
    }
}
