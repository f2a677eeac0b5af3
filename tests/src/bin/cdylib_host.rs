//! Loads a library a thousand times, calls its functions with arguments that
//! are all 0, and unloads it: `cdylib_host LIBRARY FUNCTION…`. Prints by how
//! many KiB the process has grown, and its state before and after where that
//! is not the same.

#![allow(clippy::expect_used)]

use std::path::Path;

use oathgate_tests::ffi::Library;
use oathgate_tests::state::{State, resident};

const TIMES: usize = 1000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (path, functions) = arguments.split_first().expect("LIBRARY FUNCTION…");
    let path = Path::new(path);
    // Before the first time: loading alone may not change anything either.
    let state = State::now();
    (0..10).for_each(|_| once(path, functions));
    let memory = resident();
    (0..TIMES).for_each(|_| once(path, functions));
    println!("grown {}", resident().saturating_sub(memory));
    let after = State::now();
    println!("state {}", if after == state { "same".to_owned() } else { format!("{state}\n{after}") });
}

fn once(path: &Path, functions: &[String]) {
    let library = Library::open(path).expect("a library that can be loaded");
    for function in functions {
        library.call_with_zeros(function).expect("a function of it");
    }
}
