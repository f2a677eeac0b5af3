//! The state file of google-authenticator's PAM module, `~/.google_authenticator`:
//! a secret, options as `" NAME value`, scratch codes.

use otp_core::Secret;
use zeroize::Zeroizing;

use crate::entry::Kind;
use crate::login::EightDigits;
use crate::{Entry, Error, Format, Login, Parsed, Source};

/// The largest file that the module itself reads, in bytes.
const MAX_STATE: usize = 64 * 1024;

pub(crate) struct StateFile;

impl Format for StateFile {
    fn name(&self) -> &'static str {
        "google-authenticator-pam-state"
    }

    fn title(&self) -> &'static str {
        "~/.google_authenticator, the state file of google-authenticator's PAM module"
    }

    fn recognises(&self, source: &Source) -> bool {
        let Some(text) = source.text() else { return false };
        let mut lines = text.lines();
        let option = |line: &str| line.starts_with("\" ");
        lines.next().is_some_and(|line| secret(line).is_ok())
            && lines.clone().any(option)
            && lines.all(|line| option(line) || !line.contains(char::is_alphabetic))
    }

    fn parse(&self, source: &Source, parsed: &mut Parsed) -> Result<(), Error> {
        if source.bytes.len() > MAX_STATE {
            return Err(source.error(format!("a state file of more than {MAX_STATE} bytes")));
        }
        let text = source.text().ok_or_else(|| source.error("the state file is not UTF-8"))?;
        let entry = entry(text).map_err(|reason| source.error(reason))?;
        parsed.entries.push(entry);
        Ok(())
    }
}

/// The first line, as the module reads it: it forgives 0, 1 and 8.
fn secret(line: &str) -> Result<Secret, String> {
    if line.len() > 512 {
        return Err("the secret in the first line is too long".to_owned());
    }
    let mut clean = Zeroizing::new(String::with_capacity(line.len()));
    for character in line.chars() {
        match character.to_ascii_uppercase() {
            ' ' | '\t' | '\r' | '-' => {}
            '0' => clean.push('O'),
            '1' => clean.push('L'),
            '8' => clean.push('B'),
            '=' => return Err("the secret in the first line has padding; the module can't read it either".to_owned()),
            other => clean.push(other),
        }
    }
    Secret::from_base32(&clean).map_err(|error| format!("the first line: {error}"))
}

fn entry(text: &str) -> Result<Entry, String> {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let mut options = Options::default();
    let mut login = Login { refuses_reuse: false, ..Login::default() };
    let mut lines = rest.lines().peekable();
    while let Some(line) = lines.peek() {
        if let Some(option) = line.strip_prefix("\" ") {
            options.line(option, &mut login)?;
        } else if let Some(code) = EightDigits::parse(line.trim_end()) {
            login.scratch.push(code);
        } else {
            break;
        }
        lines.next();
    }
    // The module stops at the first line that is neither; what follows never counted.
    if lines.any(|line| !line.trim().is_empty()) {
        return Err("a line that is neither an option nor a scratch code".to_owned());
    }
    let mut entry = Entry::new(options.kind()?, secret(first)?);
    entry.login = Some(Box::new(login));
    Ok(entry)
}

#[derive(Default)]
struct Options {
    totp: bool,
    counter: Option<u64>,
    step: Option<u32>,
    seen: Vec<String>,
}

impl Options {
    /// Takes one option; of several with one name the first counts.
    fn line(&mut self, line: &str, login: &mut Login) -> Result<(), String> {
        let (name, value) = line.split_once(' ').unwrap_or((line.trim_end(), ""));
        let value = value.trim();
        if self.seen.iter().any(|seen| seen == name) {
            return Ok(());
        }
        self.seen.push(name.to_owned());
        match name {
            "TOTP_AUTH" => self.totp = true,
            "HOTP_COUNTER" => self.counter = Some(number(name, value, 0, u64::MAX - 1)?),
            "STEP_SIZE" => self.step = Some(number(name, value, 1, 60)? as u32),
            "WINDOW_SIZE" => login.window = Some(number(name, value, 1, 100)? as u8),
            "TIME_SKEW" => login.skew = value.parse().map_err(|_| bad(name))?,
            "DISALLOW_REUSE" => {
                login.refuses_reuse = true;
                let steps = value.split_whitespace().map(|step| number(name, step, 0, u64::MAX));
                login.used = steps.collect::<Result<_, _>>()?;
            }
            "RATE_LIMIT" => login.rate = Some(rate(name, value)?),
            // Who logged in from where, a skew that was about to be taken, and what others added.
            _ => login.other.push(line.to_owned()),
        }
        Ok(())
    }

    fn kind(&self) -> Result<Kind, String> {
        match (self.counter, self.totp) {
            (Some(next @ 1..), _) => Ok(Kind::Hotp { stored: next, next }),
            (_, true) => Ok(Kind::Totp { period: self.step.unwrap_or(30) }),
            (Some(0), false) => Err("HOTP_COUNTER is 0: the module refuses that too".to_owned()),
            (None, false) => Err("neither TOTP_AUTH nor HOTP_COUNTER: the module can't use it either".to_owned()),
        }
    }
}

/// `attempts seconds`, and the times of the latest attempts, which don't matter here.
fn rate(name: &str, value: &str) -> Result<(u16, u16), String> {
    let mut words = value.split_whitespace();
    let mut next = |most| number(name, words.next().unwrap_or_default(), 1, most);
    Ok((next(100)? as u16, next(3600)? as u16))
}

fn number(name: &str, text: &str, least: u64, most: u64) -> Result<u64, String> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.then(|| text.parse().ok()).flatten();
    number.filter(|number| (least..=most).contains(number)).ok_or_else(|| bad(name))
}

fn bad(name: &str) -> String {
    format!("the value of {name} makes no sense")
}
