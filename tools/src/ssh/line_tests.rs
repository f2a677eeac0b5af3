use super::*;

const TYPE: &str = "ssh-ed25519";
const BLOB: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn key() -> Fingerprint {
    Fingerprint::of_key(TYPE, BLOB).unwrap()
}

fn gate() -> Gate {
    Gate { program: "/usr/bin/ssh-otp".to_owned(), user_store: false, forwardings: vec![] }
}

fn ours() -> String {
    format!("restrict,pty,command=\"exec /usr/bin/ssh-otp --key {}\"", key())
}

fn line(options: &str) -> String {
    if options.is_empty() { format!("{TYPE} {BLOB} a comment") } else { format!("{options} {TYPE} {BLOB} a comment") }
}

fn install(text: &str) -> Result<Option<String>, Objection> {
    let line = KeyLine::parse(text.as_bytes()).expect("a line with a key");
    Ok(line.install(&gate())?.map(|bytes| String::from_utf8(bytes).unwrap()))
}

fn remove(text: &str) -> Result<Option<String>, Objection> {
    let line = KeyLine::parse(text.as_bytes()).expect("a line with a key");
    Ok(line.remove()?.map(|bytes| String::from_utf8(bytes).unwrap()))
}

#[test]
fn a_plain_line() {
    assert_eq!(install(&line("")), Ok(Some(line(&ours()))));
}

#[test]
fn installing_twice_changes_nothing() {
    assert_eq!(install(&line(&ours())), Ok(None));
    assert_eq!(install(&line(&format!("{},from=\"10.0.0.1\"", ours()))), Ok(None));
}

#[test]
fn what_is_safe_is_kept() {
    for options in [
        "from=\"10.0.0.0/8,*.example.com\"",
        "expiry-time=\"20310101\"",
        "from=\"a\\\"b,c d\",no-user-rc",
        "restrict",
        "RESTRICT,pty",
        "no-port-forwarding,no-X11-forwarding,no-agent-forwarding",
        "verify-required,no-touch-required",
        "permitopen=\"host:80\",permitlisten=\"8080\"",
    ] {
        let installed = install(&line(options)).unwrap().unwrap();
        assert_eq!(installed, line(&format!("{},{options}", ours())));
        assert_eq!(remove(&installed), Ok(Some(line(options))), "and comes back as it was");
    }
}

#[test]
fn what_opens_a_way_around_is_refused() {
    for (options, objection) in [
        ("command=\"rrsync /srv\"", Objection::Command),
        ("restrict,Command=\"x\"", Objection::Command),
        ("cert-authority", Objection::Authority),
        ("port-forwarding", Objection::Option("port-forwarding".to_owned())),
        ("agent-forwarding", Objection::Option("agent-forwarding".to_owned())),
        ("X11-forwarding", Objection::Option("x11-forwarding".to_owned())),
        ("user-rc", Objection::Option("user-rc".to_owned())),
        ("tunnel=\"0\"", Objection::Option("tunnel".to_owned())),
        ("environment=\"BASH_ENV=x\"", Objection::Option("environment".to_owned())),
        ("principals=\"alice\"", Objection::Option("principals".to_owned())),
        ("from=\"a\",something-new", Objection::Option("something-new".to_owned())),
    ] {
        assert_eq!(install(&line(options)), Err(objection), "{options}");
    }
    let behind = format!("{},port-forwarding", ours());
    assert_eq!(install(&line(&behind)), Err(Objection::Option("port-forwarding".to_owned())));
    assert_eq!(install(&line(&format!("{},command=\"x\"", ours()))), Err(Objection::Command));
}

#[test]
fn another_program_store_or_key_is_brought_up_to_date() {
    let other = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";
    for old in [
        format!("restrict,pty,command=\"exec /opt/bin/ssh-otp --key {}\"", key()),
        format!("restrict,pty,command=\"exec /usr/bin/ssh-otp --user-store --key {}\"", key()),
        format!("restrict,pty,command=\"exec /usr/bin/ssh-otp --key {other}\""),
    ] {
        assert_eq!(install(&line(&old)), Ok(Some(line(&ours()))));
        assert_eq!(install(&line(&format!("{old},from=\"x\""))), Ok(Some(line(&format!("{},from=\"x\"", ours())))));
    }
}

#[test]
fn what_only_looks_like_ours_is_a_command_of_somebody_elses() {
    for command in [
        format!("exec /usr/bin/ssh-otp --key {} -- sh", key()),
        format!("exec /usr/bin/ssh-otp; --key {}", key()),
        format!("exec /usr/bin/not-ssh-otp2 --key {}", key()),
        "exec /usr/bin/ssh-otp".to_owned(),
        "exec /usr/bin/ssh-otp --key SHA256:x".to_owned(),
    ] {
        let options = format!("restrict,pty,command=\"{command}\"");
        assert_eq!(install(&line(&options)), Err(Objection::Command), "{command}");
        assert!(!KeyLine::parse(line(&options).as_bytes()).unwrap().is_gated());
    }
}

#[test]
fn removing_restores_the_line() {
    assert_eq!(remove(&line(&ours())), Ok(Some(line(""))));
    assert_eq!(remove(&line("")), Ok(None));
    assert_eq!(remove(&line("from=\"x\"")), Ok(None));
    assert_eq!(remove(&line("command=\"other\"")), Ok(None));
    let edited = format!("command=\"exec /usr/bin/ssh-otp --key {}\"", key());
    assert_eq!(remove(&line(&edited)), Err(Objection::Edited));
}

