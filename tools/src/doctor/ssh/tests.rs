use super::*;
use crate::doctor::finding::State::{Bad, Unseen, Warning};
use crate::doctor::pam::stack::testing::stack;
use crate::look::Node;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB";

fn alice() -> Person {
    Person { name: "alice".to_owned(), uid: 1000, gid: 1000, home: "/home/alice".into(), shell: "/bin/bash".into() }
}

fn gate(store: &str) -> String {
    let key = otp_core::Fingerprint::of_line(KEY).unwrap().0;
    format!("restrict,pty,command=\"exec /usr/bin/ssh-otp{store} --key {key}\" {KEY}\n")
}

fn file(text: &str, owner: u32, mode: u32) -> Seen {
    let node = |path: &str, uid, mode| Node { path: path.into(), uid, mode };
    Seen::File(Found { text: text.to_owned(), nodes: vec![node("/k", owner, mode), node("/", 0, 0o40755)] })
}

/// A host with its defaults but for passwords; keys in one file of root's.
fn clean() -> (Host, Home) {
    let settings = Effective::parse(
        "usepam yes\npubkeyauthentication yes\npasswordauthentication no\nkbdinteractiveauthentication no\n\
         hostbasedauthentication no\nauthenticationmethods any\npermitrootlogin yes\nacceptenv LANG LC_*\n\
         permituserenvironment no\nforcecommand none\npermittunnel no\nstrictmodes yes\n",
    );
    let stack = stack(&[("sshd", "auth required pam_unix.so")]);
    let host = Host { settings, written: Written::default(), stack, service: "sshd".to_owned(), own: true };
    let programs = HashMap::from([("/usr/bin/ssh-otp".to_owned(), file("", 0, 0o100755))]);
    let start_files =
        vec![("/home/alice/.bashrc".into(), file("[ -z \"$PS1\" ] && return\necho hi\n", 1000, 0o100644))];
    let keys = vec![("/k".into(), file(&gate(""), 0, 0o100644)), ("/k2".into(), Seen::Missing)];
    (host, Home { keys, rc: Seen::Missing, start_files, programs })
}

#[test]
fn nothing_is_said_of_a_clean_host() {
    let (host, mut home) = clean();
    assert_eq!(judge(&alice(), &host, &home), []);
    home.keys[0].1 = file(&gate(" --user-store"), 1000, 0o100600);
    assert_eq!(judge(&alice(), &host, &home), [], "nobody is bound by a store of their own");
}

type Spoil = fn(&mut Person, &mut Host, &mut Home);

#[test]
fn each_spoiled_home_is_named() {
    let table: [(State, &str, Spoil); 9] = [
        (Bad, "comes in without a code", |_, _, home| home.keys[1].1 = file(OTHER, 0, 0o100644)),
        (Warning, "can change /k, and take the code out", |_, _, home| {
            home.keys[0].1 = file(&gate(""), 1000, 0o100600)
        }),
        (Bad, "others can change /k: sshd may refuse", |_, _, home| home.keys[0].1 = file(&gate(""), 0, 0o100666)),
        (Bad, "others can change /k: sshd may refuse", |_, _, home| home.keys[0].1 = file(&gate(""), 7, 0o100644)),
        (Unseen, "denied", |_, _, home| home.keys[1].1 = Seen::Unseen("denied".to_owned())),
        (Unseen, "denied", |_, _, home| home.start_files[0].1 = Seen::Unseen("denied".to_owned())),
        (Unseen, "is a pattern", |_, _, home| home.keys[1].0 = "/etc/keys/*".into()),
        (Bad, "never runs a forced command", |person, _, _| person.shell = "/usr/sbin/nologin".into()),
        (Bad, "becomes another program", |_, _, home| home.start_files[0].1 = file("exec zsh\n", 1000, 0o100644)),
    ];
    for (state, text, spoil) in table {
        let (mut person, (mut host, mut home)) = (alice(), clean());
        spoil(&mut person, &mut host, &mut home);
        let findings = judge(&person, &host, &home);
        let [finding] = &findings[..] else { panic!("{text}: {findings:?}") };
        assert!(finding.state == state && finding.line.contains(text), "{text}: {finding:?}");
    }
}

#[test]
fn the_store_of_somebody_else_is_not_called_good() {
    let (mut host, mut home) = clean();
    let reach = Reach { user_store: false, socket: Some("/nonexistent".into()) };
    let asked = |host: &Host, home: &Home| stores(&reach, &alice(), host, &all_lines(&home.keys));
    let findings = asked(&host, &home);
    assert!(findings.len() == 1 && findings[0].state == Unseen, "{findings:?}");
    home.keys[0].1 = file(&gate(" --user-store"), 1000, 0o100600);
    host.own = false;
    let findings = asked(&host, &home);
    assert!(findings.len() == 1 && findings[0].line.contains("their own store"), "{findings:?}");
    home.keys.clear();
    assert_eq!(asked(&host, &home), [], "no code is asked for there");
    host.stack = stack(&[("sshd", "auth required pam_oathgate.so")]);
    assert_eq!(asked(&host, &home).len(), 1);
}

#[test]
fn without_strict_modes_sshd_does_not_mind() {
    let (mut host, mut home) = clean();
    host.settings =
        Effective::parse("usepam no\npasswordauthentication no\nstrictmodes no\nhostbasedauthentication no");
    home.keys[0].1 = file(&gate(""), 0, 0o100666);
    let findings = judge(&alice(), &host, &home);
    assert!(findings.len() == 1 && findings[0].line.contains("does not mind"), "{findings:?}");
}

#[test]
fn with_pam_the_lines_need_not_ask() {
    let (mut host, mut home) = clean();
    home.keys[0].1 = file(KEY, 1000, 0o100600);
    host.stack = stack(&[("sshd", "auth required pam_oathgate.so")]);
    let pam =
        "usepam yes\npasswordauthentication no\nauthenticationmethods publickey,keyboard-interactive\nacceptenv *\n";
    host.settings = Effective::parse(pam);
    assert_eq!(judge(&alice(), &host, &home), []);
    // One thing to change, not one for each key.
    host.settings = Effective::parse(&pam.replace("publickey,keyboard-interactive", "publickey"));
    let findings = judge(&alice(), &host, &home);
    assert!(findings.len() == 1 && findings[0].line.contains("a key alone"), "{findings:?}");
}

#[test]
fn names_of_files_are_expanded() {
    for (word, path) in [
        (".ssh/authorized_keys", "/home/alice/.ssh/authorized_keys"),
        ("%h/keys", "/home/alice/keys"),
        ("/etc/keys/%u", "/etc/keys/alice"),
        ("/etc/%U/100%%", "/etc/1000/100%"),
    ] {
        assert_eq!(expand(word, &alice()), Some(path.into()), "{word}");
    }
    assert_eq!(expand("none", &alice()), None);
}

#[test]
fn what_holds_elsewhere_is_not_called_good() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sshd_config");
    std::fs::write(&path, "Match User bob\nMatch all\nMatch User bob Address 10.0.0.0/8\n").unwrap();
    let written = Written::read(&path);
    let findings = elsewhere(&written, None, None);
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!((findings[0].state, findings[0].at.clone()), (Unseen, Some(format!("{}:3", path.display()))));
    let command = |account| elsewhere(&written, None, account).remove(0).run.unwrap();
    assert_eq!(command(None), "oathgate doctor ssh --address ADDRESS");
    assert_eq!(command(Some("alice")), "oathgate doctor ssh alice --address ADDRESS");
    assert_eq!(elsewhere(&written, Some(OUTSIDE), None), []);
}
