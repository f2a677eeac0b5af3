//! Lines with a secret in them, as the program of the same name before oathgate
//! wanted them: `command="/usr/bin/ssh-otp SECRET"`.

use otp_core::Secret;

use super::line::{Gate, KeyLine, Objection, check, name, split};

/// What stands in a back-up where the secret was. No base32: whoever puts the
/// back-up back gets a line that lets nobody in.
const GONE: &[u8] = b"0-moved-to-oathgate";

/// A line whose command holds the secret.
#[derive(Debug)]
pub struct OldLine<'a> {
    line: &'a KeyLine<'a>,
    /// The option with the command.
    command: &'a [u8],
    secret: &'a [u8],
}

impl<'a> OldLine<'a> {
    /// The line as one of these; `None` where it is none.
    pub fn of(line: &'a KeyLine<'a>) -> Option<Self> {
        let options = split(line.options)?;
        let command = options.into_iter().find(|option| name(option) == "command")?;
        let secret = secret_in(command)?;
        Some(Self { line, command, secret })
    }

    /// The secret in base32.
    pub fn secret(&self) -> &'a [u8] {
        self.secret
    }

    /// The line with `gate` in the place of the command.
    ///
    /// # Errors
    /// When another option stands in the way.
    pub fn rewritten(&self, gate: &Gate) -> Result<Vec<u8>, Objection> {
        let others = split(self.line.options).unwrap_or_default();
        let others: Vec<&[u8]> = others.into_iter().filter(|option| *option != self.command).collect();
        let others = others.join(&b","[..]);
        check(&others, gate)?;
        let between: &[u8] = if others.is_empty() { b"" } else { b"," };
        Ok(self.line.joined(&[gate.options(self.line.key).as_bytes(), between, &others, b" "]))
    }

    /// The same line without the secret.
    pub fn without_secret(&self) -> Vec<u8> {
        let options = self.line.options;
        let found = options.windows(self.secret.len()).position(|word| word == self.secret).unwrap_or(0);
        let (before, rest) = options.split_at_checked(found).unwrap_or_default();
        self.line.joined(&[before, GONE, rest.get(self.secret.len()..).unwrap_or_default()])
    }
}

/// The secret in `command="[exec ]PATH/ssh-otp SECRET"`, with or without
/// quotes around it.
fn secret_in(option: &[u8]) -> Option<&[u8]> {
    let start = option.iter().position(|byte| *byte == b'=')? + 1;
    let command = option.get(start..)?.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let mut words = command.split(blank).filter(|word| !word.is_empty());
    let mut program = words.next()?;
    if program == b"exec" {
        program = words.next()?;
    }
    let is_quote = |byte: &u8| matches!(byte, b'\'' | b'"' | b'\\');
    let word = words.next().filter(|_| program == b"ssh-otp" || program.ends_with(b"/ssh-otp"))?;
    let start = word.iter().position(|byte| !is_quote(byte))?;
    let end = word.iter().rposition(|byte| !is_quote(byte))?;
    let secret = word.get(start..=end)?;
    let base32 = secret.first() != Some(&b'-') && Secret::from_base32(std::str::from_utf8(secret).ok()?).is_ok();
    (base32 && words.next().is_none()).then_some(secret)
}

/// A file of keys in which no line holds a secret any more.
pub fn without_secrets(bytes: &[u8]) -> Vec<u8> {
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    lines.flat_map(|text| line_without_secret(text).unwrap_or_else(|| text.to_vec())).collect()
}

fn line_without_secret(text: &[u8]) -> Option<Vec<u8>> {
    let line = KeyLine::parse(text)?;
    OldLine::of(&line).map(|old| old.without_secret())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA ann@laptop\n";
    const SECRET: &str = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";

    fn gate() -> Gate {
        Gate { program: "/usr/bin/ssh-otp".into(), user_store: false, forwardings: vec![] }
    }

    fn rewritten(text: &str) -> Option<Result<String, Objection>> {
        let line = KeyLine::parse(text.as_bytes()).unwrap();
        let old = OldLine::of(&line)?;
        assert_eq!(old.secret(), SECRET.as_bytes());
        let text = String::from_utf8(old.without_secret()).unwrap();
        assert!(!text.contains(SECRET) && KeyLine::parse(text.as_bytes()).unwrap().key == line.key, "{text}");
        assert!(OldLine::of(&KeyLine::parse(text.as_bytes()).unwrap()).is_none(), "no secret in {text}");
        Some(old.rewritten(&gate()).map(|bytes| String::from_utf8(bytes).unwrap()))
    }

    #[test]
    fn the_command_goes_and_other_options_stay() {
        let key = KeyLine::parse(KEY.as_bytes()).unwrap().key;
        let ours = gate().options(key);
        for (options, others) in [
            (format!("command=\"/usr/bin/ssh-otp {SECRET}\""), ""),
            (format!("command=\"exec  ssh-otp {SECRET} \""), ""),
            (format!("Command=\"/opt/x/ssh-otp '{SECRET}'\""), ""),
            (format!("command=\"/usr/bin/ssh-otp \\\"{SECRET}\\\"\""), ""),
            (format!("from=\"10.0.0.1\",command=\"/usr/bin/ssh-otp {SECRET}\",no-pty"), ",from=\"10.0.0.1\",no-pty"),
            (format!("restrict,command=\"/usr/bin/ssh-otp {SECRET}\""), ",restrict"),
        ] {
            assert_eq!(rewritten(&format!("{options} {KEY}")), Some(Ok(format!("{ours}{others} {KEY}"))), "{options}");
        }
    }

    #[test]
    fn what_opens_a_way_around_is_refused() {
        let port = format!("command=\"/usr/bin/ssh-otp {SECRET}\",port-forwarding {KEY}");
        assert_eq!(rewritten(&port), Some(Err(Objection::Option("port-forwarding".into()))));
        let two = format!("command=\"/usr/bin/ssh-otp {SECRET}\",command=\"x\" {KEY}");
        assert_eq!(rewritten(&two), Some(Err(Objection::Command)));
    }

    #[test]
    fn other_commands_are_none_of_these() {
        let key = KeyLine::parse(KEY.as_bytes()).unwrap().key;
        for command in [
            "/usr/bin/ssh-otp".to_owned(),
            format!("exec /usr/bin/ssh-otp --key {key}"),
            format!("/usr/bin/not-ssh-otp {SECRET}"),
            format!("/usr/bin/ssh-otp {SECRET} more"),
            format!("/usr/bin/ssh-otp {SECRET}; sh"),
            "/usr/bin/ssh-otp 0189".to_owned(),
            "/usr/bin/ssh-otp -AAAA".to_owned(),
        ] {
            assert!(rewritten(&format!("command=\"{command}\" {KEY}")).is_none(), "{command}");
        }
        assert!(rewritten(KEY).is_none());
    }

    #[test]
    fn a_back_up_is_every_byte_but_the_secrets() {
        let text = format!("# {SECRET}?\n{KEY}from=\"x\",command=\"/usr/bin/ssh-otp {SECRET}\"  {KEY}\r\n");
        let expected = text.replacen(&format!("otp {SECRET}"), "otp 0-moved-to-oathgate", 1);
        assert_eq!(without_secrets(text.as_bytes()), expected.as_bytes());
    }
}
