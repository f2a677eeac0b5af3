//! What sshd lets clients do beside any forced command. It starts the login
//! shell with their environment before the command runs: a client that may set
//! BASH_ENV never meets the gate. Nor does one that may have a tun device.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::Failure;

/// The server, which knows its settings best (sshd(8), -T).
const SSHD: &str = "/usr/sbin/sshd";

/// Refuses where clients may set more than a locale at logins of `user`: by
/// what sshd itself says, where it tells us, and by the settings at `path`,
/// whose `Match` blocks may hold for an address from which nobody asked it.
///
/// # Errors
/// When clients may set more.
pub fn check(path: &Path, user: &str) -> Result<(), Failure> {
    judge(effective(user).as_deref(), path, user)
}

fn judge(effective: Option<&str>, path: &Path, user: &str) -> Result<(), Failure> {
    let mut bad = effective.map_or_else(Vec::new, |text| dangerous(text, user));
    if let Some(text) = read(path) {
        bad.extend(dangerous(&text, user));
        for included in includes(&text, path) {
            bad.extend(read(&included).iter().flat_map(|text| dangerous(text, user)));
        }
    }
    bad.sort();
    bad.dedup();
    if bad.is_empty() {
        return Ok(());
    }
    Err(Failure::no(format!("sshd here takes {} from clients, and so the code could be bypassed", bad.join(", ")))
        .hint("have the administrator reduce AcceptEnv to LANG LC_*, and PermitUserEnvironment and PermitTunnel to no; or use the PAM module"))
}

/// What sshd says that holds for `user`; only root can ask it, as a rule.
fn effective(user: &str) -> Option<String> {
    let mut sshd = Command::new(SSHD);
    sshd.arg("-T").arg("-C").arg(format!("user={user},host=localhost,addr=127.0.0.1,laddr=127.0.0.1,lport=22"));
    let said = sshd.env_clear().stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    said.status.success().then(|| String::from_utf8_lossy(&said.stdout).into_owned())
}

/// Settings that can't be read can't be judged; logins go by them all the same.
fn read(path: &Path) -> Option<String> {
    let text = std::fs::read(path).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// Keyword and arguments of each line (sshd_config(5)); within Match blocks too.
fn settings(text: &str) -> impl Iterator<Item = (String, Vec<&str>)> {
    text.lines().filter_map(|line| {
        let line = line.trim();
        let (keyword, rest) = line.split_once(|c: char| c.is_whitespace() || c == '=')?;
        let words = rest.split(|c: char| c.is_whitespace() || c == '=').map(|word| word.trim_matches('"'));
        let words = words.filter(|word| !word.is_empty()).take_while(|word| !word.starts_with('#'));
        (!keyword.starts_with('#')).then(|| (keyword.to_ascii_lowercase(), words.collect()))
    })
}

/// What clients may set, by lines that may hold for `user`.
fn dangerous(text: &str, user: &str) -> Vec<String> {
    let (mut found, mut holds) = (Vec::new(), true);
    for (keyword, words) in settings(text) {
        match keyword.as_str() {
            "match" => holds = may_hold(&words, user),
            "acceptenv" if holds => {
                found.extend(words.iter().filter(|word| !is_harmless(word)).map(|&word| word.to_owned()));
            }
            "permituserenvironment" if holds && words.first() != Some(&"no") => {
                found.push("PermitUserEnvironment".to_owned());
            }
            // The one kind of forwarding that no option of a line closes.
            "permittunnel" if holds && words.first() != Some(&"no") => found.push("PermitTunnel".to_owned()),
            _ => {}
        }
    }
    found
}

/// Whether a `Match` block may hold for `user`: not where it names plain names
/// of others only.
fn may_hold(words: &[&str], user: &str) -> bool {
    let named = words.windows(2).find(|pair| pair.first().is_some_and(|word| word.eq_ignore_ascii_case("user")));
    let Some(names) = named.and_then(|pair| pair.last()) else { return true };
    names.split(',').any(|name| name == user || name.contains(['*', '?', '!']))
}

/// Whether what fits `pattern` of AcceptEnv changes nothing that a shell runs.
pub fn is_harmless(pattern: &str) -> bool {
    matches!(pattern, "LANG" | "COLORTERM" | "NO_COLOR") || pattern.starts_with("LC_")
}

/// The files of `Include` lines with names or `folder/*.ending`.
fn includes(text: &str, path: &Path) -> Vec<PathBuf> {
    let base = path.parent().unwrap_or(Path::new("/"));
    let mut found = Vec::new();
    for (_, words) in settings(text).filter(|(keyword, _)| keyword == "include") {
        for word in words {
            let path = base.join(word);
            match path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix('*')) {
                None => found.push(path),
                Some(ending) => found.extend(ending_in(path.parent().unwrap_or(base), ending)),
            }
        }
    }
    found
}

