//! Many clients at once, each with an owner of its own, each asking again as
//! soon as it is answered: over a new connection each time, as real ones do.
//!
//! One thread is all of them and looks at whoever was answered. A thread each
//! would take as much processor time as the verifier that is measured. What they
//! ask next is put together while nobody is answered: as people do, who have
//! typed their codes when their clients connect.

#![allow(clippy::expect_used, clippy::panic)]

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use otp_wire::frame::{self, MAX_REPLY, MAX_REQUEST};
use otp_wire::message::RequestId;
use otp_wire::{DEADLINE, Login, LoginsOnly, Outcome, Reply, Request};
use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv, send, socket_with,
};
use zeroize::Zeroizing;

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
    let all = All::new(&server.oathgated.root_socket(), &server.people, clients);
    let (before, start) = (server.processor(), Instant::now());
    let verdicts = all.ask_until(start + span);
    Load { clients, took: start.elapsed(), verdicts, processor: server.processor() - before }
}

/// All clients.
struct All<'a> {
    service: SocketAddrUnix,
    people: &'a People,
    clients: Vec<Client>,
    answered: OwnedFd,
}

/// Somebody who asks.
struct Client {
    person: usize,
    login: Login,
    next: Option<Question>,
    asked: Option<Asked>,
}

/// A request to be sent.
struct Question {
    id: RequestId,
    line: Zeroizing<Vec<u8>>,
}

impl Client {
    /// Puts the next question together, where it isn't yet.
    fn prepare(&mut self, people: &People) {
        self.next.get_or_insert_with(|| {
            let ask = people.verify(self.person, self.login.clone());
            let request = Request::<LoginsOnly>::new(ask).expect("random numbers");
            let line = frame::encode(&request, MAX_REQUEST).expect("a short request");
            Question { id: request.id, line }
        });
    }
}

/// A request on its way.
struct Asked {
    id: RequestId,
    socket: OwnedFd,
    since: Instant,
}

impl<'a> All<'a> {
    fn new(socket: &Path, people: &'a People, count: usize) -> Self {
        let client = |number: usize| {
            let person = number * people.count() / count;
            Client { person, login: people.login(person), next: None, asked: None }
        };
        Self {
            service: SocketAddrUnix::new(socket).expect("a short path"),
            people,
            clients: (0..count).map(client).collect(),
            answered: epoll::create(epoll::CreateFlags::CLOEXEC).expect("a descriptor"),
        }
    }

    fn ask_until(mut self, end: Instant) -> Series {
        let mut verdicts = Series::default();
        (0..self.clients.len()).for_each(|client| self.ask(client));
        let mut waiting = self.clients.len();
        let mut events = Vec::with_capacity(waiting);
        while waiting > 0 {
            let unprepared = self.clients.iter().position(|client| client.next.is_none());
            let patience = otp_wire::socket::timespec(unprepared.map_or(DEADLINE, |_| Duration::ZERO));
            events.clear();
            epoll::wait(&self.answered, spare_capacity(&mut events), Some(&patience)).expect("events");
            if events.is_empty() {
                let client = unprepared.and_then(|client| self.clients.get_mut(client));
                client.expect("no answer within the deadline").prepare(self.people);
            }
            for event in &events {
                let client = usize::try_from(event.data.u64()).expect("an index");
                verdicts.add(self.hear(client));
                if Instant::now() < end { self.ask(client) } else { waiting -= 1 }
            }
        }
        verdicts
    }

    fn ask(&mut self, number: usize) {
        let client = self.clients.get_mut(number).expect("a client");
        client.prepare(self.people);
        let Question { id, line } = client.next.take().expect("a question");
        let since = Instant::now();
        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).expect("a descriptor");
        connect(&socket, &self.service).expect("a verifier");
        let sent = send(&socket, &line, SendFlags::NOSIGNAL).expect("a verifier");
        assert_eq!(sent, line.len());
        let data = epoll::EventData::new_u64(number as u64);
        epoll::add(&self.answered, &socket, data, epoll::EventFlags::IN).expect("memory");
        client.asked = Some(Asked { id, socket, since });
    }

    /// Reads an answer; how long it took.
    fn hear(&mut self, number: usize) -> Duration {
        let asked = self.clients.get_mut(number).and_then(|client| client.asked.take()).expect("a question");
        let mut line = [MaybeUninit::uninit(); MAX_REPLY];
        // The verifier sends an answer as a whole.
        let ((line, _), _) = recv(&asked.socket, &mut line, RecvFlags::empty()).expect("an answer");
        let reply: Reply<LoginsOnly> = frame::decode(line).expect("an answer");
        assert_eq!(reply.id, asked.id);
        assert!(matches!(reply.outcome, Outcome::Accepted { .. }), "{:?}", reply.outcome);
        asked.since.elapsed()
    }
}
