//! Where PINs, passphrases and answers come from.

use luks_unlock::ask::Asker;
use luks_unlock::order::{MAX_TYPED, Proof, Typed, View};
use zeroize::Zeroizing;

use super::arguments::Change;
use super::helper::text;
use crate::clock;
use crate::error::Failure;
use crate::terminal::{self, NoSecret};

/// What programs do.
const STDIN: &str = "without a terminal, give a line for each question with --stdin";

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source<'a> {
    /// The person at the terminal; without one, whoever else is there, who is
    /// told which disk it is about.
    Person { disk: &'a str },
    /// Standard input, a line for each question.
    Stdin,
}

impl<'a> Source<'a> {
    /// Standard input where that is wanted.
    pub fn of(stdin: bool, disk: &'a str) -> Self {
        if stdin { Self::Stdin } else { Self::Person { disk } }
    }

    /// Asks for something secret.
    ///
    /// # Errors
    /// When nobody answers, or with more than fits.
    pub fn ask(self, prompt: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
        self.ask_after("", prompt)
    }

    /// The same, where standard error says already what is in `line`, which
    /// only a terminal shows.
    ///
    /// # Errors
    /// See [`Self::ask`].
    pub fn ask_after(self, line: &str, prompt: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let none = || Failure::no(format!("no answer, or one of more than {MAX_TYPED} bytes")).hint(STDIN);
        match self {
            Self::Stdin => of_stdin().ok_or_else(none),
            Self::Person { disk } => match terminal::secret(prompt) {
                Err(NoSecret::NoTerminal) => elsewhere(disk, format!("{line} {disk}: {prompt}").trim_start()),
                answer => answer.map_err(|_| none()),
            },
        }
    }

    /// Asks twice for something new, where a person may mistype it.
    ///
    /// # Errors
    /// When the answers differ.
    pub fn ask_new(self, prompt: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let answer = self.ask(prompt)?;
        if self != Self::Stdin && *self.ask("Once more: ")? != *answer {
            return Err(Failure::no("that was something else").hint("nothing was changed; try again"));
        }
        Ok(answer)
    }

    /// What opens the disk already.
    ///
    /// # Errors
    /// When there is none.
    pub fn proof(self, change: &Change) -> Result<Proof, Failure> {
        match &change.key_file {
            Some(path) => Ok(Proof::File(text(path)?)),
            None => typed(&self.ask("A passphrase that opens the disk: ")?).map(Proof::Typed),
        }
    }
}

/// Asks where there is no terminal.
fn elsewhere(disk: &str, question: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let nobody = || {
        Failure::no("nobody can be asked: no terminal, and neither systemd, plymouth nor cryptsetup's askpass")
            .hint(STDIN)
    };
    let asker = Asker::find().ok_or_else(nobody)?;
    asker.ask(disk, question).map_err(|why| Failure::no(why).hint(STDIN))
}

/// For an order.
///
/// # Errors
/// When it is too long.
pub fn typed(bytes: &[u8]) -> Result<Typed, Failure> {
    Typed::of(bytes).ok_or_else(|| Failure::no(format!("more than {MAX_TYPED} bytes")))
}

/// The new file for a copy of the header.
///
/// # Errors
/// When its path is no text.
pub fn backup(change: &Change, view: &View) -> Result<String, Failure> {
    match &change.backup {
        Some(path) => text(path),
        None => Ok(format!("/var/backups/oathgate-luks-{}-{}.header", view.uuid, clock::stamp(clock::now()))),
    }
}

/// A line of standard input, read without a buffer that would keep it.
fn of_stdin() -> Option<Zeroizing<Vec<u8>>> {
    let mut line = Zeroizing::new(Vec::with_capacity(MAX_TYPED));
    let mut byte = Zeroizing::new([0_u8; 1]);
    while matches!(rustix::io::read(rustix::stdio::stdin(), &mut byte[..]), Ok(1)) {
        match byte[0] {
            b'\n' => return Some(line),
            _ if line.len() == MAX_TYPED => return None,
            byte => line.push(byte),
        }
    }
    (!line.is_empty()).then_some(line)
}
