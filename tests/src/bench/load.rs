//! Many clients at once, each with an owner of its own, each asking again as
//! soon as it is answered: over a new connection each time, as real ones do.
//!
//! One thread is all of them and looks at whoever was answered. A thread each
//! would take as much processor time as the verifier that is measured. For the
//! same reason what they will ask is put together before, and what they were
//! answered is looked at afterwards.

#![allow(clippy::expect_used, clippy::panic)]

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use oathgate_tests::machine;
use otp_wire::frame::{self, MAX_REPLY, MAX_REQUEST};
use otp_wire::message::RequestId;
use otp_wire::socket::timespec;
use otp_wire::{DEADLINE, LoginsOnly, Outcome, Reply, Request};
use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv, send, socket_with,
};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::numbers::{Series, round};
use crate::people::People;
use crate::server::Server;

/// How long they ask before it counts: a service that was just started has its
/// threads to start and its pages to read first.
const WARM_UP: Duration = Duration::from_millis(300);

/// What so many clients saw in one turn.
pub struct Load {
    pub took: Duration,
    pub verdicts: Series,
    /// The verifier's processor time, in microseconds.
    pub processor: f64,
    /// Processor time that a host kept from us, in microseconds.
    pub stolen: f64,
}

/// So many clients, in several turns; each figure is the median of these.
#[derive(Default)]
pub struct Turns(Vec<Load>);

impl Turns {
    pub fn add(&mut self, load: Load) {
        self.0.push(load);
    }

    fn each<'a>(&'a self, figure: impl Fn(&'a Load) -> f64) -> Series {
        self.0.iter().map(figure).collect()
    }

    #[allow(clippy::cast_precision_loss)] // a count
    pub fn a_second(&self) -> f64 {
        self.each(|load| load.verdicts.count() as f64 / load.took.as_secs_f64()).median()
    }

    /// How long half of the clients waited at most, in microseconds.
    pub fn median(&self) -> f64 {
        self.each(|load| load.verdicts.median()).median()
    }

    /// How long 99 of a hundred waited at most, in microseconds.
    pub fn p99(&self) -> f64 {
        self.each(|load| load.verdicts.p99()).median()
    }

    /// The verifier's processor time for one verdict, in microseconds.
    #[allow(clippy::cast_precision_loss)] // a count
    pub fn processor_each(&self) -> f64 {
        self.each(|load| load.processor / load.verdicts.count() as f64).median()
    }

    /// How much of the processors' time a host kept from us, of 1.
    #[allow(clippy::cast_precision_loss)] // a count
    pub fn stolen(&self) -> f64 {
        self.each(|load| load.stolen / 1e6 / load.took.as_secs_f64() / machine::processors() as f64).median()
    }

    pub fn json(&self) -> Value {
        let p99s = self.0.iter().map(|load| round(load.verdicts.p99()));
        json!({
            "verdicts_a_second": round(self.a_second()), "median_us": round(self.median()), "p99_us": round(self.p99()),
            "p99_us_of_turns": p99s.collect::<Vec<_>>(), "processor_us": round(self.processor_each()),
            "stolen": (self.stolen() * 1e3).round() / 1e3,
        })
    }
}

/// Lets `clients` ask `server` for `span`. Every answer must be a yes.
pub fn run(server: &Server, clients: usize, span: Duration) -> Load {
    let mut all = All::of(server, clients, WARM_UP + span);
    all.ask_until(Instant::now() + WARM_UP);
    let (processor, stolen, start) = (server.processor(), machine::stolen(), Instant::now());
    let verdicts = all.ask_until(start + span);
    let (took, processor, stolen) = (start.elapsed(), server.processor() - processor, machine::stolen() - stolen);
    all.end();
    Load { took, verdicts, processor, stolen }
}

/// Fsyncs of `server` for each verdict, while `clients` ask it for `span`.
#[allow(clippy::cast_precision_loss)] // counts
pub fn fsyncs(server: &mut Server, clients: usize, span: Duration) -> f64 {
    let (verdicts, fsyncs) = server.counting_fsyncs(|server| {
        let mut all = All::of(server, clients, span);
        let verdicts = all.ask_until(Instant::now() + span).count();
        all.end();
        verdicts
    });
    fsyncs as f64 / verdicts as f64
}

/// All clients.
struct All<'a> {
    service: SocketAddrUnix,
    people: &'a People,
    clients: Vec<Client>,
    answered: OwnedFd,
    /// What they were answered.
    answers: Vec<Answer>,
}

