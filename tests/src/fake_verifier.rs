//! A verifier that says what a test wants, on a socket of its own.

#![allow(clippy::expect_used, clippy::panic)]

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use otp_wire::frame::{MAX_REPLY, MAX_REQUEST, decode, encode};
use otp_wire::message::VERSION;
use otp_wire::{Outcome, Reply, Request};

/// What the verifier does with a request.
pub enum Act {
    /// Answers.
    Say(Outcome),
    /// Sends these bytes.
    Raw(Vec<u8>),
    /// Says nothing, and keeps the connection.
    Hang,
    /// Closes the connection.
    Close,
}

/// The verifier; it stops listening when dropped.
pub struct FakeVerifier {
    path: PathBuf,
    asked: Arc<Mutex<Vec<Request>>>,
}

impl FakeVerifier {
    /// Listens at `path`.
    ///
    /// # Panics
    /// When it can't.
    pub fn start(path: &Path, act: impl Fn(&Request) -> Act + Send + Sync + 'static) -> Self {
        let listener = UnixListener::bind(path).expect("a free path");
        let asked = Arc::<Mutex<Vec<Request>>>::default();
        let (act, seen) = (Arc::new(act), Arc::clone(&asked));
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let (act, seen) = (Arc::clone(&act), Arc::clone(&seen));
                thread::spawn(move || serve(connection, act.as_ref(), &seen));
            }
        });
        Self { path: path.to_owned(), asked }
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it was asked since the last time.
    pub fn asked(&self) -> Vec<Request> {
        std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for FakeVerifier {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn serve(mut connection: UnixStream, act: &dyn Fn(&Request) -> Act, seen: &Mutex<Vec<Request>>) {
    let mut line = Vec::new();
    let limited = connection.try_clone().expect("a descriptor").take(MAX_REQUEST as u64);
    if BufReader::new(limited).read_until(b'\n', &mut line).is_err() {
        return;
    }
    let Ok(request) = decode::<Request>(&line) else { return };
    let (acted, id) = (act(&request), request.id.clone());
    seen.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    let reply = match acted {
        Act::Say(outcome) => encode(&Reply { v: VERSION, id, outcome }, MAX_REPLY).expect("a short reply").to_vec(),
        Act::Raw(bytes) => bytes,
        // Until the other side gives up.
        Act::Hang => return drop(connection.read(&mut [0])),
        Act::Close => return,
    };
    // Whoever asked may be gone already.
    let _ = connection.write_all(&reply);
}
