//! Whether a PAM stack asks for a code on each way to its success
//! (pam.conf(5)).
//!
//! [`stack`] reads what the lines mean; [`Stack::guard`] walks all the ways
//! through them, with every module free to say yes or no, as whoever knows the
//! password or is in the group may make it.

pub mod stack;

use std::collections::HashSet;

use stack::{Action, Entry, Stack};

/// Modules that ask for a code.
pub const OATHGATE: &str = "pam_oathgate.so";
/// The module that people may have beside ours.
pub const GOOGLE: &str = "pam_google_authenticator.so";
/// Modules that ask for something else that one has to know.
const PASSWORDS: [&str; 5] = ["pam_unix.so", "pam_sss.so", "pam_ldap.so", "pam_krb5.so", "pam_winbind.so"];

/// What stands between the stack and its success.
#[derive(Debug, PartialEq, Eq)]
pub enum Guard<'a> {
    /// The module isn't in the stack.
    Absent,
    /// There is no success without the module's.
    Firm,
    /// There is, by this line.
    Loose(&'a Entry),
}

impl Stack {
    /// The lines of `module`.
    pub fn lines<'a>(&'a self, module: &'a str) -> impl Iterator<Item = &'a Entry> {
        self.entries.iter().filter(move |entry| entry.is(module))
    }

    /// Whether something asks for a password, too.
    pub fn asks_password(&self) -> bool {
        PASSWORDS.iter().any(|module| self.lines(module).next().is_some())
    }

    /// Whether success needs that of `module`.
    pub fn guard<'a>(&'a self, module: &str) -> Guard<'a> {
        let Some(first) = self.entries.iter().find(|entry| entry.is(module)) else { return Guard::Absent };
        let mut seen = HashSet::new();
        let mut open = vec![(0, false, None)];
        while let Some((index, positive, cause)) = open.pop() {
            if !seen.insert((index, positive)) {
                continue;
            }
            let Some(entry) = self.entries.get(index) else {
                if positive {
                    return Guard::Loose(cause.unwrap_or(first));
                }
                continue; // where nobody said yes, PAM says no
            };
            for (success, action) in entry.outcomes(module) {
                let next = self.next(index, action, success);
                let cause = match cause {
                    _ if entry.is(module) => Some(entry),
                    None if entry.turns(action) => Some(entry),
                    earlier => earlier,
                };
                match next {
                    Next::Dead => {}
                    Next::Success => return Guard::Loose(cause.unwrap_or(entry)),
                    Next::At(index) => open.push((index, positive || (success && action == Action::Ok), cause)),
                }
            }
        }
        Guard::Firm
    }

    fn next(&self, index: usize, action: Action, success: bool) -> Next {
        match action {
            Action::Ignore | Action::Reset => Next::At(index + 1),
            Action::Ok if success => Next::At(index + 1),
            // It ends the substack, or all.
            Action::Done if success => self.end_of(index).map_or(Next::Success, Next::At),
            Action::Jump(count) => Next::At(self.after(index, count)),
            Action::Ok | Action::Done | Action::Bad | Action::Die => Next::Dead,
        }
    }

    fn level(&self, index: usize) -> usize {
        self.entries.get(index).map_or(0, |entry| entry.level)
    }

    /// Where the substack around `index` ends.
    fn end_of(&self, index: usize) -> Option<usize> {
        let level = self.level(index);
        let inside = |index: &usize| self.level(*index) >= level && *index < self.entries.len();
        (level > 0).then(|| (index..).take_while(inside).last().map_or(index + 1, |last| last + 1))
    }

    /// Where one is `count` lines behind the next; a substack is one line, and
    /// nobody jumps out of one.
    fn after(&self, index: usize, count: usize) -> usize {
        let level = self.level(index);
        let mut next = index + 1;
        for _ in 0..count {
            if next >= self.entries.len() || self.level(next) < level {
                break;
            }
            next += 1;
            while next < self.entries.len() && self.level(next) > level {
                next += 1;
            }
        }
        next
    }
}

enum Next {
    Dead,
    Success,
    At(usize),
}

#[cfg(test)]
mod tests;
