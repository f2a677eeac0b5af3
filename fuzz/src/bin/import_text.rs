//! Every format that is text: lists of URIs, both PAM modules' files, and what
//! merely looks like one.

#![no_main]

use libfuzzer_sys::fuzz_target;
use otp_import::{Entry, Source, read, write};

fuzz_target!(|input: &[u8]| {
    let Ok(parsed) = read(&[Source::of("fuzz", input)]) else { return };
    let entries: Vec<&Entry> = parsed.entries.iter().collect();
    for written in [write::uri(&entries), write::users_oath(&entries)] {
        assert_eq!(written.texts.len() + written.left_out.len(), entries.len());
        let lines: Vec<&str> = written.texts.iter().map(|text| text.as_str()).collect();
        let again = read(&[Source::of("fuzz", lines.join("\n").as_bytes())]).expect("what was written is read");
        assert_eq!(again.entries.len(), lines.len(), "{:?}", again.skipped);
    }
    for entry in entries {
        let written = write::libpam(&[entry]);
        if let [state] = written.texts.as_slice() {
            let again = read(&[Source::of("fuzz", state.as_bytes())]).expect("a state file is read");
            assert!(again.entries.first().is_some_and(|again| again.secret == entry.secret));
        }
    }
});
