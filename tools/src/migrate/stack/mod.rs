//! One file of /etc/pam.d: another module's lines, with ours in their place.
//!
//! Nothing is guessed: what is not understood to the last word is refused.

mod options;

pub use options::Module;
use options::OURS;

/// A file with our module in the other one's place.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Stack {
    /// The new text.
    pub text: String,
    /// Whether people without a code are let pass.
    pub nullok: bool,
    /// The files with secrets that it names.
    pub secrets: Vec<String>,
    /// What the administrator should know.
    pub notes: Vec<String>,
}

/// The file with the text `text`, if `module` is in it; whether `sshd` asks by it.
///
/// # Errors
/// The line that is not understood, and why.
pub fn translate(text: &str, module: Module, sshd: bool) -> Result<Option<Stack>, String> {
    let mut stack = Stack { text: String::with_capacity(text.len()), ..Stack::default() };
    let (mut any, mut joined) = (false, false);
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let continues = line.trim_end_matches(['\n', '\r']).ends_with('\\');
        let at = |why: String| format!("line {number}: {why}");
        match place(line, module) {
            None if code(line).contains(module.file()) => return Err(at("is not understood".to_owned())),
            None => stack.text.push_str(line),
            Some(_) if joined || continues => {
                return Err(at("is joined with another; write it on one line".to_owned()));
            }
            // In an option, a prompt say: then it would be found once more.
            Some(_) if code(line).matches(module.file()).count() > 1 => {
                return Err(at("names the module twice; name it once".to_owned()));
            }
            Some(place) => {
                any = true;
                replace(line, &place, module, sshd, &mut stack).map_err(at)?;
            }
        }
        joined = continues;
    }
    Ok(any.then_some(stack))
}

/// The line up to its comment or its end.
fn code(line: &str) -> &str {
    line.split('#').next().unwrap_or_default().trim_end_matches(['\n', '\r'])
}

/// Where something stands in a line.
struct Place<'a> {
    kind: &'a str,
    /// Where the module's name begins.
    module: usize,
    /// Where the comment or the end of the line begins.
    end: usize,
    options: Vec<&'a str>,
}

/// The place of the module in a line, if it is there.
fn place(line: &str, module: Module) -> Option<Place<'_>> {
    let end = code(line).len();
    let words = words(code(line));
    let [(_, kind), _, (begin, path), options @ ..] = words.as_slice() else { return None };
    (path.rsplit('/').next() == Some(module.file())).then(|| Place {
        kind,
        module: *begin,
        end,
        options: options.iter().map(|(_, word)| *word).collect(),
    })
}

fn replace(line: &str, place: &Place, module: Module, sshd: bool, stack: &mut Stack) -> Result<(), String> {
    if !place.kind.trim_start_matches('-').eq_ignore_ascii_case("auth") {
        return Err(format!("{} in a stack other than auth", module.file()));
    }
    let front = line.get(..place.module).unwrap_or_default();
    if front.contains(module.file()) {
        return Err("is not understood".to_owned());
    }
    stack.text.push_str(front);
    stack.text.push_str(OURS);
    options::translate(&place.options, module, stack)?;
    if sshd {
        // As it was; ours alone refuses logins without a key.
        stack.text.push_str(" require_publickey=no");
        stack.notes.push("require_publickey=no leaves logins without an SSH key as they were".to_owned());
    }
    let rest = line.get(place.end..).unwrap_or_default();
    if rest.starts_with('#') {
        stack.text.push(' ');
    }
    stack.text.push_str(rest);
    Ok(())
}

