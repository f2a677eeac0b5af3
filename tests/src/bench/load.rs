//! Many clients at once, each with an owner of its own, each asking again as
//! soon as it is answered.

#![allow(clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use otp_wire::{DEADLINE, Outcome, Request, SocketVerifier, Verifier};

use crate::numbers::Series;
use crate::people::People;
use crate::server::Server;

/// What so many clients saw.
pub struct Load {
    pub clients: usize,
    pub took: Duration,
    pub verdicts: Series,
    /// The verifier's processor time, in microseconds.
    pub processor: f64,
}

impl Load {
    #[allow(clippy::cast_precision_loss)] // a count
    pub fn a_second(&self) -> f64 {
        self.verdicts.count() as f64 / self.took.as_secs_f64()
    }

    /// The verifier's processor time for one verdict, in microseconds.
    #[allow(clippy::cast_precision_loss)] // a count
    pub fn processor_each(&self) -> f64 {
        self.processor / self.verdicts.count() as f64
    }
}

/// Lets `clients` ask `server` for `span`. Every answer must be a yes.
pub fn run(server: &Server, clients: usize, span: Duration) -> Load {
    let socket = server.oathgated.root_socket();
    let before = server.processor();
    let begin = Barrier::new(clients + 1);
    let mut verdicts = Series::default();
    let mut took = Duration::ZERO;
    thread::scope(|scope| {
        let threads: Vec<_> = (0..clients)
            .map(|client| {
                let person = client * server.people.count() / clients;
                let (begin, socket, people) = (&begin, &socket, server.people.as_ref());
                scope.spawn(move || {
                    begin.wait();
                    ask(socket, people, person, Instant::now() + span)
                })
            })
            .collect();
        begin.wait();
        let start = Instant::now();
        for thread in threads {
            verdicts.append(thread.join().expect("no panic there"));
        }
        took = start.elapsed();
    });
    Load { clients, took, verdicts, processor: server.processor() - before }
}

fn ask(socket: &Path, people: &People, person: usize, until: Instant) -> Series {
    let own = rustix::process::getuid().as_raw();
    let verifier = SocketVerifier::new(socket, vec![own]);
    let mut series = Series::default();
    while Instant::now() < until {
        let request: Request = Request::new(people.login(person)).expect("random numbers");
        let reply = series.time(|| verifier.ask(&request, Instant::now() + DEADLINE)).expect("an answer");
        assert!(matches!(reply.outcome, Outcome::Accepted { .. }), "{:?}", reply.outcome);
    }
    series
}
