//! How far it is, where it takes longer than a second: one line on a terminal's
//! standard error, gone when it is done. Nothing where nobody watches.

use std::cell::Cell;
use std::io::Write;
use std::time::{Duration, Instant};

use rustix::stdio::stderr;
use rustix::termios::isatty;

/// What takes less is not worth a line.
const PATIENCE: Duration = Duration::from_secs(1);
/// The line is drawn so often.
pub const STEP: Duration = Duration::from_millis(100);
/// The bar's characters.
const WIDTH: usize = 30;

/// Something that may take long.
pub struct Progress {
    what: &'static str,
    begun: Instant,
    drawn: Cell<Option<Instant>>,
    /// Somebody watches.
    watched: bool,
}

impl Progress {
    /// Begins it; `what` stands behind the bar.
    pub fn begin(what: &'static str) -> Self {
        Self { what, begun: Instant::now(), drawn: Cell::new(None), watched: isatty(stderr()) }
    }

    /// So much of all is done.
    pub fn show(&self, done: usize, all: usize) {
        self.draw(|| bar(done, all, self.what));
    }

    /// It goes on, and how far it is can't be told.
    pub fn wait(&self) {
        self.draw(|| sweep(self.begun.elapsed(), self.what));
    }

    fn draw(&self, line: impl FnOnce() -> String) {
        let lately = self.drawn.get().is_some_and(|drawn| drawn.elapsed() < STEP);
        if self.watched && !lately && self.begun.elapsed() >= PATIENCE {
            let _ = write!(std::io::stderr(), "\r{}\x1b[K", line());
            self.drawn.set(Some(Instant::now()));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.drawn.get().is_some() {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

fn bar(done: usize, all: usize, what: &str) -> String {
    let full = done.min(all).saturating_mul(WIDTH).checked_div(all).unwrap_or(WIDTH);
    format!("[{}{}] {done} of {all} {what}", "#".repeat(full), "-".repeat(WIDTH - full))
}

/// A mark that goes to and fro.
fn sweep(since: Duration, what: &str) -> String {
    let steps = usize::try_from(since.as_millis() / STEP.as_millis()).unwrap_or(0) % (2 * WIDTH - 2);
    let place = steps.min(2 * WIDTH - 2 - steps);
    format!("[{}#{}] {what}, {} s", "-".repeat(place), "-".repeat(WIDTH - 1 - place), since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_never_wider_than_itself() {
        assert_eq!(bar(0, 0, "x"), format!("[{}] 0 of 0 x", "#".repeat(WIDTH)));
        assert_eq!(bar(1, 2, "x"), format!("[{}{}] 1 of 2 x", "#".repeat(15), "-".repeat(15)));
        assert_eq!(bar(9, 2, "x"), format!("[{}] 9 of 2 x", "#".repeat(WIDTH)));
        for tenth in 0..200 {
            let line = sweep(STEP * tenth, "");
            assert_eq!(line.find(']'), Some(WIDTH + 1), "{line}");
        }
        assert!(sweep(STEP * 29, "").contains("-#]") && sweep(STEP * 58, "").starts_with("[#-"));
    }
}
