//! Lines of /etc/pam.d, which doctor walks through in all ways.

#![no_main]

#[allow(dead_code)] // the program uses more of it
#[path = "../../../tools/src/doctor/pam/mod.rs"]
mod pam;

use std::io::{Error, ErrorKind, Result};
use std::path::PathBuf;

use libfuzzer_sys::fuzz_target;
use pam::stack::Stack;
use pam::{Guard, OATHGATE};

fuzz_target!(|text: &[u8]| {
    let text = String::from_utf8_lossy(text);
    let stack = |first: &str| {
        let service = format!("{first}\n{text}");
        Stack::read("sshd", &|name| find(name, &service, &text))
    };
    // What must succeed first guards, whatever follows; what is enough by itself does not.
    assert_eq!(stack("auth requisite pam_oathgate.so").guard(OATHGATE), Guard::Firm);
    let open = stack("auth sufficient pam_permit.so");
    assert_ne!(open.guard(OATHGATE), Guard::Firm);
    assert!(open.entries.len() <= 4096 + 1 && open.entries.iter().all(|entry| entry.level <= 17));
});

/// `other` is the text itself, so that it may include itself.
fn find(name: &str, service: &str, text: &str) -> Result<(PathBuf, String)> {
    match name {
        "sshd" => Ok((name.into(), service.to_owned())),
        "other" => Ok((name.into(), text.to_owned())),
        _ => Err(Error::from(ErrorKind::NotFound)),
    }
}
