//! One line of authorized_keys (sshd(8), AUTHORIZED_KEYS FILE FORMAT), edited
//! so that every byte that need not change stays.

use std::str::FromStr;

use otp_core::Fingerprint;

/// What a client may forward before any code is asked: no command is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forwarding {
    /// Ports and Unix sockets, both ways, and ProxyJump.
    Port,
    /// The client's SSH agent.
    Agent,
    /// The client's screen.
    X11,
}

impl FromStr for Forwarding {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "port" => Ok(Self::Port),
            "agent" => Ok(Self::Agent),
            "x11" => Ok(Self::X11),
            _ => Err("it is port, agent or x11"),
        }
    }
}

impl Forwarding {
    /// The option that allows it (sshd(8)).
    pub fn option(self) -> &'static str {
        match self {
            Self::Port => "port-forwarding",
            Self::Agent => "agent-forwarding",
            Self::X11 => "X11-forwarding",
        }
    }

    const ALL: [Self; 3] = [Self::Port, Self::Agent, Self::X11];
}

/// The command that asks for the code, and what closes every way around it:
/// without `restrict` forwardings stay open, which need no command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// Where ssh-otp is, as a shell reads it; see [`shell_word`].
    pub program: String,
    /// Whether the user's own store decides.
    pub user_store: bool,
    /// What is to stay open without a code.
    pub forwardings: Vec<Forwarding>,
}

impl Gate {
    /// The command for `key`. `exec`, because some shells would stay.
    pub fn command(&self, key: Fingerprint) -> String {
        let store = if self.user_store { " --user-store" } else { "" };
        format!("exec {}{store} --key {key}", self.program)
    }

    /// The options of the line of `key`.
    pub fn options(&self, key: Fingerprint) -> String {
        let mut options = String::from(START);
        for forwarding in Forwarding::ALL.iter().filter(|forwarding| self.forwardings.contains(forwarding)) {
            options.push_str(forwarding.option());
            options.push(',');
        }
        format!("{options}command=\"{}\"", self.command(key))
    }
}

const START: &str = "restrict,pty,";

/// `path` as every shell and, within its quotes, sshd reads it: plain where it
/// can be, in single quotes where it has blanks and the like. `None` where
/// some shell would read it otherwise.
pub fn shell_word(path: &str) -> Option<String> {
    // sshd reads \" within its quotes, csh ! everywhere, fish \ within quotes.
    let quotable = |c: char| !c.is_control() && !matches!(c, '"' | '\'' | '\\' | '!');
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._+-".contains(&byte);
    match path.starts_with('/') && path.chars().all(quotable) {
        true if path.bytes().all(plain) => Some(path.to_owned()),
        true => Some(format!("'{path}'")),
        false => None,
    }
}

/// A line with a key in it.
#[derive(Debug, PartialEq, Eq)]
pub struct KeyLine<'a> {
    /// Blanks before everything.
    indent: &'a [u8],
    /// The options, and the blanks behind them.
    pub(super) options: &'a [u8],
    /// The key, the comment, and the end of the line.
    rest: &'a [u8],
    /// The key's fingerprint.
    pub key: Fingerprint,
}

/// Why a line is not edited.
#[derive(Debug, PartialEq, Eq)]
pub enum Objection {
    /// It has a command of its own.
    Command,
    /// It accepts certificates of an authority, not a key.
    Authority,
    /// This option stays open before any code is asked, or nobody here knows it.
    Option(String),
    /// It is one of ours that was edited by hand.
    Edited,
}

