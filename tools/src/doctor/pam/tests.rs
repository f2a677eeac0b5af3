use super::stack::testing::stack;
use super::*;

const DEBIAN: (&str, &str) = (
    "common-auth",
    "auth [success=1 default=ignore] pam_unix.so nullok\nauth requisite pam_deny.so\nauth required pam_permit.so\n\
     auth optional pam_cap.so\n",
);

/// The line that leads around, as the guard names it.
fn loose(files: &[(&str, &str)]) -> Option<String> {
    match stack(files).guard(OATHGATE) {
        Guard::Firm => None,
        Guard::Absent => Some("absent".to_owned()),
        Guard::Loose(entry) => Some(entry.place.clone()),
    }
}

#[test]
fn stacks_that_always_ask() {
    for text in [
        "auth required pam_oathgate.so",
        "auth requisite /lib/security/pam_oathgate.so\n",
        "AUTH\tRequired \\\n pam_oathgate.so nullok # a note",
        "-auth required pam_oathgate.so",
        "@include common-auth\nauth required pam_oathgate.so",
        "auth required pam_oathgate.so\n@include common-auth",
        "auth substack common-auth\nauth required pam_oathgate.so",
        "auth include common-auth\nauth required pam_oathgate.so",
        // What a substack's sufficient ends is the substack.
        "auth substack sufficient\nauth required pam_oathgate.so",
        "auth [success=1 default=ignore] pam_oathgate.so\nauth requisite pam_deny.so\nauth required pam_permit.so",
        "auth sufficient pam_oathgate.so\nauth required pam_deny.so",
        "auth [success=done default=die] pam_oathgate.so\nauth required pam_permit.so",
        // A jump that lands before the module, and one over a whole substack.
        "auth [success=1 default=ignore] pam_succeed_if.so\nauth required pam_unix.so\nauth required pam_oathgate.so",
        "auth [success=1 default=ignore] pam_rootok.so\nauth substack common-auth\nauth required pam_oathgate.so",
        "auth [success=2 default=ignore] pam_rootok.so\n@include common-auth\nauth required pam_oathgate.so",
        // Nobody's success is no success.
        "auth [success=1 default=1] pam_debug.so\nauth required pam_oathgate.so\nauth optional pam_deny.so",
    ] {
        let sufficient = ("sufficient", "auth sufficient pam_unix.so\nauth required pam_deny.so\n");
        assert_eq!(loose(&[("sshd", text), DEBIAN, sufficient]), None, "{text}");
    }
}

#[test]
fn ways_around_are_named_by_their_line() {
    for (text, place) in [
        ("auth required pam_unix.so\n", "absent"),
        ("account required pam_oathgate.so\n@include common-auth", "absent"),
        ("auth sufficient pam_unix.so\nauth required pam_oathgate.so", "sshd:1"),
        ("#\n\nauth [success=done default=ignore] pam_unix.so\nauth required pam_oathgate.so", "sshd:3"),
        (
            "auth [success=1 default=ignore] pam_succeed_if.so\nauth required pam_oathgate.so\nauth required pam_unix.so",
            "sshd:1",
        ),
        (
            "auth [success=ok default=1] pam_access.so\nauth required pam_oathgate.so\nauth required pam_permit.so",
            "sshd:1",
        ),
        ("auth include sufficient\nauth required pam_oathgate.so", "sufficient:1"),
        ("@include common-auth\nauth optional pam_oathgate.so", "sshd:2"),
        ("@include common-auth\nauth sufficient pam_oathgate.so", "sshd:2"),
        ("@include common-auth\nauth [success=ok default=ignore] pam_oathgate.so", "sshd:2"),
        ("auth [success=1 default=ignore] pam_oathgate.so\nauth required pam_unix.so", "sshd:1"),
        ("auth substack jump\nauth required pam_permit.so", "jump:1"),
    ] {
        let sufficient = ("sufficient", "auth sufficient pam_unix.so\n");
        let jump = ("jump", "auth [success=3 default=ignore] pam_unix.so\nauth required pam_oathgate.so\n");
        let found = loose(&[("sshd", text), DEBIAN, sufficient, jump]);
        assert_eq!(found.as_deref(), Some(place), "{text}");
    }
}

#[test]
fn what_could_not_be_read_is_said() {
    let unseen = |text: &str| stack(&[("sshd", text)]).unseen;
    assert_eq!(unseen("auth required pam_unix.so"), [""; 0]);
    assert!(unseen("@include gone")[0].starts_with("gone: "));
    assert!(unseen("auth include sshd").last().unwrap().contains("too deep"));
    assert!(unseen("auth [success=maybe] pam_unix.so")[0].starts_with("sshd:1: "));
    assert!(unseen("auth always pam_unix.so")[0].contains("no control"));
    // Linux-PAM falls back to `other` where there is no such service.
    let other = stack(&[("other", "auth required pam_deny.so")]);
    assert_eq!(other.entries.len(), 1);
}

#[test]
fn arguments_are_found() {
    let stack = stack(&[("sshd", "auth required pam_oathgate.so nullok [authtok_prompt=a b]"), DEBIAN]);
    let line = stack.lines(OATHGATE).next().unwrap();
    assert!(line.has("nullok") && line.has("authtok_prompt=a b") && !line.has("null"));
    assert!(!stack.asks_password());
}
