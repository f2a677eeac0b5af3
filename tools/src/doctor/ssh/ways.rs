//! The ways in that sshd offers (sshd_config(5), AuthenticationMethods), and
//! which of them ask for a code.

use crate::doctor::finding::Finding;
use crate::doctor::pam::stack::Stack;
use crate::doctor::pam::{GOOGLE, Guard, OATHGATE};
use crate::sshd::Effective;
use crate::sshd::config::Written;

/// Each method, its setting as one writes it, and what must have been said for
/// it to be on: sshd may be built without the last ones.
const METHODS: [(&str, &str, bool); 6] = [
    ("publickey", "PubkeyAuthentication", false),
    ("password", "PasswordAuthentication", false),
    ("keyboard-interactive", "KbdInteractiveAuthentication", false),
    ("hostbased", "HostbasedAuthentication", true),
    ("gssapi-with-mic", "GSSAPIAuthentication", true),
    ("gssapi-keyex", "GSSAPIKeyExchange", true),
];

/// One way in: every method must succeed.
#[derive(Debug, PartialEq, Eq)]
pub struct Way(Vec<String>);

impl Way {
    fn has(&self, method: &str) -> bool {
        self.0.iter().any(|own| own == method)
    }

    fn named(&self) -> String {
        self.0.join(" and ")
    }

    /// Whether PAM's `auth` lines are gone through.
    fn asks_pam(&self, settings: &Effective) -> bool {
        !settings.is_off("usepam") && (self.has("password") || self.has("keyboard-interactive"))
    }
}

/// What is known of one login.
pub struct Login<'a> {
    /// The account's name.
    pub account: &'a str,
    /// Whether it is root's.
    pub root: bool,
    /// What sshd goes by.
    pub settings: &'a Effective,
    /// Where that is written.
    pub written: &'a Written,
    /// sshd's PAM service.
    pub stack: &'a Stack,
    /// That service's name.
    pub service: &'a str,
    /// Whether a line of authorized_keys asks for a code.
    pub gated: bool,
    /// Whether one lets in without.
    pub open: bool,
}

/// What the ways come to.
pub struct Judged {
    /// What is wrong with them.
    pub findings: Vec<Finding>,
    /// Whether some way leads by a key alone, so that its line must ask.
    pub lines_decide: bool,
}

/// The ways that lead in.
fn ways(settings: &Effective, root: bool) -> Vec<Way> {
    let lists: Vec<&str> = settings.words("authenticationmethods").collect();
    let all: Vec<Way> = match lists.as_slice() {
        [] | ["any"] => METHODS.iter().map(|(method, ..)| Way(vec![(*method).to_owned()])).collect(),
        lists => lists.iter().map(|list| way(list)).collect(),
    };
    all.into_iter().filter(|way| way.0.iter().all(|method| is_on(method, settings, root))).collect()
}

/// `keyboard-interactive:pam` names a device behind the method.
fn way(list: &str) -> Way {
    Way(list.split(',').map(|method| method.split(':').next().unwrap_or_default().to_owned()).collect())
}

fn is_on(method: &str, settings: &Effective, root: bool) -> bool {
    let root_may = settings.value("permitrootlogin");
    let typed = matches!(method, "password" | "keyboard-interactive");
    if root && (root_may == "no" || (typed && root_may != "yes")) {
        return false;
    }
    if method == "keyboard-interactive" && settings.is_off("usepam") {
        return false; // there is nobody else who would ask
    }
    let Some((_, keyword, must_be_said)) = METHODS.iter().find(|(known, ..)| *known == method) else { return true };
    let value = settings.value(&keyword.to_ascii_lowercase());
    if *must_be_said { value == "yes" } else { value != "no" }
}