/// Somebody who asks.
struct Client {
    person: usize,
    /// What is asked next.
    questions: Vec<Question>,
    asked: Option<Asked>,
}

/// A request to be sent.
struct Question {
    id: RequestId,
    line: Zeroizing<Vec<u8>>,
}

impl Question {
    fn of(people: &People, person: usize) -> Self {
        let request = Request::<LoginsOnly>::new(people.verify(person, people.login(person))).expect("random numbers");
        let line = frame::encode(&request, MAX_REQUEST).expect("a short request");
        Self { id: request.id, line }
    }
}

/// A request on its way.
struct Asked {
    id: RequestId,
    socket: OwnedFd,
    since: Instant,
}

/// What came back.
struct Answer {
    id: RequestId,
    line: Vec<u8>,
}

impl Answer {
    fn check(&self) {
        let reply: Reply<LoginsOnly> = frame::decode(&self.line).expect("an answer");
        assert_eq!(reply.id, self.id);
        assert!(matches!(reply.outcome, Outcome::Accepted { .. }), "{:?}", reply.outcome);
    }
}

impl<'a> All<'a> {
    /// So many, with enough to ask for `span`, unless the verifier is very fast.
    fn of(server: &'a Server, count: usize, span: Duration) -> Self {
        let people = &server.people;
        let each = usize::try_from(span.as_millis()).expect("seconds") * 30 / count.max(3);
        let client = |number: usize| {
            let person = number * people.count() / count;
            let mut questions: Vec<_> = (0..each).map(|_| Question::of(people, person)).collect();
            questions.reverse(); // the last one is the first to be asked
            Client { person, questions, asked: None }
        };
        Self {
            service: SocketAddrUnix::new(server.oathgated.root_socket()).expect("a short path"),
            people,
            clients: (0..count).map(client).collect(),
            answered: epoll::create(epoll::CreateFlags::CLOEXEC).expect("a descriptor"),
            answers: Vec::with_capacity(count * each),
        }
    }

    fn ask_until(&mut self, end: Instant) -> Series {
        let mut verdicts = Series::default();
        (0..self.clients.len()).for_each(|client| self.ask(client));
        let mut waiting = self.clients.len();
        let mut events = Vec::with_capacity(waiting);
        let patience = timespec(DEADLINE);
        while waiting > 0 {
            events.clear();
            epoll::wait(&self.answered, spare_capacity(&mut events), Some(&patience)).expect("events");
            assert!(!events.is_empty(), "no answer within the deadline");
            // First whoever was answered: what it takes others to ask is none of their wait.
            let answered = events.iter().map(|event| usize::try_from(event.data.u64()).expect("an index"));
            answered.clone().for_each(|client| verdicts.add(self.hear(client)));
            match Instant::now() < end {
                true => answered.for_each(|client| self.ask(client)),
                false => waiting -= events.len(),
            }
        }
        verdicts
    }

    fn ask(&mut self, number: usize) {
        let client = self.clients.get_mut(number).expect("a client");
        let question = client.questions.pop().unwrap_or_else(|| Question::of(self.people, client.person));
        let since = Instant::now();
        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).expect("a descriptor");
        connect(&socket, &self.service).expect("a verifier");
        let sent = send(&socket, &question.line, SendFlags::NOSIGNAL).expect("a verifier");
        assert_eq!(sent, question.line.len());
        let data = epoll::EventData::new_u64(number as u64);
        epoll::add(&self.answered, &socket, data, epoll::EventFlags::IN).expect("memory");
        client.asked = Some(Asked { id: question.id, socket, since });
    }

    /// Reads an answer; how long it took.
    fn hear(&mut self, number: usize) -> Duration {
        let asked = self.clients.get_mut(number).and_then(|client| client.asked.take()).expect("a question");
        let mut line = [MaybeUninit::uninit(); MAX_REPLY];
        // The verifier sends an answer as a whole.
        let ((line, _), _) = recv(&asked.socket, &mut line, RecvFlags::empty()).expect("an answer");
        let took = asked.since.elapsed();
        self.answers.push(Answer { id: asked.id, line: line.to_vec() });
        took
    }

    /// Looks at the answers, and takes back the codes that weren't needed.
    fn end(self) {
        self.answers.iter().for_each(Answer::check);
        self.clients.iter().for_each(|client| self.people.give_back(client.person, client.questions.len()));
    }
}
