//! The results as text and as JSON.

#![allow(clippy::expect_used)]

use std::fs;
use std::path::Path;

use oathgate_tests::machine::processors;
use serde_json::{Value, json};

use crate::bulk::Bulk;
use crate::convert;
use crate::gate::Gate;
use crate::goals::{self, Goal};
use crate::homes;
use crate::numbers::{Series, commas, round, shown};
use crate::photograph::Photograph;
use crate::plan::Pair;
use crate::plot;
use crate::refusals::{self, Kind};
use crate::rivals::Rival;
use crate::unlock::Unlock;

/// Everything that was measured.
pub struct Report {
    pub file_system: String,
    pub fsync: Series,
    /// The load of the machine before anything was measured.
    pub busy: f64,
    pub rivals: Vec<Rival>,
    /// The forced command, where it was measured.
    pub gate: Option<Gate>,
    pub loads: Vec<Pair>,
    /// How often each of these was measured.
    pub turns: usize,
    /// Wrong codes, by the kind of account.
    pub refusals: Vec<Kind>,
    /// `oathgate convert` of many URIs.
    pub conversions: Series,
    /// `oathgate import` of many homes; empty where that can't be measured.
    pub imports: Series,
    /// The same of photographs.
    pub photographs: Vec<Photograph>,
    /// Unlocks of disks, where they were measured.
    pub unlock: Option<Unlock>,
    /// An import of many people, where it was measured.
    pub bulk: Option<Bulk>,
    /// Memory of the verifier with the largest store, in KiB: at rest, and at most.
    pub resident: (usize, usize),
    /// Owners in the largest store.
    pub owners: usize,
    /// Its bytes.
    pub bytes: u64,
}

impl Report {
    /// The goals, and whether they are reached.
    pub fn goals(&self) -> Vec<Goal> {
        goals::all(self)
    }

    /// Ours, from small to large.
    pub fn ours(&self) -> impl Iterator<Item = &Rival> {
        self.rivals.iter().filter(|rival| rival.name == "pam_oathgate")
    }

    /// The module that ours is measured by.
    pub fn google(&self) -> Option<&Rival> {
        self.rivals.iter().find(|rival| rival.name == "pam_google_authenticator")
    }

    /// For people.
    pub fn print(&self) {
        let (median, p99) = (shown(self.fsync.median()), shown(self.fsync.p99()));
        println!("\nOn {}; a page and an fsync take {median}, p99 {p99}.", self.file_system);
        println!("Load of the machine at the beginning: {:.1} on {} processors.", self.busy, processors());
        println!("Every accepted code is on the disk before the answer. Only ratios carry over.");
        if !self.rivals.is_empty() {
            self.print_transactions();
        }
        if let Some(gate) = &self.gate {
            gate.print();
        }
        self.print_loads();
        self.print_refusals();
        println!("\nPhotographs of 12 megapixels");
        self.photographs.iter().for_each(Photograph::print);
        self.unlock.iter().for_each(Unlock::print);
        self.bulk.iter().for_each(Bulk::print);
        let (rest, most) = self.resident;
        let store = commas(usize::try_from(self.bytes / 1_000_000).unwrap_or(0));
        let owners = commas(self.owners);
        println!(
            "\nThe verifier holds {rest} kB of memory at rest, {most} kB at most; {owners} owners are {store} MB on disk."
        );
        println!("\nGoals");
        for goal in self.goals() {
            println!("  {} {}: {}", if goal.reached { "yes" } else { "NO " }, goal.what, goal.found);
        }
    }

    fn print_transactions(&self) {
        println!("\nWhole PAM transactions (owners in the store)");
        println!(
            "{:<32}{:>10}{:>10}{:>9}   {:>10}{:>10}{:>9}{:>8}",
            "", "in process", "p99", "of GA", "a process", "p99", "of GA", "fsyncs"
        );
        let google = self.google();
        for rival in &self.rivals {
            let of = |ours: &Series, theirs: Option<&Series>| {
                theirs.map_or_else(String::new, |theirs| format!("{:.2}", ours.median() / theirs.median()))
            };
            let (here, anew) = (&rival.in_process, &rival.new_process);
            println!(
                "{:<32}{:>10}{:>10}{:>9}   {:>10}{:>10}{:>9}{:>8}",
                rival.title(),
                shown(here.median()),
                shown(here.p99()),
                of(here, google.map(|google| &google.in_process)),
                shown(anew.median()),
                shown(anew.p99()),
                of(anew, google.map(|google| &google.new_process)),
                self.fsyncs(rival),
            );
        }
    }

