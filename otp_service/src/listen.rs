//! Two sockets, each with threads of its own, so that what happens on the one
//! does not keep the other waiting.

use std::collections::HashMap;
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Builder};
use std::time::{Duration, Instant};

use otp_wire::frame::{self, MAX_LISTING, MAX_REQUEST};
use otp_wire::message::bulk::MAX_LINE;
use otp_wire::message::{Outcome, Reply};
use otp_wire::socket::{peer_uid, read_line, write_line};
use rustix::io::retry_on_intr;
use rustix::net::{SocketFlags, accept_with};

use crate::access::{Peer, Role};
use crate::bulk::Lines;
use crate::service::Service;
use crate::{Failure, now};
use zeroize::Zeroizing;

/// A socket, and how its peers are treated.
#[derive(Debug, Clone, Copy)]
pub struct Door {
    /// Peers are root; others are turned away.
    pub root: bool,
    /// Connections at a time.
    pub connections: usize,
    /// Connections at a time for one uid.
    pub connections_a_uid: usize,
    /// How long a peer may take for its line.
    pub line: Duration,
}

/// Root's socket.
pub const ROOT: Door = Door { root: true, connections: 256, connections_a_uid: 256, line: Duration::from_secs(5) };
/// Everybody's socket.
pub const PUBLIC: Door = Door { root: false, connections: 128, connections_a_uid: 16, line: Duration::from_secs(1) };

/// How long a peer may take to read its reply.
const REPLY: Duration = Duration::from_secs(5);
/// Workers that wait for connections; the others rest. A connection goes to the
/// one that has waited longest, so with many of them each has to be woken first.
const SPARE: usize = 2;
/// How long they rest before they leave.
const REST: Duration = Duration::from_secs(10);

/// Makes a socket at `path` with these permissions, in place of one that
/// nobody listens at any more.
///
/// # Errors
/// When somebody listens there, or the socket can't be made.
pub fn bind(path: &Path, mode: u32) -> Result<UnixListener, Failure> {
    let at = |why: std::io::Error| Failure::at(path.display(), why);
    if let Ok(metadata) = fs::symlink_metadata(path) {
        if !metadata.file_type().is_socket() {
            return Err(Failure::at(path.display(), "something else is there; remove it"));
        }
        if UnixStream::connect(path).is_ok() {
            return Err(Failure::at(path.display(), "another verifier answers there"));
        }
        fs::remove_file(path).map_err(at)?;
    }
    let listener = UnixListener::bind(path).map_err(at)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(at)?;
    Ok(listener)
}

/// Answers at `listener` for ever.
///
/// # Errors
/// When there is no thread to be had.
pub fn serve(listener: UnixListener, door: Door, service: Arc<Service>) -> Result<(), Failure> {
    listener.set_nonblocking(false).map_err(|why| Failure::at("socket", why))?;
    let hall = Arc::new(Hall {
        listener,
        door,
        service,
        workers: Mutex::default(),
        needed: Condvar::new(),
        changed: Condvar::new(),
    });
    Hall::hire(&hall)?;
    loop {
        thread::park();
    }
}

/// Who is at the other end. On root's socket also the service's own uid, which
/// holds the store and the keys anyway.
fn peer(connection: &UnixStream, door: Door) -> Option<Peer> {
    let uid = peer_uid(connection).ok()?;
    let own = rustix::process::geteuid().as_raw();
    let root = uid == 0 || (door.root && uid == own);
    match (root, door.root) {
        (true, _) => Some(Peer { uid, role: Role::Root }),
        (false, false) => Some(Peer { uid, role: Role::Account }),
        (false, true) => None,
    }
}

/// Answers a peer; where a code is judged, after this has returned.
fn answer(connection: UnixStream, peer: Peer, place: Place) {
    let (door, service) = (place.hall.door, Arc::clone(&place.hall.service));
    let Ok(line) = read_line(&connection, MAX_REQUEST, Instant::now() + door.line) else { return };
    service.answer_then(peer, &line, now(), move |service, reply| {
        let mut wire = Wire { socket: &connection, line: door.line };
        // A verdict is shorter than any socket's buffer: nobody waits for who doesn't read it.
        if wire.write(&reply) && matches!(reply.outcome, Outcome::Staged(_)) {
            service.converse(peer, &reply.id, &mut wire, now());
        }
        drop(place);
    });
}

/// A connection to a peer that talks on.
pub(crate) struct Wire<'a, F: AsFd> {
    /// The connection.
    pub socket: &'a F,
    /// How long the peer may take for a line.
    pub line: Duration,
}

