use super::*;
use crate::doctor::finding::State::{self, Bad, Warning};
use crate::look::{Found, Node};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA a@b";
const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB";

fn fingerprint() -> String {
    Fingerprint::of_line(KEY).unwrap().0.to_string()
}

fn command() -> String {
    format!("command=\"exec /usr/bin/ssh-otp --key {}\"", fingerprint())
}

fn good() -> String {
    format!("restrict,pty,{} {KEY}", command())
}

/// sshd's defaults, with `changed` in front.
fn settings(changed: &str) -> Effective {
    Effective::parse(&format!(
        "{changed}\npermitrootlogin yes\npermituserrc yes\npermituserenvironment no\nx11forwarding yes\n\
         allowagentforwarding yes\nallowtcpforwarding yes\nallowstreamlocalforwarding yes\ndisableforwarding no\n"
    ))
}

fn program(mode: u32) -> Seen {
    Seen::File(Found { text: String::new(), nodes: vec![Node { path: "/usr/bin/ssh-otp".into(), uid: 0, mode }] })
}

fn judged(text: &str, changed: &str, rc: bool, ssh_otp: Seen) -> Vec<Finding> {
    let settings = settings(changed);
    let programs = HashMap::from([("/usr/bin/ssh-otp".to_owned(), ssh_otp)]);
    judge(
        &lines("/k", text),
        &Facts {
            settings: &settings,
            root: true,
            rc,
            programs: &programs,
            uid: 1000,
            usual_file: "/usual",
            account: None,
        },
    )
}

#[test]
fn nothing_is_said_of_lines_that_ask() {
    for text in [
        good(),
        format!("# a comment\n\n{}\n", good()),
        format!("from=\"10.0.0.1\",restrict,pty,{} {KEY}\n", command()),
        format!(
            "{}\nrestrict,pty,{} {OTHER}",
            good(),
            command().replace(&fingerprint(), &Fingerprint::of_line(OTHER).unwrap().0.to_string())
        ),
        format!("restrict,pty,command=\"exec /usr/bin/ssh-otp --key {} -- rrsync /srv\" {KEY}", fingerprint()),
    ] {
        assert_eq!(judged(&text, "", true, program(0o100755)), [], "{text}");
    }
    let closed = format!("no-user-rc,{} {KEY}", command());
    let server = "disableforwarding yes\nallowagentforwarding no\nx11forwarding no";
    assert_eq!(judged(&closed, server, true, program(0o100755)), []);
}

