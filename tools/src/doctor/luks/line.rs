//! Whether a volume's line in crypttab(5) is right for its gate.

use luks_unlock::crypttab::{Line, Source};
use luks_unlock::token::Gate;

use crate::doctor::finding::Finding;
use crate::luks::crypttab::{self, Asks, KEY_SERVICE, KEYSCRIPT};

/// Seconds in which PIN and code can be typed.
const ENOUGH: u32 = 60;

/// A line, and what is known of its volume.
pub struct Told<'a> {
    pub line: Line<'a>,
    /// `FILE:LINE`
    pub at: &'a str,
    pub gate: Gate,
    /// Whether the root file system is on it.
    pub root: bool,
    pub uuid: &'a str,
    pub header: Option<&'a str>,
}

impl Told<'_> {
    /// Whether the initramfs opens it.
    pub fn early(&self) -> bool {
        self.root || self.line.has("initramfs")
    }

    /// Whether our keyscript asks.
    pub fn by_keyscript(&self) -> bool {
        self.line.option("keyscript") == Some(KEYSCRIPT)
    }

    /// The line as enrolment writes it.
    fn should_be(&self) -> String {
        let asks = match self.gate {
            Gate::Store => Asks::KeyService,
            Gate::Header if self.early() => Asks::Keyscript,
            Gate::Header => Asks::Plugin,
        };
        crypttab::line(self.line.name, self.uuid, self.header, asks)
    }

    fn bad(&self, what: &str) -> Finding {
        Finding::bad(format!("{} {what}", self.line.name)).at(self.at).change(self.should_be())
    }

    fn odd(&self, what: &str) -> Finding {
        Finding::warning(format!("{} {what}", self.line.name)).at(self.at).change(self.should_be())
    }
}

/// Whether it is for something that can have no token.
pub fn is_no_luks(line: &Line) -> bool {
    ["plain", "swap", "tmp", "tcrypt", "bitlk", "loop"].iter().any(|option| line.has(option))
        || matches!(line.key, "/dev/random" | "/dev/urandom")
}

/// Whether it names something of ours.
pub fn names_us(line: &Line) -> bool {
    line.key == KEY_SERVICE || line.option("keyscript") == Some(KEYSCRIPT)
}

/// Judges it.
pub fn judge(told: &Told) -> Vec<Finding> {
    let mut findings = match told.gate {
        Gate::Store => store(told),
        Gate::Header if told.early() => early(told),
        Gate::Header => header(told),
    };
    findings.extend(prompts(told));
    // Debian has the target that opens such volumes, and does not enable it.
    let late = told.line.has("_netdev") && !told.early();
    findings.extend(late.then(|| told.odd("has _netdev: it is opened only where remote-cryptsetup.target is enabled")));
    findings
}

/// The verifier runs late, and is asked by the key service alone.
fn store(told: &Told) -> Vec<Finding> {
    let line = &told.line;
    let waits = line.has("nofail") || line.has("noauto");
    let cases = [
        (told.early(), "is wanted before the verifier runs: the gate of a root volume is its header"),
        (line.key != KEY_SERVICE, "does not name the key service: nobody asks for its code at boot"),
        (line.has("keyscript"), "has a keyscript, which can't reach the verifier"),
        (!waits, "is waited for before the verifier can start: no code opens it at boot"),
        (
            matches!(line.source(), Source::Other(_)),
            "is named so that the key service can't find it: write UUID= or its path",
        ),
    ];
    let mut findings: Vec<Finding> = cases.iter().filter(|(is, _)| *is).map(|(_, what)| told.bad(what)).collect();
    findings.extend((!waits).then(|| told.odd(NOT_STARTING)));
    findings
}

const NOT_STARTING: &str = "keeps the machine from starting while it stays shut: it has no nofail";

/// Debian's initramfs knows no tokens.
fn early(told: &Told) -> Vec<Finding> {
    let by_us = told.by_keyscript();
    let other = told.line.has("keyscript") && !by_us;
    let what = if other {
        "is opened by another keyscript, which asks for no code"
    } else {
        "asks for no code in the initramfs: it has no keyscript"
    };
    if by_us { vec![] } else { vec![told.bad(what)] }
}

/// systemd loads the plugin, unless something else comes first.
fn header(told: &Told) -> Vec<Finding> {
    let line = &told.line;
    let mut findings = Vec::new();
    if line.has("keyscript") {
        findings.push(told.odd("has a keyscript, which systemd ignores, and is not of the initramfs"));
    } else if !line.key.is_empty() {
        findings.push(told.bad("has a key file: systemd then asks for no code"));
    }
    if !line.has("nofail") && !line.has("noauto") {
        findings.push(told.odd(NOT_STARTING));
    }
    findings
}

/// Options that decide whether there is a prompt at all, and how often.
fn prompts(told: &Told) -> Vec<Finding> {
    let line = &told.line;
    let device = ["fido2-device", "pkcs11-uri", "tpm2-device"].into_iter().find(|option| line.has(option));
    let is_on = |option: &str| {
        line.option(option).is_some_and(|value| !matches!(value, "no" | "false" | "0" | "off" | "n" | "f"))
    };
    let short = line
        .option("timeout")
        .and_then(|value| value.parse::<u32>().ok())
        .filter(|seconds| (1..ENOUGH).contains(seconds));
    let findings = [
        device.map(|option| told.bad(&format!("is opened by another device ({option}=), and asks for no code"))),
        is_on("headless").then(|| told.bad("is headless: nobody is asked")),
        (line.option("tries") == Some("1"))
            .then(|| told.odd("has tries=1: after a wrong code no passphrase is asked for")),
        short.map(|seconds| told.odd(&format!("has timeout={seconds}: that is short for a code"))),
    ];
    findings.into_iter().flatten().collect()
}
