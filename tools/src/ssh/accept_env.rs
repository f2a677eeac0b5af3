//! What sshd lets clients do beside any forced command. It starts the login
//! shell with their environment before the command runs: a client that may set
//! BASH_ENV never meets the gate. Nor does one that may have a tun device.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use crate::error::Failure;
use crate::sshd::config::Written;
use crate::sshd::{self, Effective, Server};

/// Refuses where clients may set more than a locale at logins of `user`: by
/// what sshd itself says, where it tells us, and by the settings at `path`,
/// whose `Match` blocks may hold for an address from which nobody asked it.
/// A warning where not all of these can be read.
///
/// # Errors
/// When clients may set more.
pub fn check(path: &Path, user: &str) -> Result<Option<String>, Failure> {
    let server = Server { config: path.to_owned(), ..Server::default() };
    // As a rule only root can ask it; then what is written has to do.
    let effective = sshd::effective(&server, user, IpAddr::V4(Ipv4Addr::LOCALHOST)).ok();
    let written = Written::read(path);
    judge(effective.as_ref(), &written, user)?;
    Ok(unread(&written, user))
}

/// What is hidden from us may say anything: sshd, asked by us, can't read it either.
fn unread(written: &Written, user: &str) -> Option<String> {
    let gone = |path: &&PathBuf| path.symlink_metadata().is_err_and(|why| why.kind() == ErrorKind::NotFound);
    let hidden = written.unread.iter().filter(|path| !gone(path));
    let hidden: Vec<String> = hidden.map(|path| path.display().to_string()).collect();
    (!hidden.is_empty()).then(|| {
        format!(
            "You may not read {}: if AcceptEnv, PermitUserEnvironment or PermitTunnel allows too much there, \
             the code can be bypassed. Have root look: sudo oathgate doctor ssh {user}",
            hidden.join(", ")
        )
    })
}

fn judge(effective: Option<&Effective>, written: &Written, user: &str) -> Result<(), Failure> {
    let mut bad = effective.map_or_else(Vec::new, said);
    bad.extend(dangerous(written, user));
    bad.sort();
    bad.dedup();
    if bad.is_empty() {
        return Ok(());
    }
    Err(Failure::no(format!("sshd here takes {} from clients, and so the code could be bypassed", bad.join(", ")))
        .hint("have the administrator reduce AcceptEnv to LANG LC_*, and PermitUserEnvironment and PermitTunnel to no; or use the PAM module"))
}

/// Switches that must be off. The tunnel is the one kind of forwarding that no
/// option of a line closes.
const SWITCHES: [&str; 2] = ["PermitUserEnvironment", "PermitTunnel"];

fn switch(keyword: &str) -> Option<&'static str> {
    SWITCHES.into_iter().find(|switch| switch.eq_ignore_ascii_case(keyword))
}

/// What clients may set, as sshd says.
fn said(effective: &Effective) -> Vec<String> {
    let taken = effective.words("acceptenv").filter(|word| !is_harmless(word)).map(str::to_owned);
    let on = SWITCHES.iter().filter(|switch| !matches!(effective.value(&switch.to_ascii_lowercase()), "" | "no"));
    taken.chain(on.map(|&switch| switch.to_owned())).collect()
}

/// What clients may set, by lines that may hold for `user`.
fn dangerous(written: &Written, user: &str) -> Vec<String> {
    let mut found = Vec::new();
    // A Match block ends with its file.
    let mut blocks: HashMap<&str, bool> = HashMap::new();
    for setting in written.settings() {
        let holds = blocks.entry(setting.file()).or_insert(true);
        match setting.keyword.as_str() {
            "match" => *holds = may_hold(&setting.words, user),
            _ if !*holds => {}
            "acceptenv" => found.extend(setting.words.iter().filter(|word| !is_harmless(word)).cloned()),
            keyword if setting.words.first().is_none_or(|word| word != "no") => {
                found.extend(switch(keyword).map(str::to_owned));
            }
            _ => {}
        }
    }
    found
}

/// Whether a `Match` block may hold for `user`: not where it names plain names
/// of others only.
fn may_hold(words: &[String], user: &str) -> bool {
    let named = words.windows(2).find(|pair| pair.first().is_some_and(|word| word.eq_ignore_ascii_case("user")));
    let Some(names) = named.and_then(|pair| pair.last()) else { return true };
    names.split(',').any(|name| name == user || name.contains(['*', '?', '!']))
}

/// Whether what fits `pattern` of AcceptEnv changes nothing that a shell runs.
pub fn is_harmless(pattern: &str) -> bool {
    matches!(pattern, "LANG" | "COLORTERM" | "NO_COLOR") || pattern.starts_with("LC_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dangerous_to_ann(text: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sshd_config");
        std::fs::write(&path, text).unwrap();
        dangerous(&Written::read(&path), "ann")
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
        let path = |name: &str| folder.path().join(name);
        let written = || Written::read(&path("sshd_config"));
        std::fs::create_dir(path("d")).unwrap();
        let include = format!("Include {0}/d/*.conf\nInclude {0}/extra\nAcceptEnv OWN\n", folder.path().display());
        std::fs::write(path("sshd_config"), include.replace("OWN", "LANG")).unwrap();
        assert!(judge(None, &written(), "ann").is_ok());
        std::fs::write(path("sshd_config"), include).unwrap();
        // What is included ends with its file, a block for others too.
        std::fs::write(path("d/a.conf"), "AcceptEnv FOO\nMatch User bob\nAcceptEnv NEITHER\n").unwrap();
        std::fs::write(path("extra"), "AcceptEnv BAR\n").unwrap();
        std::fs::write(path("d/not"), "AcceptEnv NOT\n").unwrap();
        let failure = judge(None, &written(), "ann").unwrap_err();
        assert!(failure.what.contains("takes BAR, FOO, OWN from"), "{failure:?}");
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let place = folder.path().display();
        std::fs::write(path("sshd_config"), format!("Include {place}/gone\nInclude {place}/hidden\n")).unwrap();
        assert_eq!(unread(&Written::read(&path("sshd_config")), "ann"), None, "what isn't there hides nothing");
        assert_eq!(unread(&Written::read(Path::new("/nonexistent/sshd_config")), "ann"), None);
        // Not to be read as a file, by nobody.
        std::fs::create_dir(path("hidden")).unwrap();
        let warning = unread(&Written::read(&path("sshd_config")), "ann").unwrap();
        assert!(warning.contains(&path("hidden").display().to_string()), "{warning}");
        assert!(warning.ends_with("sudo oathgate doctor ssh ann"), "{warning}");
    }

    #[test]
    fn what_sshd_says_counts() {
        let missing = Written::read(Path::new("/nonexistent/sshd_config"));
        assert!(judge(None, &missing, "ann").is_ok());
        for (text, fine) in [
            ("acceptenv LANG\nacceptenv LC_*\npermituserenvironment no\npermittunnel no\n", true),
            ("acceptenv LANG\nacceptenv BASH_ENV\n", false),
            ("permituserenvironment yes\n", false),
            ("permittunnel ethernet\n", false),
        ] {
            assert_eq!(judge(Some(&Effective::parse(text)), &missing, "ann").is_ok(), fine, "{text}");
        }
    }
}