#[test]
fn each_spoiled_line_is_named() {
    let (good, command) = (good(), command());
    let only = |options: &str| format!("{options} {KEY}");
    let table: [(State, &str, usize, String, &str); 23] = [
        (Bad, "comes in without a code", 1, KEY.to_owned(), ""),
        (Bad, "(a@b) comes in without", 1, only("restrict,pty"), ""),
        (Bad, "not /k:2 with its code", 1, format!("{KEY}\n{good}"), ""),
        (Bad, "not /k:2 with its code", 1, format!("{}\n{good}", only("from=\"10.0.0.1\"")), ""),
        (Warning, "since /k:1 is first", 2, format!("{good}\n{KEY}"), ""),
        (Bad, "where /k:1 does not hold", 2, format!("from=\"h\",{good}\n{KEY}"), ""),
        (Bad, "where /k:1 does not hold", 2, format!("expiry-time=\"20310101\",{good}\n{KEY}"), ""),
        (Bad, "two command=", 1, only(&format!("{command},{command}")), ""),
        (Bad, "no option sudo", 1, only("sudo"), ""),
        (Warning, "no key in it", 1, "ssh-ed25519 nonsense".to_owned(), ""),
        (
            Bad,
            "forwarded here before any code",
            1,
            only(&format!("pty,no-agent-forwarding,no-X11-forwarding,no-user-rc,{command}")),
            "",
        ),
        (Bad, "forwarded here before any code", 1, only(&format!("restrict,pty,port-forwarding,{command}")), ""),
        (Warning, "agent or X11", 1, only(&format!("restrict,agent-forwarding,{command}")), ""),
        (Warning, "agent or X11", 1, only(&format!("restrict,X11-forwarding,{command}")), ""),
        (Bad, "~/.ssh/rc runs", 1, only(&format!("restrict,user-rc,{command}")), ""),
        (
            Bad,
            "environment= sets",
            1,
            only(&format!("restrict,pty,environment=\"A=b\",{command}")),
            "permituserenvironment yes",
        ),
        (Bad, "another key", 1, good.replace(KEY, OTHER), ""),
        (Bad, "not sure to ask", 1, only(&format!("restrict,{}", command.replace("otp --key", "otp; sh --key"))), ""),
        (Bad, "not sure to ask", 1, only("restrict,command=\"/usr/bin/ssh-otp JBSWY3DPEHPK3PXP\""), ""),
        (Warning, "runs rrsync /a without a code", 1, only("restrict,command=\"rrsync /a\""), ""),
        (Bad, "forwards sockets", 1, only("command=\"rrsync /a\""), ""),
        (Bad, "certificate of this authority", 1, only("cert-authority,principals=\"a\""), ""),
        (Warning, "without exec", 1, only(&format!("restrict,pty,{}", command.replace("exec ", ""))), ""),
    ];
    for (state, text, number, spoiled, changed) in table {
        let findings = judged(&spoiled, changed, true, program(0o100755));
        let [finding] = &findings[..] else { panic!("{spoiled}: {findings:?}") };
        assert!(finding.state == state && finding.line.contains(text), "{spoiled}: {finding:?}");
        assert_eq!(finding.at.as_deref(), Some(format!("/k:{number}").as_str()), "{spoiled}");
        assert!(finding.change.is_some() != finding.run.is_some(), "{spoiled}: {finding:?}");
    }
}

#[test]
fn the_line_to_write_keeps_the_command() {
    let spoiled = format!("command=\"/usr/bin/ssh-otp --key SHA256:wrong -- sh -c 'echo \\\"a\\\"'\" {KEY}");
    let findings = judged(&spoiled, "", false, program(0o100755));
    let better =
        format!("restrict,pty,command=\"exec /usr/bin/ssh-otp --key {} -- sh -c 'echo \\\"a\\\"'\"", fingerprint());
    assert!(findings.iter().all(|finding| finding.change.as_ref() == Some(&better)), "{findings:?}");
    assert_eq!(judged(&format!("{better} {KEY}"), "", false, program(0o100755)), []);
}

#[test]
fn the_program_that_asks_must_be_there_and_safe() {
    for (seen, text) in [
        (Seen::Missing, "there is no /usr/bin/ssh-otp"),
        (Seen::Unseen("denied".to_owned()), "denied"),
        (program(0o100644), "not executable"),
        (program(0o100777), "others can change /usr/bin/ssh-otp"),
    ] {
        let findings = judged(&good(), "", false, seen);
        assert!(findings.len() == 1 && findings[0].line.contains(text), "{findings:?}");
    }
}

#[test]
fn root_may_be_left_forced_commands_only() {
    assert_eq!(judged(KEY, "permitrootlogin forced-commands-only", false, program(0o100755)), []);
    assert_eq!(
        judged(&format!("restrict,command=\"x\" {KEY}"), "permitrootlogin forced-commands-only", false, Seen::Missing)
            .len(),
        1
    );
}

#[test]
fn the_usual_file_need_not_be_named() {
    let run_for = |file: &str, account| {
        let settings = settings("");
        let programs = HashMap::new();
        let facts = Facts {
            settings: &settings,
            root: false,
            rc: false,
            programs: &programs,
            uid: 1,
            usual_file: "/usual",
            account,
        };
        judge(&lines(file, KEY), &facts).remove(0).run
    };
    let run = |file| run_for(file, None);
    let install = format!("oathgate ssh install {}", fingerprint());
    assert_eq!(run("/usual"), Some(install.clone()));
    assert_eq!(run("/other"), Some(format!("{install} --file /other")));
    assert_eq!(run_for("/usual", Some("alice")), Some(format!("{install} --account alice")));
    assert_eq!(run_for("/other", Some("alice")), Some(format!("{install} --account alice --file /other")));
}
