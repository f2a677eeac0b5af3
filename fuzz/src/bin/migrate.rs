//! Stacks of /etc/pam.d in which another module is to be replaced.

#![no_main]

#[allow(dead_code)] // the program uses more of it
#[path = "../../../tools/src/migrate/stack.rs"]
mod stack;

use libfuzzer_sys::fuzz_target;
use stack::{Module, Stack, translate};

const MODULES: [(Module, &str); 2] =
    [(Module::GoogleAuthenticator, "pam_google_authenticator.so"), (Module::PamOath, "pam_oath.so")];

fuzz_target!(|text: &[u8]| {
    let text = String::from_utf8_lossy(text);
    for (module, file) in MODULES {
        for name in ["su", "sshd"] {
            match translate(name, &text, module) {
                Ok(None) => assert!(text.lines().all(|line| !code(line).contains(file))),
                Ok(Some(stack)) => {
                    same_but_for(&text, &stack, file, name == "sshd");
                    assert_eq!(translate(name, &stack.text, module), Ok(None), "once is enough");
                }
                Err(why) => assert!(why.starts_with("line "), "{why}"),
            }
        }
    }
});

fn code(line: &str) -> &str {
    line.split('#').next().unwrap_or_default()
}

/// Only lines of the module change: in front of it and behind its options nothing does.
fn same_but_for(before: &str, stack: &Stack, file: &str, sshd: bool) {
    let (old, new): (Vec<&str>, Vec<&str>) =
        (before.split_inclusive('\n').collect(), stack.text.split_inclusive('\n').collect());
    assert_eq!(old.len(), new.len());
    let mut nullok = false;
    for (old, new) in old.iter().zip(&new).filter(|(old, new)| old != new) {
        assert!(code(old).contains(file) && !code(new).contains(file));
        let (front, options) = code(new).split_once("pam_oathgate.so").expect("ours is in its place");
        assert!(old.starts_with(front));
        nullok |= options.split_whitespace().any(|word| word == "nullok");
        assert_eq!(options.contains("require_publickey=no"), sshd);
        assert_eq!(old.split_once('#').map(|(_, rest)| rest), new.split_once('#').map(|(_, rest)| rest));
    }
    assert_eq!(stack.nullok, nullok);
}
