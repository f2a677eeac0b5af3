//! What the options of a line in authorized_keys allow (sshd(8)), as sshd
//! reads them: in order, the later winning.

use crate::ssh::line::KeyLine;

/// What a line allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// What runs instead of what the client asks for.
    pub command: Option<String>,
    /// TCP and unix sockets may be forwarded.
    pub forwarding: bool,
    /// The agent may be forwarded.
    pub agent: bool,
    /// X11 may be forwarded.
    pub x11: bool,
    /// ~/.ssh/rc runs.
    pub rc: bool,
    /// Sets variables, where sshd allows it.
    pub environment: bool,
    /// Stands for an authority's certificates, not for a key.
    pub authority: bool,
    /// Holds for some addresses, or some time, only.
    pub limited: bool,
}

impl Default for Options {
    fn default() -> Self {
        let (forwarding, agent, x11, rc) = (true, true, true, true);
        Self { command: None, forwarding, agent, x11, rc, environment: false, authority: false, limited: false }
    }
}

impl Options {
    /// Reads the options of `line`.
    ///
    /// # Errors
    /// Why sshd passes over the line.
    pub fn of(line: &KeyLine<'_>) -> Result<Self, String> {
        let given = line.options().ok_or("a quote is left open")?;
        let mut options = Self::default();
        for (name, value) in given {
            options.add(&name, value)?;
        }
        Ok(options)
    }

    fn add(&mut self, name: &str, value: Option<String>) -> Result<(), String> {
        match (name, value) {
            ("command", Some(_)) if self.command.is_some() => return Err("it has two command=".to_owned()),
            ("command", Some(command)) => self.command = Some(command),
            ("environment", Some(_)) => self.environment = true,
            ("from" | "expiry-time", Some(_)) => self.limited = true,
            ("principals" | "permitopen" | "permitlisten" | "tunnel", Some(_)) => {}
            (flag, None) => return self.flag(flag),
            (other, _) => return Err(format!("sshd knows no option {other}=")),
        }
        Ok(())
    }

    fn flag(&mut self, name: &str) -> Result<(), String> {
        let (plain, on) = name.strip_prefix("no-").map_or((name, true), |plain| (plain, false));
        match (plain, on) {
            ("restrict", true) => (self.forwarding, self.agent, self.x11, self.rc) = (false, false, false, false),
            ("cert-authority", true) => self.authority = true,
            ("port-forwarding", on) => self.forwarding = on,
            ("agent-forwarding", on) => self.agent = on,
            ("x11-forwarding", on) => self.x11 = on,
            ("user-rc", on) => self.rc = on,
            ("pty", _) | ("touch-required", false) | ("verify-required", true) => {}
            _ => return Err(format!("sshd knows no option {name}")),
        }
        Ok(())
    }
}

/// A command that asks for a code before anything else.
#[derive(Debug, PartialEq, Eq)]
pub struct Gate {
    /// Where ssh-otp is.
    pub program: String,
    /// Whose code counts: `SHA256:…`.
    pub key: String,
    /// Whether the person's own store decides.
    pub user_store: bool,
    /// Whether the shell gives way to it.
    pub exec: bool,
}

impl Gate {
    /// Reads a `command=`; `None` where it is not sure to ask.
    pub fn of(command: &str) -> Option<Self> {
        if runs_more(command) {
            return None;
        }
        let outer = command.split_once(" -- ").map_or(command, |(outer, _)| outer);
        let mut words = outer.split_ascii_whitespace();
        let first = words.next()?;
        let (exec, program) = if first == "exec" { (true, words.next()?) } else { (false, first) };
        if !(program.starts_with('/') && program.ends_with("/ssh-otp")) {
            return None;
        }
        let mut gate = Self { program: program.to_owned(), key: String::new(), user_store: false, exec };
        while let Some(word) = words.next() {
            match word {
                "--key" => words.next()?.clone_into(&mut gate.key),
                "--user-store" => gate.user_store = true,
                "--socket" => drop(words.next()?),
                _ => return None,
            }
        }
        (!gate.key.is_empty()).then_some(gate)
    }
}

