//! One thing that was looked at, and how findings are shown.

use otp_wire::syslog::escape;
use serde::Serialize;

use crate::error::Failure;
use crate::output::Output;

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// As it should be.
    Good,
    /// Worth a look.
    Warning,
    /// It could not be looked at.
    Unseen,
    /// Somebody is, or will be, refused; or comes in without a code.
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub state: State,
    /// What it means.
    pub line: String,
    /// Where it stands: `FILE:LINE`, or a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// What should stand there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
    /// What to run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

impl Finding {
    /// One without advice.
    pub fn new(state: State, line: impl Into<String>) -> Self {
        Self { state, line: line.into(), at: None, change: None, run: None }
    }

    /// A way around the code, or a refusal.
    pub fn bad(line: impl Into<String>) -> Self {
        Self::new(State::Bad, line)
    }

    /// Something worth a look.
    pub fn warning(line: impl Into<String>) -> Self {
        Self::new(State::Warning, line)
    }

    /// Something that could not be looked at.
    pub fn unseen(line: impl Into<String>) -> Self {
        Self::new(State::Unseen, line)
    }

    /// Says what to run.
    pub fn run(mut self, command: impl Into<String>) -> Self {
        self.run = Some(command.into());
        self
    }

    /// Says where it stands.
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.at = Some(place.into());
        self
    }

    /// Says what should stand there.
    pub fn change(mut self, line: impl Into<String>) -> Self {
        self.change = Some(line.into());
        self
    }
}

/// Shows findings, each with what to do.
///
/// # Errors
/// When something is bad; that it could not be decided, when all else was good
/// and something was not seen.
pub fn report(findings: &[Finding], json: bool, out: &mut Output) -> Result<(), Failure> {
    if json {
        out.json(&findings)?;
    } else {
        findings.iter().try_for_each(|finding| show(finding, out))?;
    }
    let any = |state| findings.iter().any(|finding| finding.state == state);
    match (any(State::Bad), any(State::Unseen)) {
        (true, _) => Err(Failure::no("")),
        (false, true) => Err(Failure::undecided("")),
        (false, false) => Ok(()),
    }
}

fn show(finding: &Finding, out: &mut Output) -> Result<(), Failure> {
    let mark = match finding.state {
        State::Good => "good".to_owned(),
        State::Warning => out.warning("look"),
        State::Unseen => out.warning("?   "),
        State::Bad => out.warning("BAD "),
    };
    out.line(format!("{mark}  {}", escape(&finding.line)))?;
    let advice = [("at", &finding.at), ("change", &finding.change), ("run", &finding.run)];
    for (name, text) in advice {
        if let Some(text) = text {
            out.line(format!("      {name}: {}", escape(text)))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Exit;
    use crate::output::Style;

    fn shown(findings: &[Finding]) -> (Option<Exit>, String) {
        let mut text = Vec::new();
        let result = report(findings, false, &mut Output::to(&mut text, Style::default()));
        (result.err().map(|failure| failure.exit), String::from_utf8(text).unwrap())
    }

    #[test]
    fn the_worst_decides_and_the_unseen_is_never_good() {
        let good = || Finding::new(State::Good, "a");
        let (unseen, bad) = (|| Finding::unseen("u\x1b"), || Finding::bad("b").at("f:1").change("X no").run("r"));
        assert_eq!(shown(&[good(), Finding::warning("w")]), (None, "good  a\nlook  w\n".to_owned()));
        assert_eq!(shown(&[good(), unseen()]), (Some(Exit::Undecided), "good  a\n?     u\\u{1b}\n".to_owned()));
        let text = "BAD   b\n      at: f:1\n      change: X no\n      run: r\n?     u\\u{1b}\n";
        assert_eq!(shown(&[bad(), unseen()]), (Some(Exit::No), text.to_owned()));
    }
}