    /// Ours are the verifier's, not the caller's.
    fn fsyncs(&self, rival: &Rival) -> String {
        match self.loads.first() {
            Some(pair) if rival.name == "pam_oathgate" => format!("{:.2}", pair.fsyncs),
            _ => rival.fsyncs.to_string(),
        }
    }

    fn print_loads(&self) {
        println!("\nThe verifier with {} owners, asked by many at once; beside it, each request", commas(self.owners));
        println!("in a commit of its own. Each figure is the median of {} turns; stolen is what a host", self.turns);
        println!("kept of the processors' time meanwhile.");
        println!(
            "{:>8}{:>12}{:>10}{:>10}{:>10}{:>8}{:>8}   {:>12}{:>10}{:>10}{:>8}",
            "clients",
            "verdicts/s",
            "median",
            "p99",
            "processor",
            "fsyncs",
            "stolen",
            "verdicts/s",
            "median",
            "p99",
            "ratio"
        );
        for pair in &self.loads {
            let (shared, alone) = (&pair.shared, &pair.alone);
            println!(
                "{:>8}{:>12.0}{:>10}{:>10}{:>10}{:>8.2}{:>7.0}%   {:>12.0}{:>10}{:>10}{:>8.2}",
                pair.clients,
                shared.a_second(),
                shown(shared.median()),
                shown(shared.p99()),
                shown(shared.processor_each()),
                pair.fsyncs,
                shared.stolen() * 100.0,
                alone.a_second(),
                shown(alone.median()),
                shown(alone.p99()),
                shared.a_second() / alone.a_second(),
            );
        }
    }

    fn print_refusals(&self) {
        println!("\nA wrong code, by whom it is tried for, in turn");
        println!("{:<32}{:>10}{:>10}{:>10}{:>10}", "", "p10", "median", "p90", "p99");
        for kind in &self.refusals {
            let times = &kind.refusals;
            let [p10, median, p90, p99] = [times.p10(), times.median(), times.p90(), times.p99()].map(shown);
            println!("{:<32}{p10:>10}{median:>10}{p90:>10}{p99:>10}", kind.name);
        }
        println!("The longest median is {:.3} of the shortest.", refusals::spread(&self.refusals));
    }

    /// Writes `bench.json` and `bench.svg` into `folder`.
    pub fn write(&self, folder: &Path) {
        let text = serde_json::to_string_pretty(&self.json()).expect("JSON");
        fs::write(folder.join("bench.json"), text + "\n").expect("a folder of the build");
        fs::write(folder.join("bench.svg"), plot::draw(self)).expect("a folder of the build");
        println!("\nwritten: {0}/bench.json, {0}/bench.svg", folder.display());
    }

    fn json(&self) -> Value {
        let transactions = self.rivals.iter().map(|rival| {
            json!({
                "module": rival.name, "owners": rival.owners, "in_process": rival.in_process.json(),
                "new_process": rival.new_process.json(), "fsyncs": self.fsyncs(rival),
            })
        });
        let loads = self.loads.iter().map(|pair| {
            json!({
                "clients": pair.clients, "shared_commits": pair.shared.json(), "one_a_commit": pair.alone.json(),
                "fsyncs_a_verdict": pair.fsyncs,
            })
        });
        let refusals = self.refusals.iter().map(|kind| {
            let (p10, p90) = (round(kind.refusals.p10()), round(kind.refusals.p90()));
            json!({ "account": kind.name, "latency": kind.refusals.json(), "p10_us": p10, "p90_us": p90 })
        });
        let goals = self
            .goals()
            .into_iter()
            .map(|goal| json!({ "goal": goal.what, "found": goal.found, "reached": goal.reached }));
        json!({
            "file_system": self.file_system, "load_before": self.busy, "processors": processors(), "fsync": self.fsync.json(),
            "transactions": transactions.collect::<Vec<_>>(), "forced_command": self.gate.as_ref().map(Gate::json), "clients": loads.collect::<Vec<_>>(),
            "refusals": refusals.collect::<Vec<_>>(), "refusals_longest_of_shortest_median": refusals::spread(&self.refusals),
            "convert_uris": convert::ENTRIES, "convert": self.conversions.json(),
            "import_homes": homes::HOMES, "import": self.imports.json(),
            "photographs": self.photographs.iter().map(Photograph::json).collect::<Vec<_>>(),
            "unlock": self.unlock.as_ref().map(Unlock::json),
            "bulk": self.bulk.as_ref().map(Bulk::json),
            "resident_kb": self.resident.0, "resident_at_most_kb": self.resident.1, "store_bytes": self.bytes,
            "goals": goals.collect::<Vec<_>>(),
        })
    }
}
