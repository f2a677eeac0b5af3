//! Two sockets, each with threads of its own, so that what happens on the one
//! does not keep the other waiting.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

use otp_wire::frame::{self, MAX_LISTING, MAX_REQUEST};
use otp_wire::socket::{read_line, write_line};
use rustix::net::sockopt::socket_peercred;

use crate::access::{Peer, Role};
use crate::service::Service;
use crate::{Failure, now};

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
pub fn serve(listener: &UnixListener, door: Door, service: &Arc<Service>) {
    let places = Arc::new(Places::default());
    for connection in listener.incoming() {
        // Out of descriptors, or gone already: the next one may do better.
        let Ok(connection) = connection else {
            places.wait_for_change(Duration::from_millis(20));
            continue;
        };
        let Some(peer) = peer(&connection, door) else { continue };
        let Some(place) = Places::take(&places, peer.uid, door) else { continue };
        let service = Arc::clone(service);
        let answering = Builder::new().name("answer".to_owned()).spawn(move || {
            answer(&connection, peer, door, &service);
            drop(place);
        });
        // No thread to be had: the connection is closed, and the peer refuses.
        drop(answering);
    }
}

/// Who is at the other end. On root's socket also the service's own uid, which
/// holds the store and the keys anyway.
fn peer(connection: &UnixStream, door: Door) -> Option<Peer> {
    let uid = socket_peercred(connection).ok()?.uid;
    let own = rustix::process::geteuid();
    let root = uid.is_root() || (door.root && uid == own);
    match (root, door.root) {
        (true, _) => Some(Peer { uid: uid.as_raw(), role: Role::Root }),
        (false, false) => Some(Peer { uid: uid.as_raw(), role: Role::Account }),
        (false, true) => None,
    }
}

fn answer(connection: &UnixStream, peer: Peer, door: Door, service: &Service) {
    if connection.set_nonblocking(true).is_err() {
        return;
    }
    let Ok(line) = read_line(connection, MAX_REQUEST, Instant::now() + door.line) else { return };
    let Some(reply) = service.answer(peer, &line, now()) else { return };
    if let Ok(line) = frame::encode(&reply, MAX_LISTING) {
        let _ = write_line(connection, &line, Instant::now() + REPLY);
    }
}

/// Connections that are being answered, by uid.
#[derive(Default)]
struct Places {
    taken: Mutex<HashMap<u32, usize>>,
    changed: Condvar,
}

impl Places {
    /// A place for `uid`. Where all are taken, waits for one; where this uid
    /// has its share already, there is none.
    fn take(places: &Arc<Self>, uid: u32, door: Door) -> Option<Place> {
        let mut taken = places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        while taken.values().sum::<usize>() >= door.connections {
            taken = places.changed.wait(taken).unwrap_or_else(PoisonError::into_inner);
        }
        let own = taken.entry(uid).or_default();
        if *own >= door.connections_a_uid {
            return None;
        }
        *own += 1;
        Some(Place { places: Arc::clone(places), uid })
    }

    fn wait_for_change(&self, limit: Duration) {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.changed.wait_timeout(taken, limit));
    }
}

struct Place {
    places: Arc<Places>,
    uid: u32,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&self.uid) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.uid);
            }
        }
        self.places.changed.notify_one();
    }
}
