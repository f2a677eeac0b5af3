//! What sshd's own settings open before a forced command asks for its code.

use crate::doctor::finding::Finding;
use crate::ssh::accept_env::is_harmless;
use crate::sshd::Effective;
use crate::sshd::config::Written;
use crate::sshd::pattern::matches;

/// Variables that make a shell run, or load, what the client sent; or that
/// something behind the gate would believe.
const KNOWN: [&str; 18] = [
    "BASH_ENV",
    "BASH_FUNC_exec%%",
    "ENV",
    "LD_PRELOAD",
    "LD_AUDIT",
    "LD_LIBRARY_PATH",
    "ZDOTDIR",
    "XDG_CONFIG_HOME",
    "SHELLOPTS",
    "BASHOPTS",
    "PS4",
    "IFS",
    "GCONV_PATH",
    "FPATH",
    "KSH_ENV",
    "SSH_ORIGINAL_COMMAND",
    "SSH_USER_AUTH",
    "SSH_TTY",
];

/// What leads to forced commands, where some line has one, and past the lines.
pub fn judge(settings: &Effective, written: &Written, account: &str, gated: bool) -> Vec<Finding> {
    let mut findings: Vec<Finding> = authorities(settings, written, account).into_iter().collect();
    findings.extend(keys_command(settings, written));
    if gated {
        findings.extend(environment(settings, written));
        findings.extend(user_environment(settings, written));
        findings.extend(forced(settings, written));
        findings.extend(tunnel(settings, written));
    }
    findings
}

fn environment(settings: &Effective, written: &Written) -> Option<Finding> {
    let wide: Vec<&str> = settings.words("acceptenv").filter(|pattern| !is_harmless(pattern)).collect();
    if wide.is_empty() {
        return None;
    }
    let known: Vec<&str> = KNOWN.into_iter().filter(|name| wide.iter().any(|pattern| matches(pattern, name))).collect();
    let finding = if known.is_empty() {
        Finding::warning(format!(
            "clients may set {}, which nobody here knows to be harmless to the shell that starts before the code",
            wide.join(" ")
        ))
    } else {
        Finding::bad(format!(
            "clients may set {}: the login shell goes by them before any code is asked",
            known.join(" ")
        ))
    };
    Some(finding.at(written.place("acceptenv")).change("AcceptEnv LANG LC_* COLORTERM NO_COLOR"))
}

fn user_environment(settings: &Effective, written: &Written) -> Option<Finding> {
    let value = settings.value("permituserenvironment");
    let text = "~/.ssh/environment and environment= set what the login shell goes by before any code is asked";
    let finding = Finding::bad(text).at(written.place("permituserenvironment")).change("PermitUserEnvironment no");
    (!matches!(value, "no" | "")).then_some(finding)
}

/// A ForceCommand runs instead of the line's command.
fn forced(settings: &Effective, written: &Written) -> Option<Finding> {
    let command = settings.names("forcecommand")?;
    let text = format!("{command} runs instead of the command that asks for the code");
    Some(Finding::bad(text).at(written.place("forcecommand")).change("ForceCommand none, for this account"))
}

/// Forwarding of tun devices: no option of a line closes that.
fn tunnel(settings: &Effective, written: &Written) -> Option<Finding> {
    let value = settings.value("permittunnel");
    let text = format!("tun devices ({value}) can be forwarded before any code; restrict does not close that");
    let finding = Finding::bad(text).at(written.place("permittunnel")).change("PermitTunnel no");
    (!matches!(value, "no" | "")).then_some(finding)
}

fn authorities(settings: &Effective, written: &Written, account: &str) -> Option<Finding> {
    let keys = settings.names("trustedusercakeys")?;
    let whose = match (settings.names("authorizedprincipalsfile"), settings.names("authorizedprincipalscommand")) {
        (None, None) => format!("whose principal is {account}"),
        (Some(file), None) => format!("with a principal of {file}"),
        (_, Some(command)) => format!("with a principal that {command} names"),
    };
    let text = format!("certificates of the authorities in {keys} {whose} log in past authorized_keys, without a code");
    Some(Finding::bad(text).at(written.place("trustedusercakeys")).change("TrustedUserCAKeys none, for this account"))
}

