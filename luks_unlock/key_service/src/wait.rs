//! Waits for the verifier.

use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

use luks_unlock::store_gate::reach;
use rustix::event::{Timespec, poll};

use crate::{Refused, refused};

/// How long the verifier may take to come up, and how often it is looked for.
const COMES_UP: Duration = Duration::from_secs(30);
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

/// Waits until somebody listens at `socket`, so that no code is typed in vain.
///
/// # Errors
/// When nobody comes up.
pub fn wait_for(socket: &Path) -> Result<(), Refused> {
    let until = Instant::now() + COMES_UP;
    while let Err(why) = reach(socket) {
        if !is_starting(&why) || Instant::now() > until {
            let hint = "the verifier starts after the system's volumes: put nofail into crypttab";
            return Err(refused(format!("{}: {why}; {hint}", socket.display())));
        }
        let _ = poll(&mut [], Some(&LOOK));
    }
    Ok(())
}

fn is_starting(why: &std::io::Error) -> bool {
    matches!(why.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused)
}