/// Judges every way in.
pub fn judge(login: &Login<'_>) -> Judged {
    let ways = ways(login.settings, login.root);
    let asks = |module| matches!(login.stack.guard(module), Guard::Firm);
    let (ours, google) = (asks(OATHGATE), asks(GOOGLE));
    let mut findings: Vec<Finding> = hidden_from_pam(login).into_iter().collect();
    let mut lines_decide = false;
    if ways.iter().any(|way| way.asks_pam(login.settings)) {
        findings.extend(stack(login));
    } else if login.settings.is_off("usepam") && login.stack.lines(OATHGATE).next().is_some() {
        let text = format!("sshd does not ask PAM, so that pam_oathgate.so in {} is never asked", login.service);
        findings.push(Finding::bad(text).at(login.written.place("usepam")).change("UsePAM yes"));
    }
    for way in &ways {
        let by_pam = way.asks_pam(login.settings) && (ours || google);
        match (way.has("publickey"), by_pam) {
            (true, true) if login.gated => findings.push(twice(way, login)),
            (true, true) => {}
            (false, true) => findings.extend(code_alone(way, ours && !google, login)),
            (true, false) => lines_decide = true,
            (false, false) => findings.push(no_code(way, ours, login)),
        }
    }
    if lines_decide && login.open && !login.gated && !matches!(login.stack.guard(OATHGATE), Guard::Absent) {
        let text = format!("a key alone logs in to {}, and PAM is not asked for its code", login.account);
        let methods = "AuthenticationMethods publickey,keyboard-interactive, and KbdInteractiveAuthentication yes";
        findings.push(Finding::bad(text).at(login.written.place("authenticationmethods")).change(methods));
    }
    Judged { findings, lines_decide }
}

fn no_code(way: &Way, ours: bool, login: &Login<'_>) -> Finding {
    let finding = Finding::bad(format!("{} logs in to {} without a code", way.named(), login.account));
    let method = METHODS.iter().find(|(method, ..)| way.0 == [*method]);
    match method.filter(|_| login.settings.value("authenticationmethods") == "any") {
        Some((_, keyword, _)) => {
            finding.at(login.written.place(&keyword.to_ascii_lowercase())).change(format!("{keyword} no"))
        }
        None => {
            let methods = if ours { "publickey,keyboard-interactive" } else { "publickey" };
            finding.at(login.written.place("authenticationmethods")).change(format!("AuthenticationMethods {methods}"))
        }
    }
}

fn twice(way: &Way, login: &Login<'_>) -> Finding {
    let text = format!("{} asks for two codes: one by PAM, one by the key's line", way.named());
    let one = "AuthenticationMethods publickey, for this account; or oathgate ssh remove";
    Finding::warning(text).at(login.written.place("authenticationmethods")).change(one)
}

/// A way by the code and nothing else.
fn code_alone(way: &Way, ours: bool, login: &Login<'_>) -> Option<Finding> {
    let line = login.stack.lines(OATHGATE).find(|line| line.has("require_publickey=no"))?;
    let alone = ours && !login.stack.asks_password();
    let text = format!("{} logs in by the code alone", way.named());
    alone.then(|| Finding::warning(text).at(&line.place).change("take require_publickey=no out"))
}

/// What is wrong with the lines of PAM.
fn stack(login: &Login<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = login.stack.unseen.iter().map(Finding::unseen).collect();
    for module in [OATHGATE, GOOGLE] {
        if let Guard::Loose(entry) = login.stack.guard(module) {
            let text = if entry.is(module) {
                format!("whom {module} refuses comes in all the same")
            } else {
                format!("this line leads past {module}: who passes it comes in without a code")
            };
            findings.push(
                Finding::bad(text)
                    .at(&entry.place)
                    .change(format!("auth required {module}, above this line or in its place")),
            );
        }
        findings.extend(login.stack.lines(module).filter(|line| line.nullok()).map(|line| {
            Finding::warning("nullok: who has nothing enrolled comes in without a code")
                .at(&line.place)
                .change("take nullok out")
        }));
    }
    let mut both = login.stack.lines(OATHGATE).zip(login.stack.lines(GOOGLE));
    findings.extend(both.next().map(|(ours, google)| {
        let text = "one login asks for two codes, ours and google-authenticator's";
        Finding::warning(text).at(format!("{}, {}", ours.place, google.place)).change("keep one of the two lines")
    }));
    findings
}

/// sshd hides what root types from PAM, unless root may log in by password.
fn hidden_from_pam(login: &Login<'_>) -> Option<Finding> {
    let hides = matches!(login.settings.value("permitrootlogin"), "without-password" | "prohibit-password");
    let asks = login.settings.words("authenticationmethods").any(|list| way(list).asks_pam(login.settings));
    let ours = login.stack.lines(OATHGATE).next().is_some();
    (login.root && hides && asks && ours).then(|| {
        let text = "sshd hides root's code from PAM: root is refused";
        let change = "PermitRootLogin yes, beside AuthenticationMethods publickey,keyboard-interactive";
        Finding::bad(text).at(login.written.place("permitrootlogin")).change(change)
    })
}

#[cfg(test)]
#[path = "ways_tests.rs"]
mod tests;
