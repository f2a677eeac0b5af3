//! The lines of authorized_keys: which of them let somebody in without a code.
//! sshd takes the first that fits, file after file (auth2-pubkeyfile.c).

use std::collections::HashMap;

use otp_core::Fingerprint;

use super::options::{Gate, Options};
use crate::doctor::finding::Finding;
use crate::look::Seen;
use crate::ssh::line::KeyLine;
use crate::sshd::Effective;

/// One line with something in it.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// `FILE:LINE`.
    place: String,
    file: String,
    key: Option<Fingerprint>,
    comment: String,
    /// What it allows, or why sshd passes over it.
    options: Result<Options, String>,
    gate: Option<Gate>,
}

impl Line {
    /// Whether a code is asked for at this line.
    pub fn is_gated(&self) -> bool {
        self.gate.is_some()
    }

    /// Whether it is the person's own store that decides.
    pub fn is_user_store(&self) -> bool {
        self.gate.as_ref().is_some_and(|gate| gate.user_store)
    }

    /// Whether somebody gets in at this line without a code.
    pub fn is_open(&self) -> bool {
        self.options.is_ok() && self.gate.is_none()
    }

    /// Where ssh-otp is, for a line that asks.
    pub fn program(&self) -> Option<&str> {
        self.gate.as_ref().map(|gate| gate.program.as_str())
    }

    /// The file it stands in.
    pub fn file(&self) -> &str {
        &self.file
    }

    fn named(&self) -> String {
        let key = self.key.map_or_else(String::new, |key| key.to_string());
        if self.comment.is_empty() { key } else { format!("{key} ({})", self.comment) }
    }
}

/// Reads the lines of one file.
pub fn lines(file: &str, text: &str) -> Vec<Line> {
    (1..).zip(text.lines()).filter_map(|(number, text)| line(file, number, text)).collect()
}

fn line(file: &str, number: usize, text: &str) -> Option<Line> {
    if text.trim_start_matches([' ', '\t']).is_empty() || text.trim_start().starts_with('#') {
        return None;
    }
    let place = format!("{file}:{number}");
    let file = file.to_owned();
    let Some(parsed) = KeyLine::parse(text.as_bytes()) else {
        let options = Err("there is no key in it".to_owned());
        return Some(Line { place, file, key: None, comment: String::new(), options, gate: None });
    };
    let options = Options::of(&parsed);
    let gate = options.as_ref().ok().and_then(|options| Gate::of(options.command.as_deref()?));
    Some(Line { place, file, key: Some(parsed.key), comment: parsed.comment(), options, gate })
}

/// What else decides about a line.
pub struct Facts<'a> {
    /// sshd's settings.
    pub settings: &'a Effective,
    /// Whether it is root who logs in.
    pub root: bool,
    /// Whether there is a ~/.ssh/rc.
    pub rc: bool,
    /// What was seen of each ssh-otp.
    pub programs: &'a HashMap<String, Seen>,
    /// The person's uid.
    pub uid: u32,
    /// Where `ssh install` looks where it is not told.
    pub usual_file: &'a str,
    /// Whose file it is, where that isn't whoever asks.
    pub account: Option<&'a str>,
}

impl Facts<'_> {
    /// What gives a line of `key` in `file` a gate.
    fn install(&self, key: Fingerprint, file: &str) -> String {
        let account = self.account.map_or_else(String::new, |account| format!(" --account {account}"));
        let file = if file == self.usual_file { String::new() } else { format!(" --file {file}") };
        format!("oathgate ssh install {key}{account}{file}")
    }

    fn forwarding(&self) -> bool {
        let on = |keyword| !self.settings.is_off(keyword);
        self.settings.value("disableforwarding") != "yes"
            && (on("allowtcpforwarding") || on("allowstreamlocalforwarding"))
    }
}

/// Judges all lines, in the order in which sshd comes to them.
pub fn judge(lines: &[Line], facts: &Facts<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        match (&line.options, &line.gate) {
            (Err(why), _) => findings.push(skipped(line, why)),
            (Ok(options), Some(gate)) => findings.extend(gated(line, options, gate, facts)),
            (Ok(options), None) => findings.extend(open(line, options, index, lines, facts)),
        }
    }
    findings
}

fn skipped(line: &Line, why: &str) -> Finding {
    let advice = "mend the line, or take it out";
    if line.key.is_none() {
        return Finding::warning(format!("sshd passes over this line: {why}")).at(&line.place).change(advice);
    }
    let text = format!("sshd passes over this line: {why}; {} comes in by another line or not at all", line.named());
    Finding::bad(text).at(&line.place).change(advice)
}

