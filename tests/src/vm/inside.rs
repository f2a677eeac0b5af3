//! In the guest: runs one boot of a scenario and says how it went.

#![allow(clippy::expect_used)]

use std::fs;
use std::panic::catch_unwind;
use std::process::ExitCode;

use crate::scenario::{Next, named};
use crate::system::must;

/// What the host waits for, or for one of the others.
pub const PASSED: &str = "verdict: passed";
/// The same, of a scenario that failed.
pub const FAILED: &str = "verdict: failed";
/// The same, of one that needs somebody at its console; behind it an
/// [`Attended`](crate::console::Attended) in one line of JSON.
pub const ATTENDED: &str = "next start: ";

/// Runs the scenario called `name`.
pub fn run(name: &str) -> ExitCode {
    let Some(scenario) = named(name) else {
        println!("there is no scenario {name:?}\n{FAILED}");
        return ExitCode::from(2);
    };
    let boot = this_boot();
    println!("{name}, boot {boot}");
    match catch_unwind(|| (scenario.run)(boot)) {
        Ok(Next::Done) => println!("{PASSED}"),
        Ok(Next::Attended(attended)) => {
            println!("{ATTENDED}{}", serde_json::to_string(&attended).expect("text"));
            must(&["systemctl", "--no-block", "poweroff"]);
        }
        Ok(Next::Reboot) => drop(must(&["systemctl", "--no-block", "reboot"])),
        Err(_) => {
            println!("{}\n{FAILED}", journal());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// The number of this boot, kept on the root volume.
fn this_boot() -> u32 {
    let path = "/var/lib/vm.boots";
    let before = fs::read_to_string(path).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    fs::write(path, (before + 1).to_string()).expect("room on the root volume");
    before + 1
}

fn journal() -> String {
    must(&["journalctl", "--boot", "--no-pager", "--lines=60", "--output=short-monotonic"])
}
