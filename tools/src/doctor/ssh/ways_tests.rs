use super::*;
use crate::doctor::finding::State::{self, Bad, Warning};
use crate::doctor::pam::stack::testing::stack as stack_of;

/// sshd's settings where only keys lead in.
const KEYS: &str = "permitrootlogin yes\nusepam yes\npubkeyauthentication yes\npasswordauthentication no\n\
    kbdinteractiveauthentication no\nhostbasedauthentication no\ngssapiauthentication no\nauthenticationmethods any\n";

/// The same as the README has it for PAM.
const BOTH: &str = "kbdinteractiveauthentication yes\nauthenticationmethods publickey,keyboard-interactive";

const OURS: &str = "auth required pam_oathgate.so";
const PASSWORD: &str = "auth required pam_unix.so";
const BESIDE: &str = "auth required pam_unix.so\nauth required pam_google_authenticator.so";

struct Case<'a> {
    changed: &'a str,
    stack: &'a str,
    root: bool,
    gated: bool,
    open: bool,
}

/// A person whose keys all ask.
fn case<'a>(changed: &'a str, stack: &'a str) -> Case<'a> {
    Case { changed, stack, root: false, gated: true, open: false }
}

/// A person without a forced command.
fn plain<'a>(changed: &'a str, stack: &'a str) -> Case<'a> {
    Case { gated: false, open: true, ..case(changed, stack) }
}

/// sshd says each keyword once: what is changed takes the other's place.
fn settings(changed: &str) -> Effective {
    let keyword = |line: &str| line.split(' ').next().map(str::to_owned);
    let kept = KEYS.lines().filter(|line| changed.lines().all(|other| keyword(other) != keyword(line)));
    Effective::parse(&changed.lines().chain(kept).collect::<Vec<_>>().join("\n"))
}

fn judged(case: &Case<'_>) -> Judged {
    let (settings, written) = (settings(case.changed), Written::default());
    let stack = stack_of(&[("sshd", case.stack)]);
    let (account, service) = ("alice", "sshd");
    let Case { root, gated, open, .. } = *case;
    judge(&Login { account, root, settings: &settings, written: &written, stack: &stack, service, gated, open })
}

#[test]
fn nothing_is_said_where_each_way_asks() {
    for (case, lines_decide) in [
        (case("", PASSWORD), true),
        (case("usepam no\nkbdinteractiveauthentication yes", PASSWORD), true),
        (plain(BOTH, OURS), false),
        (
            plain("kbdinteractiveauthentication yes\nauthenticationmethods publickey,keyboard-interactive:pam", OURS),
            false,
        ),
        (plain("passwordauthentication yes\nauthenticationmethods publickey,password", OURS), false),
        // Beside google-authenticator: its logins by password, ours by key.
        (case("kbdinteractiveauthentication yes", BESIDE), true),
        (case("kbdinteractiveauthentication yes\nauthenticationmethods keyboard-interactive publickey", BESIDE), true),
        // Root may come by key only.
        (Case { root: true, ..case("passwordauthentication yes\npermitrootlogin without-password", PASSWORD) }, true),
        (Case { root: true, ..plain("passwordauthentication yes\npermitrootlogin no", PASSWORD) }, false),
        // A list with a method that is off leads nowhere.
        (case("authenticationmethods publickey password", PASSWORD), true),
    ] {
        let judged = judged(&case);
        assert_eq!((judged.findings, judged.lines_decide), (vec![], lines_decide), "{} {}", case.changed, case.stack);
    }
}