impl<'a> KeyLine<'a> {
    /// Reads a line as sshd does: a key, or one word of options and a key.
    /// `None` for comments, empty lines, and what sshd skips as well.
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        let start = line.iter().position(|byte| !is_blank(*byte))?;
        let (indent, text) = line.split_at(start);
        if text.starts_with(b"#") {
            return None;
        }
        if let Some(key) = key_of(text) {
            return Some(Self { indent, options: b"", rest: text, key });
        }
        let end = end_of_options(text)?;
        let blanks = text.get(end..)?.iter().take_while(|byte| is_blank(**byte)).count();
        let (options, rest) = text.split_at_checked(end + blanks)?;
        Some(Self { indent, options, rest, key: key_of(rest)? })
    }

    /// The line with other options.
    pub(super) fn joined(&self, options: &[&[u8]]) -> Vec<u8> {
        let parts = std::iter::once(self.indent).chain(options.iter().copied()).chain([self.rest]);
        parts.flatten().copied().collect()
    }

    /// The line with `gate` in it, or `None` where it is there already.
    ///
    /// # Errors
    /// See [`Objection`].
    pub fn install(&self, gate: &Gate) -> Result<Option<Vec<u8>>, Objection> {
        let ours = gate.options(self.key);
        if let Some((length, _)) = ours_in(self.options) {
            let (old, others) = self.options.split_at_checked(length).unwrap_or((self.options, b""));
            check(others, gate)?;
            return Ok((old != ours.as_bytes()).then(|| self.joined(&[ours.as_bytes(), others])));
        }
        check(self.options, gate)?;
        let between: &[u8] = if self.options.is_empty() { b" " } else { b"," };
        Ok(Some(self.joined(&[ours.as_bytes(), between, self.options])))
    }

    /// The line as it was before [`KeyLine::install`], or `None` where nothing
    /// of ours is in it.
    ///
    /// # Errors
    /// When something of ours is in it in another form.
    pub fn remove(&self) -> Result<Option<Vec<u8>>, Objection> {
        let Some((length, _)) = ours_in(self.options) else {
            let ours = self.options.windows(8).any(|word| word == b"/ssh-otp");
            return if ours { Err(Objection::Edited) } else { Ok(None) };
        };
        let others = self.options.get(length..).unwrap_or_default();
        // A comma parts our options from others, one blank from the key.
        Ok(Some(self.joined(&[others.get(1..).unwrap_or_default()])))
    }

    /// The comment behind the key, or else the key's fingerprint.
    pub fn called(&self) -> String {
        let rest = String::from_utf8_lossy(self.rest);
        let comment = rest.split_ascii_whitespace().skip(2).collect::<Vec<_>>().join(" ");
        if comment.is_empty() { self.key.to_string() } else { comment }
    }

    /// Whether a code is asked for at this line.
    pub fn is_gated(&self) -> bool {
        ours_in(self.options).is_some_and(|(_, key)| key == self.key)
    }

    /// The options in sshd's order: name in small letters, and the value without
    /// its quotes. `None` where a quote is left open.
    pub fn options(&self) -> Option<Vec<(String, Option<String>)>> {
        Some(split(self.options)?.into_iter().map(|option| (name(option), value(option))).collect())
    }

    /// The comment behind the key.
    pub fn comment(&self) -> String {
        let rest = String::from_utf8_lossy(self.rest);
        rest.split_ascii_whitespace().skip(2).collect::<Vec<_>>().join(" ")
    }

    /// Whether the other options leave a login without a terminal to ask on.
    pub fn is_without_terminal(&self) -> bool {
        let mut terminal = true;
        for option in split(self.options).unwrap_or_default() {
            match name(option).as_str() {
                "restrict" | "no-pty" => terminal = false,
                "pty" => terminal = true,
                _ => {}
            }
        }
        !terminal
    }
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

fn key_of(text: &[u8]) -> Option<Fingerprint> {
    let mut words = text.split(|byte| is_blank(*byte)).filter(|word| !word.is_empty());
    // What ends the line may stand behind the key, not behind its type.
    let (kind, blob) = (words.next()?, words.next()?.trim_ascii_end());
    let (kind, blob) = (std::str::from_utf8(kind).ok()?, std::str::from_utf8(blob).ok()?);
    Fingerprint::of_key(kind, blob).ok()
}