fn ending_in(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries.map(|entry| entry.path()).filter(|path| path.to_string_lossy().ends_with(ending)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dangerous_to_ann(text: &str) -> Vec<String> {
        dangerous(text, "ann")
    }

    #[test]
    fn a_locale_is_harmless_and_all_else_is_not() {
        assert!(
            dangerous_to_ann("AcceptEnv LANG LC_* COLORTERM NO_COLOR\n#AcceptEnv *\nPermitUserEnvironment no")
                .is_empty()
        );
        assert!(dangerous_to_ann("Match User bob\n AcceptEnv *\nMatch user bob,eve\n AcceptEnv *").is_empty());
        assert!(dangerous_to_ann("acceptenv=LC_ALL LC_OTP # LD_PRELOAD\n").is_empty());
        for (text, name) in [
            ("AcceptEnv *", "*"),
            ("  ACCEPTENV\tLANG BASH_ENV", "BASH_ENV"),
            ("Match User bob,ann\n  AcceptEnv \"LD_*\"", "LD_*"),
            ("Match User bob,a*\n  AcceptEnv \"LD_*\"", "LD_*"),
            ("Match Address 10.0.0.0/8\n  AcceptEnv X", "X"),
            ("Match User bob\n  AcceptEnv Y\nMatch all\n  AcceptEnv X", "X"),
            ("AcceptEnv LANGUAGE", "LANGUAGE"),
            ("AcceptEnv=L*", "L*"),
            ("PermitUserEnvironment yes", "PermitUserEnvironment"),
            ("PermitUserEnvironment BASH_ENV", "PermitUserEnvironment"),
            ("PermitTunnel point-to-point", "PermitTunnel"),
        ] {
            assert_eq!(dangerous_to_ann(text), [name], "{text}");
        }
    }

    #[test]
    fn included_files_count() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("sshd_config");
        std::fs::create_dir(folder.path().join("d")).unwrap();
        std::fs::write(&config, "Include d/*.conf\nInclude extra\n").unwrap();
        assert!(judge(None, &config, "ann").is_ok());
        std::fs::write(folder.path().join("d/a.conf"), "AcceptEnv FOO\n").unwrap();
        std::fs::write(folder.path().join("extra"), "AcceptEnv BAR\n").unwrap();
        std::fs::write(folder.path().join("d/not"), "AcceptEnv NOT\n").unwrap();
        let failure = judge(None, &config, "ann").unwrap_err();
        assert!(failure.what.contains("BAR, FOO") && !failure.what.contains("NOT"), "{failure:?}");
        let missing = folder.path().join("missing");
        assert!(judge(None, &missing, "ann").is_ok());
        assert!(
            judge(Some("acceptenv LANG\nacceptenv LC_*\npermituserenvironment no\npermittunnel no\n"), &missing, "ann")
                .is_ok()
        );
        assert!(judge(Some("acceptenv LANG\nacceptenv BASH_ENV\n"), &missing, "ann").is_err());
    }
}
