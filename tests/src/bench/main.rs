//! How fast is it? `make bench` measures, in one run and on one file system,
//! whole PAM transactions against other modules, and what the verifier does
//! with many clients and large stores, how alike its refusals are, and what
//! `oathgate convert`, `oathgate import --homes`, a bulk import and the unlocking of
//! disks take. Only ratios carry over to other machines.
//!
//! `bench [--quick|--verifier]`; results go to `bench.json` and `bench.svg` beside the
//! build's folders.

mod bulk;
#[path = "../../../otp_import/tests/camera/mod.rs"]
mod camera;
mod convert;
mod disk;
mod gate;
mod goals;
mod homes;
mod load;
mod numbers;
mod pam;
mod people;
mod photograph;
mod plan;
mod plot;
mod refusals;
mod report;
mod rivals;
mod server;
mod unlock;
#[allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)] // the tests' disks; not all of it is needed
#[path = "../../tests/luks/world.rs"]
mod world;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => plan::run(&plan::FULL),
        ["--quick"] => plan::run(&plan::QUICK),
        ["--verifier"] => plan::run(&plan::VERIFIER),
        ["homes"] => homes::once(),
        ["unlock"] => unlock::once(),
        ["once", rest @ ..] => pam::once(rest),
        ["serve", rest @ ..] => server::serve_one_a_commit(rest),
        _ => {
            eprintln!("usage: bench [--quick|--verifier]");
            ExitCode::from(2)
        }
    }
}
