//! Where PINs, passphrases and answers come from.

use luks_unlock::order::{MAX_TYPED, Proof, Typed};
use zeroize::Zeroizing;

use super::arguments::Change;
use super::helper::text;
use crate::error::Failure;
use crate::terminal;

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The person at the terminal.
    Terminal,
    /// Standard input, a line for each question.
    Stdin,
}

impl Source {
    /// Standard input where that is wanted.
    pub fn of(stdin: bool) -> Self {
        if stdin { Self::Stdin } else { Self::Terminal }
    }

    /// Asks for something secret.
    ///
    /// # Errors
    /// When nobody answers, or with more than fits.
    pub fn ask(self, prompt: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let answer = match self {
            Self::Terminal => terminal::secret(prompt),
            Self::Stdin => line(),
        };
        answer.ok_or_else(|| {
            Failure::no("no answer, or one of more than 128 bytes")
                .hint("without a terminal, give a line for each question with --stdin")
        })
    }

    /// Asks twice for something new, where a person may mistype it.
    ///
    /// # Errors
    /// When the answers differ.
    pub fn ask_new(self, prompt: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let answer = self.ask(prompt)?;
        if self == Self::Terminal && *self.ask("Once more: ")? != *answer {
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

/// For an order.
///
/// # Errors
/// When it is too long.
pub fn typed(bytes: &[u8]) -> Result<Typed, Failure> {
    Typed::of(bytes).ok_or_else(|| Failure::no(format!("more than {MAX_TYPED} bytes")))
}

/// A line of standard input, read without a buffer that would keep it.
fn line() -> Option<Zeroizing<Vec<u8>>> {
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