/// The words of a line with their places; what stands in brackets is one (pam.conf(5)).
fn words(line: &str) -> Vec<(usize, &str)> {
    let (mut words, mut place) = (Vec::new(), 0);
    while let Some(rest) = line.get(place..) {
        let begin = place + rest.len() - rest.trim_start().len();
        let Some(rest) = line.get(begin..).filter(|rest| !rest.is_empty()) else { break };
        let length = match rest.strip_prefix('[') {
            Some(inside) => inside.find(']').map_or(rest.len(), |end| end + 2),
            None => rest.find(char::is_whitespace).unwrap_or(rest.len()),
        };
        words.push((begin, rest.get(..length).unwrap_or_default()));
        place = begin + length;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::Module::{GoogleAuthenticator, PamOath};
    use super::*;

    fn text(module: Module, text: &str) -> Result<String, String> {
        translate(text, module, false).map(|stack| stack.map(|stack| stack.text).unwrap_or_default())
    }

    #[test]
    fn only_the_module_and_its_options_change() {
        for (module, before, after) in [
            (
                GoogleAuthenticator,
                "# auth required pam_google_authenticator.so\nauth\trequired  pam_google_authenticator.so  nullok no_increment_hotp # why\n@include common-auth\n",
                "# auth required pam_google_authenticator.so\nauth\trequired  pam_oathgate.so nullok # why\n@include common-auth\n",
            ),
            (
                GoogleAuthenticator,
                "-auth [success=1 default=ignore] /lib/security/pam_google_authenticator.so debug secret=${HOME}/.google_authenticator",
                "-auth [success=1 default=ignore] pam_oathgate.so debug",
            ),
            (
                PamOath,
                "auth requisite pam_oath.so usersfile=/etc/users.oath window=20 digits=6\nauth required pam_unix.so\n",
                "auth requisite pam_oathgate.so window=20 digits=6\nauth required pam_unix.so\n",
            ),
            (
                GoogleAuthenticator,
                "auth required pam_google_authenticator.so [authtok_prompt=Your code: ] grace_period=3600 forward_pass # x\n",
                "auth required pam_oathgate.so [authtok_prompt=Your code: ] grace_period=3600 forward_pass # x\n",
            ),
            (PamOath, "auth required pam_google_authenticator.so\n", ""),
        ] {
            assert_eq!(text(module, before).unwrap(), after);
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_by_line() {
        for (module, line, why) in [
            (
                GoogleAuthenticator,
                "auth required pam_google_authenticator.so forward_pass echo_verification_code",
                "don't go together",
            ),
            (GoogleAuthenticator, "auth required pam_google_authenticator.so debug debug", "twice"),
            (GoogleAuthenticator, "auth required pam_google_authenticator.so authtok_prompt=", "no line"),
            (GoogleAuthenticator, "auth required pam_google_authenticator.so grace_period=100000", "1 to 86400"),
            (GoogleAuthenticator, "auth required pam_google_authenticator.so nulok", "unknown option nulok"),
            (GoogleAuthenticator, "auth required pam_google_authenticator.so nullok=yes", "unknown"),
            (GoogleAuthenticator, "auth required pam_google_authenticator.so secret=/var/${USER}", "elsewhere"),
            (GoogleAuthenticator, "account required pam_google_authenticator.so", "other than auth"),
            (GoogleAuthenticator, "auth required \\\nauth required pam_google_authenticator.so", "joined"),
            (GoogleAuthenticator, "auth required \\\npam_google_authenticator.so", "not understood"),
            (GoogleAuthenticator, "auth required pam_google_authenticator.so \\\nnullok", "joined"),
            (
                GoogleAuthenticator,
                "auth required pam_google_authenticator.so [authtok_prompt=pam_google_authenticator.so: ]",
                "names the module twice",
            ),
            (PamOath, "auth required pam_oath.so usersfile=${HOME}/.users", "no single file"),
            (PamOath, "auth required pam_oath.so alwaysok", "alwaysok"),
            (PamOath, "auth [pam_oath.so=ok] pam_oath.so usersfile=/etc/users.oath", "names the module twice"),
        ] {
            let error = text(module, &format!("# first\n{line}\n")).unwrap_err();
            assert!(error.starts_with("line ") && error.contains(why), "{line}: {error}");
        }
    }

    #[test]
    fn what_is_longer_than_any_option_is_named_in_short() {
        for option in ["x".repeat(10_240), format!("[authtok_prompt={}]", "x ".repeat(5120))] {
            let line = format!("auth required pam_google_authenticator.so {option}\n");
            let error = text(GoogleAuthenticator, &line).unwrap_err();
            assert!(error.len() < 120, "{} bytes", error.len());
        }
    }

    #[test]
    fn sshd_goes_on_without_keys_and_files_are_named() {
        let line = "auth required pam_oath.so usersfile=/etc/users.oath window=9\n";
        let stack = translate(line, PamOath, true).unwrap().unwrap();
        assert_eq!(stack.text, "auth required pam_oathgate.so window=9 require_publickey=no\n");
        assert_eq!((stack.secrets, stack.notes.len(), stack.nullok), (vec!["/etc/users.oath".to_owned()], 2, false));
    }
}
