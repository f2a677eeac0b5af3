//! What is measured, in which order. Whatever is compared takes turns, so that
//! a slow moment of the machine hits all of it.

#![allow(clippy::expect_used, clippy::panic)]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use oathgate_tests::built::{bin, folder};
use oathgate_tests::machine;
use oathgate_tests::sshd::id;
use otp_wire::socket::timespec;
use rustix::event::poll;

use crate::bulk::Bulk;
use crate::convert;
use crate::disk;
use crate::gate::Gate;
use crate::homes;
use crate::load::{self, Turns};
use crate::numbers::commas;
use crate::photograph;
use crate::refusals;
use crate::report::Report;
use crate::rivals::{Rival, Stage};
use crate::server::Server;
use crate::unlock::Unlock;

/// How much.
pub struct Plan {
    /// Owners in our stores.
    owners: &'static [usize],
    /// Owners in pam_oath's files.
    lines: &'static [usize],
    /// Rounds of PAM transactions.
    rounds: usize,
    /// Logins with and without the forced command.
    logins: usize,
    /// Clients at once.
    clients: &'static [usize],
    /// How long they ask, each time.
    span: Duration,
    /// How often they do.
    turns: usize,
    /// Refusals of each kind of account.
    refusals: usize,
    /// Unlocks of a disk in each way.
    unlocks: usize,
    /// How often a large file is converted, and many homes are imported.
    conversions: usize,
}

/// What `make bench` does.
pub const FULL: Plan = Plan {
    owners: &[10, 1_000, 100_000, 1_000_000],
    lines: &[10, 1_000, 100_000],
    rounds: 40,
    logins: 200,
    clients: &[1, 8, 32, 128],
    span: Duration::from_secs(1),
    turns: 9,
    refusals: 2000,
    unlocks: 20,
    conversions: 3,
};

/// A look at it in half a minute.
pub const QUICK: Plan = Plan {
    owners: &[10, 10_000],
    lines: &[10, 1_000],
    rounds: 10,
    logins: 50,
    clients: &[1, 8, 32, 128],
    span: Duration::from_secs(1),
    turns: 3,
    refusals: 300,
    unlocks: 10,
    conversions: 1,
};

/// The verifier alone, without PAM.
pub const VERIFIER: Plan =
    Plan { owners: &[10_000], lines: &[], rounds: 0, logins: 0, unlocks: 0, turns: 5, refusals: 2000, ..QUICK };

/// Transactions of one module in one round.
const IN_A_ROUND: usize = 25;
/// A module that is slower than this takes fewer turns.
const SLOW: Duration = Duration::from_millis(100);

/// So many clients, with commits shared and with each request in its own.
pub struct Pair {
    pub clients: usize,
    pub shared: Turns,
    pub alone: Turns,
    /// Fsyncs per verdict, shared.
    pub fsyncs: f64,
}