/// Where the options end: at a blank outside quotes. Inside or outside, a
/// backslash takes the quote behind it along.
fn end_of_options(text: &[u8]) -> Option<usize> {
    let mut quoted = false;
    let mut bytes = text.iter().enumerate().peekable();
    while let Some((index, byte)) = bytes.next() {
        match byte {
            b'\\' if bytes.peek().is_some_and(|(_, next)| **next == b'"') => drop(bytes.next()),
            b'"' => quoted = !quoted,
            byte if is_blank(*byte) && !quoted => return Some(index),
            _ => {}
        }
    }
    None
}

/// The options, or `None` where a quote is left open.
pub(super) fn split(options: &[u8]) -> Option<Vec<&[u8]>> {
    let end = end_of_options(options).unwrap_or(options.len());
    let options = options.get(..end)?;
    let (mut quoted, mut start, mut found) = (false, 0, Vec::new());
    let mut bytes = options.iter().enumerate().peekable();
    while let Some((index, byte)) = bytes.next() {
        match byte {
            b'\\' if bytes.peek().is_some_and(|(_, next)| **next == b'"') => drop(bytes.next()),
            b'"' => quoted = !quoted,
            b',' if !quoted => {
                found.push(options.get(start..index)?);
                start = index + 1;
            }
            _ => {}
        }
    }
    found.push(options.get(start..)?);
    found.retain(|option| !option.is_empty());
    (!quoted).then_some(found)
}

/// An option's name in small letters.
pub(super) fn name(option: &[u8]) -> String {
    let end = option.iter().position(|byte| *byte == b'=').unwrap_or(option.len());
    String::from_utf8_lossy(option.get(..end).unwrap_or_default()).to_ascii_lowercase()
}

fn value(option: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(option);
    let (_, value) = text.split_once('=')?;
    let inner = value.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or(value);
    Some(inner.replace("\\\"", "\""))
}

/// Whether options may stand behind ours. Later options win, so whatever opens
/// a way without a command is refused.
pub(super) fn check(options: &[u8], gate: &Gate) -> Result<(), Objection> {
    let asked_for =
        |name: &str| gate.forwardings.iter().any(|forwarding| forwarding.option().eq_ignore_ascii_case(name));
    let options = split(options).ok_or_else(|| Objection::Option("an unclosed quote".to_owned()))?;
    for option in options {
        let name = name(option);
        match name.as_str() {
            "from"
            | "expiry-time"
            | "no-touch-required"
            | "verify-required"
            | "restrict"
            | "pty"
            | "no-pty"
            | "no-port-forwarding"
            | "no-agent-forwarding"
            | "no-x11-forwarding"
            | "no-user-rc"
            | "permitopen"
            | "permitlisten" => {}
            "command" => return Err(Objection::Command),
            "cert-authority" => return Err(Objection::Authority),
            name if asked_for(name) => {}
            _ => return Err(Objection::Option(name)),
        }
    }
    Ok(())
}

/// How long our options are at the beginning of `options`, and for which key.
fn ours_in(options: &[u8]) -> Option<(usize, Fingerprint)> {
    let mut rest = options.strip_prefix(START.as_bytes())?;
    for forwarding in Forwarding::ALL {
        let option = rest.strip_prefix(forwarding.option().as_bytes());
        rest = option.and_then(|rest| rest.strip_prefix(b",")).unwrap_or(rest);
    }
    let command = rest.strip_prefix(b"command=\"exec ")?;
    let length = command.iter().position(|byte| *byte == b'"')?;
    let end = options.len() - command.len() + length + 1;
    let next = options.get(end).copied();
    if !matches!(next, None | Some(b',' | b' ' | b'\t')) {
        return None;
    }
    let command = std::str::from_utf8(command.get(..length)?).ok()?;
    let (program, arguments) = command.rsplit_once(" --key ")?;
    let program = program.strip_suffix(" --user-store").unwrap_or(program);
    let path = program.strip_prefix('\'').and_then(|path| path.strip_suffix('\'')).unwrap_or(program);
    let ours = path.ends_with("/ssh-otp") && shell_word(path).as_deref() == Some(program);
    Some((end, arguments.parse().ok()?)).filter(|_| ours)
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;
