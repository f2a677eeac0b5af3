//! Whether a header can be opened with a code, and without one.

use luks_unlock::code::clock_is_behind;
use luks_unlock::failures::{ASIDE_SECONDS, Failures};
use luks_unlock::order::{Held, View, Volume};
use luks_unlock::{Cost, Moment, StoreToken, Token, TokenError};

use crate::doctor::finding::Finding;
use crate::luks::helper::words;
use crate::luks::show::of_passphrases;

/// Judges the header of a volume.
pub fn judge(volume: &Volume, view: &View, moment: &Moment) -> Vec<Finding> {
    let (place, disk) = (volume.header.as_ref().unwrap_or(&volume.device), &words(volume));
    let mut findings = Vec::new();
    if view.tokens.is_empty() {
        let line = format!("{place} has no token of oathgate's: it asks for no code");
        findings.push(Finding::bad(line).run(format!("oathgate luks enrol {disk}")));
    }
    if of_passphrases(view).is_empty() {
        let line = format!("no keyslot of {place} opens by a passphrase alone: there is no recovery passphrase");
        findings.push(Finding::bad(line).run(format!("cryptsetup luksAddKey --token-only {disk}")));
    }
    for Held { keyslot, by } in &view.held {
        let line = format!("keyslot {keyslot} of {place} opens without a code: a token of type {by} has it");
        findings
            .push(Finding::warning(line).run(format!("cryptsetup luksKillSlot {disk} {keyslot}, unless you want it")));
    }
    for (number, json) in &view.tokens {
        let token = Named { place, disk, number: *number, moment };
        findings.extend(token.keyslots(view, json));
        match Token::parse(json) {
            Ok(header) => findings.extend(token.header(&header)),
            Err(TokenError::Store) => match StoreToken::parse(json) {
                Ok(store) => findings.extend(token.failures(&store.failures)),
                Err(error) => findings.push(token.unusable(&error)),
            },
            Err(error) => findings.push(token.unusable(&error)),
        }
    }
    findings
}

/// A token in a place.
struct Named<'a> {
    place: &'a str,
    /// The same for a command.
    disk: &'a str,
    number: i32,
    moment: &'a Moment,
}

impl Named<'_> {
    fn call(&self, verb: &str) -> String {
        format!("oathgate luks {verb} {} --token {}", self.disk, self.number)
    }

    fn unusable(&self, error: &TokenError) -> Finding {
        let finding = Finding::bad(format!("token {} of {}: {error}", self.number, self.place));
        match error {
            TokenError::Newer => finding.run("oathgate --version, and install the newer one"),
            _ => finding.run(format!("{}, then oathgate luks enrol {}", self.call("remove"), self.disk)),
        }
    }

    /// Keyslots that somebody took away.
    fn keyslots(&self, view: &View, json: &str) -> Option<Finding> {
        let named = luks_unlock::token::keyslots(json);
        let there = |slot: &i32| view.keyslots.contains(slot);
        (!named.iter().any(there)).then(|| {
            let line = format!("token {} of {} has no keyslot any more: it opens nothing", self.number, self.place);
            Finding::bad(line).run(format!("{}, then oathgate luks enrol {}", self.call("remove"), self.disk))
        })
    }

    fn header(&self, token: &Token) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self.failures(&token.failures).into_iter().collect();
        if clock_is_behind(&token.code, token.state, self.moment.now) {
            let line = format!(
                "the clock of this machine is before the last unlock of {}: PIN and two codes in a row are needed",
                self.place
            );
            findings.push(Finding::bad(line).run("timedatectl status; once it is right, one code is enough"));
        }
        let cost = token.pin.cost;
        if cost.memory < Cost::LEAST.memory || cost.passes < Cost::LEAST.passes {
            let line = format!(
                "a guess at the PIN of {} costs little: Argon2id with {} KiB and {} passes",
                self.place, cost.memory, cost.passes
            );
            findings.push(Finding::warning(line).run(self.call("rotate")));
        }
        findings
    }

    fn failures(&self, failures: &Failures) -> Option<Finding> {
        let (place, disk) = (self.place, self.disk);
        if failures.aside(self.moment) {
            let line = format!("{place} takes no code now, after {} wrong answers", failures.all);
            let minutes = ASIDE_SECONDS / 60;
            return Some(Finding::bad(line).run(format!("cryptsetup open {disk} NAME, or wait {minutes} minutes")));
        }
        (failures.all > 0).then(|| {
            let line = format!("{place}: {} wrong answers since the last unlock; were they yours?", failures.all);
            let run = format!("oathgate luks open {disk} --test, or {} if not", self.call("rotate"));
            Finding::warning(line).run(run)
        })
    }
}