fn open(line: &Line, options: &Options, index: usize, lines: &[Line], facts: &Facts<'_>) -> Option<Finding> {
    if facts.root && options.command.is_none() && facts.settings.value("permitrootlogin") == "forced-commands-only" {
        return None;
    }
    let name = line.named();
    if options.authority {
        let text = "every certificate of this authority comes in without a code";
        return Some(Finding::bad(format!("{text}: {name}")).at(&line.place).change("take the line out"));
    }
    let same = |other: &&Line| other.gate.is_some() && other.key == line.key;
    let (earlier, later) = lines.split_at_checked(index).unwrap_or_default();
    let limited = |other: &Line| other.options.as_ref().is_ok_and(|options| options.limited);
    let finding = match (earlier.iter().find(same), later.iter().find(same)) {
        (Some(first), _) if !limited(first) => {
            let text = format!(
                "sshd never comes to this line, since {} is first; without that one {name} would come in without a code",
                first.place
            );
            return Some(Finding::warning(text).at(&line.place).change("take the line out"));
        }
        (Some(first), _) => {
            Finding::bad(format!("where {} does not hold, {name} comes in here without a code", first.place))
        }
        (None, Some(second)) => {
            Finding::bad(format!("sshd takes this line, not {} with its code: {name} comes in without", second.place))
        }
        (None, None) => alone(options, &name, facts),
    };
    let finding = finding.at(&line.place);
    Some(match (&options.command, line.key) {
        (None, Some(key)) => finding.run(facts.install(key, &line.file)),
        _ => finding.change("restrict,pty,command=\"exec /usr/bin/ssh-otp --key SHA256:… -- COMMAND\""),
    })
}

/// A line of a key that has no other.
fn alone(options: &Options, name: &str, facts: &Facts<'_>) -> Finding {
    match &options.command {
        None => Finding::bad(format!("{name} comes in without a code")),
        Some(command) if command.contains("ssh-otp") => Finding::bad(format!(
            "this line calls ssh-otp in a way that is not sure to ask {name} for a code: {command}"
        )),
        Some(command) if options.forwarding && facts.forwarding() => {
            Finding::bad(format!("{name} runs {command} and forwards sockets without a code"))
        }
        Some(command) => Finding::warning(format!("{name} runs {command} without a code")),
    }
}

fn gated(line: &Line, options: &Options, gate: &Gate, facts: &Facts<'_>) -> Vec<Finding> {
    let on = |keyword| !facts.settings.is_off(keyword);
    let mut findings = Vec::new();
    if line.key.is_none_or(|key| key.to_string() != gate.key) && !options.authority {
        findings.push(Finding::bad(format!("this line asks {} for the code of another key", line.named())));
    }
    if options.forwarding && facts.forwarding() {
        findings.push(Finding::bad("TCP and unix sockets can be forwarded here before any code"));
    }
    if (options.agent && on("allowagentforwarding")) || (options.x11 && on("x11forwarding")) {
        findings.push(Finding::warning("the agent or X11 can be forwarded here before any code"));
    }
    if options.rc && on("permituserrc") && facts.rc {
        findings.push(Finding::bad("~/.ssh/rc runs here before any code"));
    }
    if options.environment && on("permituserenvironment") {
        findings.push(Finding::bad("environment= sets what the shell finds before any code"));
    }
    if !gate.exec {
        findings.push(Finding::warning("without exec some shells stay: signals and exit codes are not passed on"));
    }
    let command = options.command.as_deref().unwrap_or_default();
    let command = command.strip_prefix("exec ").unwrap_or(command);
    let key = line.key.map_or_else(String::new, |key| key.to_string());
    let command = command.replace(&gate.key, &key).replace('"', "\\\"");
    let better = format!("restrict,pty,command=\"exec {command}\"");
    let findings = findings.into_iter().map(|finding| finding.at(&line.place).change(&better));
    let advice = "install ssh-otp there, root's and mode 0755";
    findings.chain(program(gate, facts).map(|finding| finding.at(&line.place).change(advice))).collect()
}

/// Whether the program that asks is there, and nobody else's.
fn program(gate: &Gate, facts: &Facts<'_>) -> Option<Finding> {
    let name = &gate.program;
    match facts.programs.get(name)? {
        Seen::Missing => Some(Finding::bad(format!("there is no {name}: nobody gets in here"))),
        Seen::Unseen(why) => Some(Finding::unseen(format!("{name}: {why}"))),
        Seen::File(found) if !found.is_executable() => {
            Some(Finding::bad(format!("{name} is not executable: nobody gets in here")))
        }
        Seen::File(found) => found
            .open_to_others(facts.uid)
            .map(|node| Finding::bad(format!("others can change {}, and with it who gets in", node.path.display()))),
    }
}

#[cfg(test)]
#[path = "lines_tests.rs"]
mod tests;