impl<F: AsFd> Lines for Wire<'_, F> {
    fn read(&mut self) -> Option<Zeroizing<Vec<u8>>> {
        read_line(self.socket, MAX_LINE, Instant::now() + self.line).ok()
    }

    fn write(&mut self, reply: &Reply) -> bool {
        let line = frame::encode(reply, MAX_LISTING);
        line.is_ok_and(|line| write_line(self.socket, &line, Instant::now() + REPLY).is_ok())
    }
}

/// A socket and the workers at it. Whoever is free takes the next connection
/// itself, and the last free one sees to it that there is another.
struct Hall {
    listener: UnixListener,
    door: Door,
    service: Arc<Service>,
    workers: Mutex<Workers>,
    /// A worker that rests is needed.
    needed: Condvar,
    /// There is room for a connection again.
    changed: Condvar,
}

#[derive(Default)]
struct Workers {
    /// All of them; never more than there may be connections.
    all: usize,
    /// Those that wait for a connection.
    free: usize,
    /// Those that wait until they are needed.
    resting: usize,
    /// How many of these are called and have not come yet.
    called: usize,
    /// Connections that are not answered yet.
    open: usize,
    /// The same by uid.
    taken: HashMap<u32, usize>,
}

impl Hall {
    fn lock(&self) -> MutexGuard<'_, Workers> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more worker, where there may be one.
    fn hire(hall: &Arc<Self>) -> Result<(), Failure> {
        let mut workers = hall.lock();
        if workers.all >= hall.door.connections {
            return Ok(());
        }
        let worker = Arc::clone(hall);
        let started = Builder::new().name("answer".to_owned()).spawn(move || worker.work());
        started.map_err(|why| Failure::at("thread", why))?;
        workers.all += 1;
        workers.free += 1;
        Ok(())
    }

    /// Answers one connection after the other while there is enough to do.
    fn work(self: Arc<Self>) {
        while self.stays() {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            match retry_on_intr(|| accept_with(&self.listener, flags)) {
                Ok(connection) => self.welcome(connection.into()),
                // Out of descriptors, or gone already: the next one may do better.
                Err(_) => drop(self.changed.wait_timeout(self.lock(), Duration::from_millis(20))),
            }
        }
    }

    fn welcome(self: &Arc<Self>, connection: UnixStream) {
        let Some(peer) = peer(&connection, self.door) else { return };
        let Some((place, last)) = self.take(peer.uid) else { return };
        if last {
            // No thread to be had: then the next peer waits until one of us is free.
            let _ = Self::hire(self);
        }
        // Whatever breaks in there, the peer is hung up on and refuses.
        let _ = catch_unwind(AssertUnwindSafe(|| answer(connection, peer, place)));
        self.lock().free += 1;
    }

    /// A place for `uid`, if it does not have its share already; and whether
    /// a worker has to be hired for the next connection.
    fn take(self: &Arc<Self>, uid: u32) -> Option<(Place, bool)> {
        let mut workers = self.lock();
        let own = workers.taken.entry(uid).or_default();
        if *own >= self.door.connections_a_uid {
            return None;
        }
        *own += 1;
        workers.open += 1;
        workers.free -= 1;
        let mut last = workers.free + workers.called == 0;
        if last && workers.resting > 0 {
            (workers.called, last) = (1, false);
            self.needed.notify_one();
        }
        Some((Place { hall: Arc::clone(self), uid }, last))
    }

    /// Whether this worker goes on. Where there are enough, it rests until it
    /// is needed, and leaves when that takes long.
    fn stays(&self) -> bool {
        let full = |workers: &mut Workers| workers.open >= self.door.connections;
        let room = self.changed.wait_while(self.lock(), full);
        let mut workers = room.unwrap_or_else(PoisonError::into_inner);
        if workers.free <= SPARE {
            return true;
        }
        workers.free -= 1;
        workers.resting += 1;
        let idle = |workers: &mut Workers| workers.called == 0;
        let rested = self.needed.wait_timeout_while(workers, REST, idle);
        (workers, _) = rested.unwrap_or_else(PoisonError::into_inner);
        workers.resting -= 1;
        let called = workers.called > 0;
        if called {
            workers.called -= 1;
            workers.free += 1;
        } else {
            workers.all -= 1;
        }
        called
    }
}

/// A connection that is not answered yet.
struct Place {
    hall: Arc<Hall>,
    uid: u32,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut workers = self.hall.lock();
        let full = workers.open == self.hall.door.connections;
        workers.open -= 1;
        if let Some(own) = workers.taken.get_mut(&self.uid) {
            *own -= 1;
            if *own == 0 {
                workers.taken.remove(&self.uid);
            }
        }
        drop(workers);
        if full {
            self.hall.changed.notify_all();
        }
    }
}
