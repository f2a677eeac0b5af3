//! `status`: how the verifier is.

use otp_wire::Ask;
use otp_wire::message::{Outcome, StatusReport, StoreReport};
use otp_wire::syslog::escape;

use crate::cli::Status;
use crate::client::{Client, unexpected};
use crate::clock;
use crate::error::Failure;
use crate::output::Output;
use crate::users;

/// A secret of fewer bits is weak (RFC 4226 §4 R6).
pub const WEAK_BITS: usize = 128;
/// So far apart, two clocks of one host can only be a mistake. In seconds.
const APART: u64 = 5;

/// Shows how the verifier is.
///
/// # Errors
/// When there is none.
pub fn run(client: &Client, arguments: &Status, out: &mut Output) -> Result<(), Failure> {
    if arguments.users {
        return users::run(client, arguments.json.json, out);
    }
    let report = match client.answer(Ask::Status {})? {
        Outcome::Status(report) => report,
        other => return Err(unexpected(&other)),
    };
    if arguments.json.json {
        return out.json(&report);
    }
    for (name, value) in lines(&report) {
        out.line(format!("{name:<12} {}", escape(&value)))?;
    }
    if report.version != env!("CARGO_PKG_VERSION") {
        let line = format!("This oathgate is {}: install both from one release.", env!("CARGO_PKG_VERSION"));
        out.line(out.warning(&line))?;
    }
    if report.time.abs_diff(clock::now()) > APART {
        out.line(out.warning("The verifier's clock and this program's differ: codes will be refused."))?;
    }
    if report.store.as_ref().is_some_and(|store| store.owners == 0) {
        out.line(format!("Nothing is enrolled yet. To begin: {} enrol", client.call))?;
    }
    Ok(())
}

fn sealing_key(store: &StoreReport) -> String {
    match store.older_key {
        0 => format!("number {}; no record needs an older one", store.sealing_key),
        count => format!("number {}; {count} record(s) still need an older one", store.sealing_key),
    }
}

fn locked(doors: u64) -> String {
    match doors {
        0 => "nobody".to_owned(),
        count => format!("{count} door(s); see who: oathgate status --users"),
    }
}

fn clock_state(report: &StatusReport) -> String {
    let time = clock::second(report.time);
    match report.store.as_ref().map_or(0, |store| store.ahead) {
        0 => time,
        count => format!(
            "{time}; it was wrong once: {count} credential(s) were last used in the future; see oathgate doctor"
        ),
    }
}

fn lines(report: &StatusReport) -> Vec<(&'static str, String)> {
    let you = match report.peer.as_str() {
        "root" => "root: everything, for anybody",
        "owner" => "the owner of this store; changes need a code",
        _ => "an account: your own logins only",
    };
    let mut lines = vec![("verifier", format!("answers, version {}", report.version)), ("you are", you.to_owned())];
    if let Some(store) = &report.store {
        lines.extend([
            ("store", format!("{} ({} kB, schema {})", store.path, store.bytes.div_ceil(1024), store.schema)),
            ("enrolled", format!("{} owner(s), {} way(s) in", store.owners, store.entries)),
            ("audit", format!("{} row(s)", store.audit)),
            ("sealing key", sealing_key(store)),
            ("reserve", format!("{} kB for logins on a full disk", store.reserve / 1024)),
            ("locked", locked(store.locked)),
        ]);
    }
    lines.push(("clock", clock_state(report)));
    lines
}