#[test]
fn every_other_byte_stays() {
    let odd = format!(" \t{TYPE}  {BLOB}\t caf\u{e9} \"# x\r\n");
    let installed = install(&odd).unwrap().unwrap();
    assert_eq!(installed, format!(" \t{} {TYPE}  {BLOB}\t caf\u{e9} \"# x\r\n", ours()));
    assert_eq!(remove(&installed), Ok(Some(odd)));
    let spaced = format!("from=\"x\" \t {TYPE} {BLOB}");
    let installed = install(&spaced).unwrap().unwrap();
    assert_eq!(remove(&installed), Ok(Some(spaced)));
    let latin1 = [line("").as_bytes(), b" caf\xe9"].concat();
    let parsed = KeyLine::parse(&latin1).unwrap();
    assert!(parsed.install(&gate()).unwrap().unwrap().ends_with(b" caf\xe9"));
}

#[test]
fn lines_without_a_key() {
    let commented = format!("# {TYPE} {BLOB}");
    let in_comment = format!("not options {TYPE} {BLOB}");
    let open_quote = format!("from=\"x {TYPE} {BLOB}");
    let in_quotes = format!("command=\"{TYPE} {BLOB}\"");
    for text in ["", "  \t", "#", &commented, &in_comment, &open_quote, &in_quotes, TYPE, "ssh-ed25519 AAAA"] {
        assert_eq!(KeyLine::parse(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn a_gate_counts_only_for_its_own_key() {
    let gated = |text: &str| KeyLine::parse(text.as_bytes()).unwrap().is_gated();
    assert!(gated(&line(&ours())));
    assert!(!gated(&line("")));
    let other = ours().replace(&key().to_string(), "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU");
    assert!(!gated(&line(&other)));
}

#[test]
fn whether_there_is_a_terminal_to_ask_on() {
    for (options, without) in
        [("", false), ("restrict", true), ("restrict,pty", false), ("no-pty", true), ("pty,no-pty", true)]
    {
        let text = line(options);
        assert_eq!(KeyLine::parse(text.as_bytes()).unwrap().is_without_terminal(), without, "{options}");
        let installed = install(&text).unwrap().unwrap();
        assert_eq!(KeyLine::parse(installed.as_bytes()).unwrap().is_without_terminal(), without, "{options}");
    }
}

#[test]
fn paths_as_shells_read_them() {
    for plain in ["/usr/bin/ssh-otp", "/home/a.b/.local/bin/ssh-otp", "/opt/x+y_1/ssh-otp"] {
        assert_eq!(shell_word(plain).as_deref(), Some(plain));
    }
    for quoted in ["/a b/ssh-otp", "/$HOME/x", "/a;b", "/\u{e4}", "/a%b", "/~x", "/a#b", "/`x`", "/a*"] {
        assert_eq!(shell_word(quoted), Some(format!("'{quoted}'")));
    }
    for bad in ["", "ssh-otp", "./ssh-otp", "/a\"/ssh-otp", "/a'/x", "/a\n", "/a\\b", "/a!b", "/a\u{7f}"] {
        assert_eq!(shell_word(bad), None, "{bad:?}");
    }
}

#[test]
fn a_path_with_blanks_goes_in_and_out_again() {
    let gate = Gate { program: shell_word("/home/a b/ssh-otp").unwrap(), user_store: true, forwardings: vec![] };
    let plain = line("from=\"x\"");
    let installed = KeyLine::parse(plain.as_bytes()).unwrap().install(&gate).unwrap().unwrap();
    let installed = String::from_utf8(installed).unwrap();
    let options = format!("restrict,pty,command=\"exec '/home/a b/ssh-otp' --user-store --key {}\",from=\"x\"", key());
    assert_eq!(installed, line(&options));
    let parsed = KeyLine::parse(installed.as_bytes()).unwrap();
    assert!(parsed.is_gated());
    assert_eq!(parsed.install(&gate), Ok(None));
    assert_eq!(remove(&installed), Ok(Some(plain)));
    let half = installed.replace("ssh-otp' ", "ssh-otp ");
    assert!(!KeyLine::parse(half.as_bytes()).unwrap().is_gated());
}

#[test]
fn only_the_forwardings_that_were_asked_for_stay_open() {
    let gate = Gate { forwardings: vec![Forwarding::X11, Forwarding::Port], ..gate() };
    let plain = line("");
    let installed = KeyLine::parse(plain.as_bytes()).unwrap().install(&gate).unwrap().unwrap();
    let installed = String::from_utf8(installed).unwrap();
    assert!(installed.starts_with("restrict,pty,port-forwarding,X11-forwarding,command=\""), "{installed}");
    assert!(KeyLine::parse(installed.as_bytes()).unwrap().is_gated());
    assert_eq!(KeyLine::parse(installed.as_bytes()).unwrap().install(&gate), Ok(None));
    assert_eq!(install(&installed), Ok(Some(line(&ours()))), "and close again without");
    assert_eq!(remove(&installed), Ok(Some(plain)));
    let own = line("port-forwarding");
    let kept = KeyLine::parse(own.as_bytes()).unwrap().install(&gate).unwrap().unwrap();
    assert_eq!(remove(&String::from_utf8(kept).unwrap()), Ok(Some(own)));
    let agent = line("agent-forwarding");
    assert!(KeyLine::parse(agent.as_bytes()).unwrap().install(&gate).is_err());
}

#[test]
fn a_return_behind_the_type_makes_no_key() {
    assert_eq!(KeyLine::parse(format!("{TYPE}\r {BLOB} a comment\n").as_bytes()), None, "sshd skips it");
    assert!(KeyLine::parse(format!("{TYPE} {BLOB}\r\n").as_bytes()).is_some());
}