/// A command that names keys besides the files.
fn keys_command(settings: &Effective, written: &Written) -> Option<Finding> {
    let command = settings.names("authorizedkeyscommand")?;
    let program = command.split_ascii_whitespace().next().unwrap_or_default();
    if program.starts_with("/usr/libexec/oathgate/") {
        return None;
    }
    let text = format!("{program} names further keys, which were not looked at: each could come in without a code");
    Some(
        Finding::unseen(text)
            .at(written.place("authorizedkeyscommand"))
            .change("AuthorizedKeysCommand none, for this account"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::State::{self, Bad, Unseen, Warning};

    const CLEAN: &str = "acceptenv LANG\nacceptenv LC_*\npermituserenvironment no\nforcecommand none\npermittunnel no\n\
        trustedusercakeys none\nauthorizedkeyscommand none\nauthorizedprincipalsfile none\n";

    fn judged(changed: &str, gated: bool) -> Vec<Finding> {
        let settings = Effective::parse(&format!("{changed}\n{CLEAN}"));
        judge(&settings, &Written::default(), "alice", gated)
    }

    #[test]
    fn defaults_open_nothing() {
        assert_eq!(judged("", true), []);
        assert_eq!(judged("acceptenv COLORTERM NO_COLOR LC_OTP", true), []);
        assert_eq!(judged("authorizedkeyscommand /usr/libexec/oathgate/keys %u %f", true), []);
    }

    #[test]
    fn each_setting_that_opens_a_way_is_named() {
        let all = KNOWN.join(" ");
        let table: [(State, &str, &str); 15] = [
            (Bad, &all, "acceptenv *"),
            (Bad, "set BASH_ENV BASH_FUNC_exec%%:", "acceptenv BASH_*"),
            (Bad, "set LD_PRELOAD LD_AUDIT LD_LIBRARY_PATH:", "acceptenv LANG LD_*"),
            (Bad, "set ZDOTDIR:", "acceptenv ZDOTDIR"),
            (Bad, "set ENV:", "acceptenv EN?"),
            (Bad, "set SSH_ORIGINAL_COMMAND SSH_USER_AUTH SSH_TTY:", "acceptenv SSH_*"),
            (Warning, "GIT_PROTOCOL", "acceptenv GIT_PROTOCOL"),
            (Bad, "~/.ssh/environment", "permituserenvironment yes"),
            (Bad, "~/.ssh/environment", "permituserenvironment BASH_ENV"),
            (Bad, "internal-sftp runs instead", "forcecommand internal-sftp"),
            (Bad, "tun devices (point-to-point)", "permittunnel point-to-point"),
            (Bad, "whose principal is alice", "trustedusercakeys /etc/ssh/ca.pub"),
            (Bad, "a principal of %h/p", "trustedusercakeys /ca\nauthorizedprincipalsfile %h/p"),
            (Bad, "a principal that /p names", "trustedusercakeys /ca\nauthorizedprincipalscommand /p"),
            (Unseen, "/usr/bin/keys names", "authorizedkeyscommand /usr/bin/keys %u"),
        ];
        for (state, text, changed) in table {
            let findings = judged(changed, true);
            let [finding] = &findings[..] else { panic!("{changed}: {findings:?}") };
            assert!(finding.state == state && finding.line.contains(text), "{changed}: {finding:?}");
            assert!(finding.at.is_some() && finding.change.is_some(), "{changed}");
        }
    }

    #[test]
    fn what_only_a_forced_command_minds_is_not_said_without_one() {
        assert_eq!(judged("acceptenv *\npermituserenvironment yes\nforcecommand x\npermittunnel yes", false), []);
        assert_eq!(judged("trustedusercakeys /ca", false).len(), 1);
    }
}