#[test]
fn each_way_without_a_code_is_named() {
    let root = |changed| Case { root: true, ..plain(changed, OURS) };
    let hidden = format!("{BOTH}\npermitrootlogin without-password");
    let table: [(State, &str, &str, Case<'_>); 18] = [
        (Bad, "password logs in", "PasswordAuthentication no", case("passwordauthentication yes", PASSWORD)),
        (Bad, "password logs in", "PasswordAuthentication no", case("passwordauthentication yes\nusepam no", OURS)),
        (
            Bad,
            "keyboard-interactive logs in",
            "KbdInteractiveAuthentication no",
            case("kbdinteractiveauthentication yes", PASSWORD),
        ),
        (Bad, "hostbased logs in", "HostbasedAuthentication no", case("hostbasedauthentication yes", PASSWORD)),
        (Bad, "gssapi-with-mic logs in", "GSSAPIAuthentication no", case("gssapiauthentication yes", PASSWORD)),
        (
            Bad,
            "password logs in",
            "AuthenticationMethods publickey",
            case("passwordauthentication yes\nauthenticationmethods publickey password", PASSWORD),
        ),
        (
            Bad,
            "hostbased logs in",
            "AuthenticationMethods publickey,keyboard-interactive",
            plain(
                "hostbasedauthentication yes\nkbdinteractiveauthentication yes\nauthenticationmethods publickey,keyboard-interactive hostbased",
                OURS,
            ),
        ),
        (
            Bad,
            "a key alone",
            "AuthenticationMethods publickey,keyboard-interactive",
            plain("kbdinteractiveauthentication yes", OURS),
        ),
        (Warning, "two codes: one by PAM, one", "oathgate ssh remove", case(BOTH, OURS)),
        (Warning, "two codes: one by PAM, one", "AuthenticationMethods publickey", case(BOTH, BESIDE)),
        (
            Warning,
            "ours and google-authenticator's",
            "one of the two lines",
            plain(BOTH, "auth required pam_oathgate.so\nauth required pam_google_authenticator.so"),
        ),
        (Warning, "nullok", "take nullok out", plain(BOTH, "auth required pam_oathgate.so nullok")),
        (Warning, "nullok", "take nullok out", plain(BOTH, "auth required pam_oathgate.so nullok_until=2031-01-31")),
        (
            Warning,
            "nullok",
            "take nullok out",
            case("kbdinteractiveauthentication yes", "auth required pam_google_authenticator.so nullok"),
        ),
        (
            Warning,
            "by the code alone",
            "require_publickey=no",
            plain(
                "kbdinteractiveauthentication yes\nauthenticationmethods keyboard-interactive",
                "auth required pam_oathgate.so require_publickey=no",
            ),
        ),
        (Bad, "hides root's code", "PermitRootLogin yes", root(&hidden)),
        (Bad, "pam_oathgate.so in sshd is never asked", "UsePAM yes", Case { open: false, ..plain("usepam no", OURS) }),
        (State::Unseen, "gone", "", plain(BOTH, "@include gone\nauth required pam_oathgate.so")),
    ];
    for (state, text, change, case) in table {
        let judged = judged(&case);
        let named = judged.findings.iter().filter(|finding| finding.line.contains(text)).collect::<Vec<_>>();
        let [finding] = named[..] else { panic!("{text}: {:?}", judged.findings) };
        assert_eq!(finding.state, state, "{text}");
        assert!(finding.change.as_deref().unwrap_or_default().contains(change), "{text}: {finding:?}");
        let usepam = usize::from(case.changed.contains("usepam no") && case.gated);
        assert_eq!(judged.findings.len(), 1 + usepam, "{text}: {:?}", judged.findings);
    }
}

#[test]
fn a_line_of_pam_that_leads_past_is_named() {
    let sufficient = "auth sufficient pam_unix.so\nauth required pam_oathgate.so";
    let findings = judged(&plain(BOTH, sufficient)).findings;
    assert!(
        findings.iter().any(|finding| finding.at.as_deref() == Some("sshd:1") && finding.line.contains("leads past")),
        "{findings:?}"
    );
    let optional = "auth required pam_unix.so\nauth optional pam_oathgate.so";
    let findings = judged(&plain(BOTH, optional)).findings;
    assert!(
        findings.iter().any(|finding| finding.at.as_deref() == Some("sshd:2") && finding.line.contains("refuses")),
        "{findings:?}"
    );
}