/// Does it.
pub fn run(plan: &Plan) -> ExitCode {
    let place = tempfile::Builder::new().prefix("oathgate-bench-").tempdir().expect("a temporary folder");
    let file_system = disk::file_system(place.path());
    if file_system == "tmpfs" {
        eprintln!("error: {} is in memory, where an fsync costs nothing", place.path().display());
        eprintln!("hint: TMPDIR=/var/tmp make bench");
        return ExitCode::FAILURE;
    }
    let stage = Stage { folder: place.path().to_owned(), user: id("-un") };
    // Without it libpam writes a line about that into the log every time.
    std::fs::write(stage.folder.join("other"), "auth required pam_deny.so\n").expect("our folder");
    let busy = machine::busy();
    let fsync = disk::fsync(place.path(), 500);
    let mut servers = servers(plan, &stage);
    let rivals = rivals(plan, &stage, &servers);
    let rivals = transactions(plan, &stage, rivals);
    let gate = Gate::measure(plan.logins);
    let large = servers.pop().expect("a large store");
    let (loads, large) = loads(plan, large);
    let (owners, resident, bytes) = (large.people.count(), large.resident(), large.bytes());
    let refusals = refusals::run(&large, plan.refusals);
    println!("measured refusals");
    let conversions = convert::run_times(place.path(), plan.conversions);
    let imports = homes::import(place.path(), plan.conversions);
    let photographs = photograph::measure(place.path(), plan.conversions);
    println!("measured conversions");
    let unlock = Unlock::measure(plan.unlocks);
    let bulk = Bulk::measure(&stage.user, place.path());
    let report = Report {
        owners,
        file_system,
        fsync,
        busy,
        rivals,
        gate,
        loads,
        turns: plan.turns,
        refusals,
        conversions,
        imports,
        photographs,
        unlock,
        bulk,
        resident,
        bytes,
    };
    report.print();
    report.write(folder().parent().expect("…/target/PROFILE"));
    if report.goals().iter().all(|goal| goal.reached) { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

fn servers(plan: &Plan, stage: &Stage) -> Vec<Server> {
    let server = |owners: &usize| {
        let start = Instant::now();
        let server = Server::with(&stage.user, *owners);
        let seconds = start.elapsed().as_secs_f64();
        println!("enrolled {} owners in {seconds:.1} s", commas(*owners));
        server
    };
    plan.owners.iter().map(server).collect()
}

fn rivals(plan: &Plan, stage: &Stage, servers: &[Server]) -> Vec<Rival> {
    let module = bin("oathgated").with_file_name("libpam_oathgate.so");
    let mut rivals = vec![stage.permit()];
    let ours = |server: &Server| stage.oathgate(&module, &server.oathgated.root_socket(), &server.people);
    rivals.extend(servers.iter().map(ours));
    rivals.push(stage.google());
    rivals.extend(plan.lines.iter().map(|lines| stage.oath(*lines)));
    rivals
}

fn transactions(plan: &Plan, stage: &Stage, mut rivals: Vec<Rival>) -> Vec<Rival> {
    if plan.rounds == 0 {
        return vec![];
    }
    for round in 0..=plan.rounds {
        for rival in &mut rivals {
            let start = Instant::now();
            // The first round loads what stays loaded.
            (0..IN_A_ROUND).take_while(|_| start.elapsed() < SLOW).for_each(|_| rival.authenticate(stage, round > 0));
        }
    }
    println!("measured transactions in one process");
    for _ in 0..plan.rounds {
        for rival in &mut rivals {
            let start = Instant::now();
            (0..IN_A_ROUND / 2).take_while(|_| start.elapsed() < SLOW).for_each(|_| rival.authenticate_anew(stage));
        }
    }
    println!("measured transactions in a new process each");
    rivals.iter_mut().for_each(|rival| rival.count_fsyncs(stage));
    rivals
}

fn loads(plan: &Plan, mut server: Server) -> (Vec<Pair>, Server) {
    let pair =
        |clients: &usize| Pair { clients: *clients, shared: Turns::default(), alone: Turns::default(), fsyncs: 0.0 };
    let mut pairs: Vec<_> = plan.clients.iter().map(pair).collect();
    for _ in 0..plan.turns {
        for Pair { clients, shared, alone, .. } in &mut pairs {
            shared.add(load::run(&server, *clients, plan.span));
            alone.add(server.one_a_commit(|server| load::run(server, *clients, plan.span)));
        }
    }
    println!("measured clients at once");
    for Pair { clients, fsyncs, .. } in &mut pairs {
        *fsyncs = load::fsyncs(&mut server, *clients, plan.span);
    }
    // What a service that was just started needs is not what a busy one does,
    // and workers that rest leave after ten seconds.
    load::run(&server, 128, plan.span);
    let _ = poll(&mut [], Some(&timespec(Duration::from_secs(12))));
    load::run(&server, 1, Duration::from_millis(100));
    (pairs, server)
}
