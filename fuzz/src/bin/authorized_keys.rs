//! Lines of authorized_keys, edited and restored.

#![no_main]

#[allow(dead_code)] // the program uses more of it
#[path = "../../../tools/src/ssh/line.rs"]
mod line;

use libfuzzer_sys::fuzz_target;
use line::{Gate, KeyLine};
use otp_core::Fingerprint;

fuzz_target!(|text: &[u8]| {
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        if let Some(found) = KeyLine::parse(line) {
            same_key_elsewhere(line, found.key);
            edit(line, &found);
        }
    }
});

/// Whoever names a key by a line of the file means the one that sshd takes.
fn same_key_elsewhere(line: &[u8], key: Fingerprint) {
    // sshd reads over a return or the like behind the key; a .pub file has none.
    let odd = |byte: u8| byte.is_ascii_control() && byte != b'\t';
    if let Ok(text) = std::str::from_utf8(line)
        && !text.trim_end().bytes().any(odd)
    {
        assert_eq!(Fingerprint::of_line(text).map(|(key, _)| key), Ok(key));
    }
}

fn edit(line: &[u8], found: &KeyLine<'_>) {
    let gate = Gate { program: "/usr/bin/ssh-otp".to_owned(), user_store: false, forwardings: vec![] };
    let Ok(Some(installed)) = found.install(&gate) else { return };
    let gated = KeyLine::parse(&installed).expect("the key is still there");
    assert_eq!(gated.key, found.key);
    assert!(gated.is_gated());
    assert_eq!(gated.install(&gate), Ok(None), "once is enough");
    let removed = gated.remove().expect("it is ours").expect("it is there");
    match found.remove() {
        Ok(Some(without)) => assert_eq!(removed, without),
        // "Edited" is what it says of our program's name in another option, too.
        Ok(None) | Err(_) => assert_eq!(removed, line, "every byte is back"),
    }
}
