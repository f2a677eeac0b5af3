//! What is to be reached.

use crate::bulk::Bulk;
use crate::gate::Gate;
use crate::numbers::shown;
use crate::plan::Pair;
use crate::report::Report;
use crate::unlock::Unlock;

/// One goal, and what was found.
pub struct Goal {
    pub what: &'static str,
    pub found: String,
    pub reached: bool,
}

/// All of them.
pub fn all(report: &Report) -> Vec<Goal> {
    let transactions = [rival(report), flat(report)].into_iter().filter(|_| !report.rivals.is_empty());
    let gate = report.gate.as_ref().map(quick);
    let always = [shared(report), patient(report), small(report), converted(report), photographed(report)];
    let bulk = report.bulk.iter().flat_map(|bulk| [imported(bulk), waited(bulk)]);
    let unlocks = report.unlock.iter().flat_map(unlocked);
    transactions.chain(gate).chain(always).chain(from_homes(report)).chain(unlocks).chain(bulk).collect()
}

fn rival(report: &Report) -> Goal {
    let ours = report.ours().next().map_or(f64::NAN, |ours| ours.in_process.median());
    let theirs = report.google().map_or(f64::NAN, |google| google.in_process.median());
    let ratio = ours / theirs;
    let what = "in process at most half of google-authenticator's time";
    Goal { what, found: format!("{ratio:.2}"), reached: ratio <= 0.5 }
}

fn quick(gate: &Gate) -> Goal {
    let own = gate.own();
    let what = "ssh-otp itself under 3 ms from its start to the exec";
    Goal { what, found: shown(own), reached: own < 3000.0 }
}

fn flat(report: &Report) -> Goal {
    let medians: Vec<f64> = report.ours().map(|ours| ours.in_process.median()).collect();
    let smallest = medians.first().copied().unwrap_or(f64::NAN);
    let ratio = medians.iter().copied().fold(f64::NAN, f64::max) / smallest;
    Goal {
        what: "within 1.2 times, from the smallest to the largest store",
        found: format!("{ratio:.2}"),
        reached: ratio <= 1.2,
    }
}

fn with(report: &Report, clients: usize) -> Option<&Pair> {
    report.loads.iter().find(|pair| pair.clients == clients)
}

fn shared(report: &Report) -> Goal {
    let ratio = with(report, 32).map_or(f64::NAN, |pair| pair.shared.a_second() / pair.alone.a_second());
    let what = "32 clients: at least 3 times the verdicts of one request a commit";
    Goal { what, found: format!("{ratio:.2}"), reached: ratio >= 3.0 }
}

fn patient(report: &Report) -> Goal {
    let p99 = with(report, 128).map_or(f64::NAN, |pair| pair.shared.p99());
    let what = "128 clients: p99 under 10 ms";
    Goal { what, found: format!("{:.1} ms", p99 / 1000.0), reached: p99 < 10_000.0 }
}

fn small(report: &Report) -> Goal {
    let (rest, most) = report.resident;
    let what = "the verifier under 20 MB with the largest store";
    Goal { what, found: format!("{rest} kB at rest, {most} kB at most"), reached: rest < 20_000 }
}

fn converted(report: &Report) -> Goal {
    let median = report.conversions.median();
    let what = "oathgate convert: 100,000 URIs within 3 s";
    Goal { what, found: shown(median), reached: median <= 3e6 }
}

fn from_homes(report: &Report) -> Option<Goal> {
    let median = report.imports.median();
    let what = "oathgate import: 1,000 homes with five scratch codes each under 5 s";
    (report.imports.count() > 0).then(|| Goal { what, found: shown(median), reached: median < 5e6 })
}

fn photographed(report: &Report) -> Goal {
    let longest = report.photographs.iter().map(|one| one.times.median()).fold(f64::NAN, f64::max);
    let what = "oathgate convert: a photograph of 12 megapixels within 2 s";
    Goal { what, found: shown(longest), reached: longest <= 2e6 }
}

/// Most of what an unlock may take beside what it is to take, in microseconds.
const MORE: f64 = 50_000.0;

fn unlocked(unlock: &Unlock) -> Vec<Goal> {
    let goal = |what, more: f64| Goal { what, found: shown(more), reached: more < MORE };
    let header = goal("a disk's header gate: under 50 ms more than Argon2id alone", unlock.beside_argon2id());
    let store =
        unlock.beside_key_file().map(|more| goal("a disk's store gate: under 50 ms more than a key file", more));
    std::iter::once(header).chain(store).collect()
}

fn imported(bulk: &Bulk) -> Goal {
    let seconds = bulk.took.as_secs_f64();
    let what = "oathgate import: a users.oath of 100,000 rows within 10 s, while people log in";
    Goal { what, found: format!("{seconds:.1} s"), reached: seconds <= 10.0 }
}

fn waited(bulk: &Bulk) -> Goal {
    let most = bulk.logins.most();
    let what = "the longest of these logins at most 500 ms";
    Goal { what, found: shown(most), reached: most <= 5e5 }
}
