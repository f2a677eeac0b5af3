//! Records, as they lie in the store.

#![no_main]

use libfuzzer_sys::fuzz_target;
use otp_core::decide::{Attempt, Shown, admit, decide};
use otp_core::grant::Origin;
use otp_core::resync::{Resync, resync};
use otp_core::{Entry, Input, Limits, Record, Terms};
use otp_store::fuzzing;

/// 2023-11-14, as in the tests of the decision.
const NOW: u64 = 1_700_000_010;

fuzz_target!(
    init: {
        // A record of an older form is a poor seed.
        assert!(fuzzing::decode(include_bytes!("../../seeds/record/full")).is_ok());
    },
    |bytes: &[u8]| {
        let Ok(record) = fuzzing::decode(bytes) else { return };
        let written = fuzzing::encode(&record).expect("a record that was read can be written");
        let again = fuzzing::decode(&written).expect("a record that was written can be read");
        assert_eq!(picture(&again), picture(&record));
        judge(record);
    }
);

/// Everything in a record, what is redacted too.
fn picture(record: &Record) -> (String, Vec<&[u8]>, Vec<[u8; 16]>, Vec<[u8; 32]>) {
    let secrets = record.credentials.iter().map(|credential| credential.secret.expose()).collect();
    let hashes = record.scratch.iter().flat_map(|set| &set.codes).map(|code| code.hash.0).collect();
    let salts = record.scratch.iter().map(|set| set.salt.0).collect();
    (format!("{record:?}"), secrets, salts, hashes)
}

/// No record that can be read ends the verifier when it is judged.
fn judge(mut record: Record) {
    let entries: Vec<Entry> = record.entries.iter().take(8).cloned().collect();
    let (input, limits) = (Input::parse(b"123456"), Limits::Pci);
    for Entry { account, key, .. } in &entries {
        let shown = Shown::Fact { service: "sshd", keys: key.as_slice() };
        let _ = admit(&record, account, shown, &Origin::default(), limits, NOW);
        let attempt =
            Attempt { account, shown, input: &input, hashes: &[], only: None, limits, terms: Terms::default() };
        record = decide(record, &attempt, NOW).1;
        let codes = Resync { account, shown, codes: [&input, &input], only: None, limits };
        record = resync(record, &codes, NOW).1;
    }
}