/// Whether a shell finds more than one command in it: something could run
/// beside the one that asks, or instead of it.
fn runs_more(command: &str) -> bool {
    let (mut quote, mut escaped, mut before) = (None, false, ' ');
    command.chars().any(|c| {
        let before = std::mem::replace(&mut before, c);
        if std::mem::take(&mut escaped) {
            return false;
        }
        match (quote, c) {
            (Some('\''), '\'') | (Some('"'), '"') => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None | Some('"'), '\\') => escaped = true,
            (None, ';' | '&' | '|' | '(' | ')' | '<' | '>' | '\n') | (None | Some('"'), '`') => return true,
            (Some('"'), '(') if before == '$' => return true,
            _ => {}
        }
        false
    }) || quote.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    fn of(options: &str) -> Result<Options, String> {
        Options::of(&KeyLine::parse(format!("{options} {KEY}").as_bytes()).unwrap())
    }

    #[test]
    fn the_later_option_wins() {
        let open = Options::default();
        let shut = Options { forwarding: false, agent: false, x11: false, rc: false, ..Options::default() };
        for (text, expected) in [
            ("", open.clone()),
            ("restrict", shut.clone()),
            ("restrict,pty,no-touch-required,verify-required", shut.clone()),
            ("restrict,Port-Forwarding", Options { forwarding: true, ..shut.clone() }),
            ("agent-forwarding,restrict,X11-forwarding", Options { x11: true, ..shut.clone() }),
            ("restrict,user-rc", Options { rc: true, ..shut.clone() }),
            ("no-port-forwarding,no-user-rc", Options { forwarding: false, rc: false, ..open.clone() }),
            ("restrict,permitopen=\"h:1\",tunnel=\"0\"", shut.clone()),
            ("cert-authority,principals=\"a,b\"", Options { authority: true, ..open.clone() }),
            ("environment=\"A=b\"", Options { environment: true, ..open.clone() }),
            ("from=\"10.0.0.1\"", Options { limited: true, ..open.clone() }),
            ("command=\"a \\\"b\\\" c, d\"", Options { command: Some("a \"b\" c, d".to_owned()), ..open.clone() }),
        ] {
            assert_eq!(of(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_sshd_passes_over() {
        for options in
            ["command=\"a\",command=\"b\"", "no-such-option", "restrict=\"yes\"", "command", "no-restrict", "x=\"1\""]
        {
            assert!(of(options).is_err(), "{options}");
        }
    }

    #[test]
    fn only_what_is_sure_to_ask_is_a_gate() {
        let plain =
            Gate { program: "/usr/bin/ssh-otp".to_owned(), key: "SHA256:x".to_owned(), user_store: false, exec: true };
        let is = |command: &str| Gate::of(command);
        assert_eq!(is("exec /usr/bin/ssh-otp --key SHA256:x").as_ref(), Some(&plain));
        assert_eq!(is("exec /usr/bin/ssh-otp --key SHA256:x -- rrsync '/a; b'"), Some(plain));
        assert!(is("exec /usr/bin/ssh-otp --key SHA256:x -- borg serve --path \"$HOME (a)\"").is_some());
        let own = is("/home/a/.local/bin/ssh-otp --user-store --socket /s --key SHA256:x").unwrap();
        assert!(own.user_store && !own.exec);
        for command in [
            "",
            "/usr/bin/ssh-otp JBSWY3DPEHPK3PXP",
            "exec /usr/bin/ssh-otp",
            "exec ssh-otp --key SHA256:x",
            "exec /usr/bin/not-ssh-otp --key SHA256:x",
            "exec /usr/bin/ssh-otp --key SHA256:x --code 1",
            "/usr/bin/ssh-otp --key SHA256:x; sh",
            "exec /usr/bin/ssh-otp --key SHA256:x || sh",
            "exec /usr/bin/ssh-otp --key SHA256:x -- a & sh",
            "exec /usr/bin/ssh-otp --key SHA256:x -- \"$(sh)\"",
            "exec /usr/bin/ssh-otp --key `sh`",
            "exec /usr/bin/ssh-otp --key SHA256:x </dev/null",
            "exec /usr/bin/ssh-otp --key SHA256:x -- 'a",
            "sh -c 'exec /usr/bin/ssh-otp --key SHA256:x'",
        ] {
            assert_eq!(is(command), None, "{command}");
        }
    }
}
