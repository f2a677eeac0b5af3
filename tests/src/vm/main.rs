//! The guest of `make test-vm`: scenarios that need a real systemd, kernel or
//! reboot, each in a fresh virtual machine. `tests/vm/README.md` says more.
//!
//! `vm FOLDER [SCENARIO...|--shell]` boots; `vm inside [SCENARIO]` is what runs
//! in there.

mod asked;
mod console;
mod disks;
mod full_disk;
mod initramfs;
mod inside;
mod machine;
mod scenario;
mod store;
mod system;
mod trial;
mod units;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["inside"] => inside::run(&scenario::on_command_line()),
        ["inside", name] => inside::run(name),
        [folder, "--shell"] => machine::shell(Path::new(folder)),
        [folder] if !folder.starts_with('-') => machine::run_all(Path::new(folder), &scenario::names()),
        [folder, names @ ..] if names.iter().all(|name| scenario::named(name).is_some()) => {
            machine::run_all(Path::new(folder), names)
        }
        _ => {
            eprintln!("usage: vm FOLDER [SCENARIO...|--shell]; scenarios: {}", scenario::names().join(", "));
            ExitCode::from(2)
        }
    }
}
