//! Many people at once: the verifier stages them line by line, and lets all of
//! them in, or nobody.

use otp_wire::Ask;
use otp_wire::message::bulk::{Bulk, MAX_LINE, MAX_PEOPLE, More, NotTaken};
use otp_wire::message::{Import, Outcome};

use crate::client::{Client, unexpected};
use crate::error::Failure;
use crate::progress::Progress;

/// What came of a bulk.
pub struct Done {
    /// Those who don't come in.
    pub not_taken: Vec<NotTaken>,
    /// What the verifier says, where the others were let in.
    pub admitted: Option<String>,
}

/// Brings `people` in. `agrees` is asked whether it is to be done without
/// those who can't come in; where there is nobody left, nothing is done.
///
/// # Errors
/// When the verifier refuses all of it or can't be asked: nobody came in.
pub fn bring(client: &Client, people: Vec<Import>, agrees: impl FnOnce(&[NotTaken]) -> bool) -> Result<Done, Failure> {
    let (all, progress) = (people.len(), Progress::begin("people staged"));
    let mut done = Done { not_taken: vec![], admitted: None };
    let (mut people, mut staged, mut agrees) = (people.into_iter().peekable(), 0, Some(agrees));
    let outcome = client.converse(Ask::Bulk(Bulk {}), &mut |outcome| {
        let Outcome::Staged(not_taken) = outcome else { return None };
        done.not_taken.extend_from_slice(not_taken);
        progress.show(staged, all);
        let line = line(&mut people);
        if !line.is_empty() {
            staged += line.len();
            return Some(More::People(line));
        }
        let worth = done.not_taken.len() < all && agrees.take().is_some_and(|agrees| agrees(&done.not_taken));
        worth.then_some(More::Admit {})
    })?;
    match outcome {
        Outcome::Done(line) => done.admitted = Some(line),
        Outcome::Staged(_) => {} // hung up on
        other => return Err(unexpected(&other)),
    }
    Ok(done)
}

/// As many people as go into one line.
fn line(people: &mut std::iter::Peekable<impl Iterator<Item = Import>>) -> Vec<Import> {
    let (mut line, mut bytes) = (Vec::new(), 0);
    while let Some(one) = people.next_if(|next| line.is_empty() || bytes + size(next) < MAX_LINE) {
        bytes += size(&one);
        line.push(one);
        if line.len() == MAX_PEOPLE {
            break;
        }
    }
    line
}

/// At least the bytes of somebody in a line; an escaped character takes six.
fn size(import: &Import) -> usize {
    let text = |text: Option<&String>| text.map_or(0, |text| 6 * text.len());
    let credentials = import.credentials.iter().map(|one| {
        300 + text(one.label.as_ref()) + text(one.display.as_ref()) + one.secret.expose().len() + one.algorithm.len()
    });
    200 + 6 * import.account.len()
        + text(import.owner.as_ref())
        + text(import.key.as_ref())
        + text(import.note.as_ref())
        + credentials.sum::<usize>()
}
