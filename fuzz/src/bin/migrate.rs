//! Stacks of /etc/pam.d in which another module is to be replaced.

#![no_main]

#[allow(dead_code)] // the program uses more of it
#[path = "../../../tools/src/migrate/stack/mod.rs"]
mod stack;

#[allow(dead_code)] // the module uses more of it
#[path = "../../../pam_module/src/options.rs"]
mod options;

use std::ffi::{CStr, CString};

use libfuzzer_sys::fuzz_target;
use options::{Nullok, Options, Require};
use stack::{Module, Stack, translate};

const MODULES: [(Module, &str); 2] =
    [(Module::GoogleAuthenticator, "pam_google_authenticator.so"), (Module::PamOath, "pam_oath.so")];

fuzz_target!(|text: &[u8]| {
    let text = String::from_utf8_lossy(text);
    for (module, file) in MODULES {
        for sshd in [false, true] {
            match translate(&text, module, sshd) {
                Ok(None) => assert!(text.lines().all(|line| !code(line).contains(file))),
                Ok(Some(stack)) => {
                    same_but_for(&text, &stack, file, sshd);
                    assert_eq!(translate(&stack.text, module, sshd), Ok(None), "once is enough");
                }
                Err(why) => assert!(why.starts_with("line "), "{why}"),
            }
        }
    }
});

fn code(line: &str) -> &str {
    line.split('#').next().unwrap_or_default()
}

/// Our module shuts the door where it finds an option that it does not know.
fn obeyed(mut text: &str) -> Options {
    let mut words = Vec::new();
    while !text.trim_start().is_empty() {
        text = text.trim_start();
        let (word, rest) = match text.strip_prefix('[') {
            Some(inside) => inside.split_once(']').expect("a bracket that is closed"),
            None => text.split_once(char::is_whitespace).unwrap_or((text, "")),
        };
        words.push(CString::new(word).expect("no NUL in a line of text"));
        text = rest;
    }
    let words: Vec<&CStr> = words.iter().map(CString::as_c_str).collect();
    Options::parse(&words).expect("what migrate writes is obeyed")
}

/// Only lines of the module change: in front of it and behind its options nothing does.
fn same_but_for(before: &str, stack: &Stack, file: &str, sshd: bool) {
    let (old, new): (Vec<&str>, Vec<&str>) =
        (before.split_inclusive('\n').collect(), stack.text.split_inclusive('\n').collect());
    assert_eq!(old.len(), new.len());
    let changed = || old.iter().zip(&new).filter(|(old, new)| old != new);
    // In a control field, say: then it can't be told here which one is ours.
    if changed().any(|(old, _)| old.contains("pam_oathgate.so")) {
        return;
    }
    let mut nullok = false;
    for (old, new) in changed() {
        assert!(code(old).contains(file) && !code(new).contains(file));
        let (front, rest) = code(new).split_once("pam_oathgate.so").expect("ours is in its place");
        assert!(old.starts_with(front));
        // As our module reads them: in a prompt, these words are no options.
        let obeyed = obeyed(rest);
        nullok |= obeyed.nullok == Nullok::On;
        assert_eq!(obeyed.require_publickey, if sshd { Require::No } else { Require::Auto });
        assert_eq!(old.split_once('#').map(|(_, rest)| rest), new.split_once('#').map(|(_, rest)| rest));
    }
    assert_eq!(stack.nullok, nullok);
}
