//! The options, by the real libpam against the real verifier, with other
//! modules before and behind.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use oathgate_tests::oathgated::{Device, Oathgated, hotp};
use oathgate_tests::process::{Finished, run};
use otp_wire::Ask;
use otp_wire::message::CredentialName;

use crate::world::{Pam, module, prompts, result};

/// An account that every Debian has.
const ACCOUNT: &str = "daemon";
const ADDRESS: [&str; 2] = ["--rhost", "192.0.2.7"];

struct World {
    pam: Pam,
    service: Oathgated,
}

impl World {
    fn new() -> Self {
        let (pam, service) = (Pam::new(""), Oathgated::start());
        // What stands in PAM_AUTHTOK, as a module sees it; it asks where there is nothing.
        let script = pam.folder().join("see");
        fs::write(&script, format!("#!/bin/sh\ntr -d '\\0' > {}/seen\n", pam.folder().display())).expect("our folder");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("our script");
        Self { pam, service }
    }

    fn enrol(&self) -> Device {
        self.service.administrator().enrol(hotp(ACCOUNT, ACCOUNT, None, "phone"))
    }

    fn options(&self, options: &str) {
        self.around("", options, "");
    }

    fn around(&self, before: &str, options: &str, behind: &str) {
        let (module, socket) = (module().display().to_string(), self.service.root_socket().display().to_string());
        let see = format!("auth required pam_exec.so quiet expose_authtok {}/see\n", self.pam.folder().display());
        let stack =
            format!("{before}auth requisite {module} socket={socket} {options}\n{behind}").replace("SEE\n", &see);
        self.pam.configure(&stack);
    }

    /// What the last `SEE` saw.
    fn seen(&self) -> String {
        let path = self.pam.folder().join("seen");
        let seen = fs::read_to_string(&path).unwrap_or_default();
        let _ = fs::remove_file(path);
        seen
    }

    fn login(&self, more: &[&str], typed: &str) -> Finished {
        run(&mut self.pam.host("su", ACCOUNT, more), format!("{typed}\n").as_bytes())
    }

    fn comes_in(&self, typed: &str) -> bool {
        result(&self.login(&[], typed)) == "PAM_SUCCESS"
    }
}

#[test]
fn a_prompt_of_ones_own_is_shown_as_it_stands_in_brackets() {
    let world = World::new();
    let device = world.enrol();
    world.options("[authtok_prompt=Your = c\u{f6}de [6\\]: ] echo_verification_code");
    let said = world.login(&[], &device.code(0)).text();
    assert_eq!(said, "Echoed \"Your = c\u{f6}de [6]: \"\nresult PAM_SUCCESS\n");
    for torn in ["authtok_prompt=[Your code: ]", "\"authtok_prompt=Your code: \"", "[authtok_prompt=]"] {
        world.options(torn);
        assert_eq!(result(&world.login(&[], &device.code(1))), "PAM_AUTHINFO_UNAVAIL", "{torn}");
    }
}

#[test]
fn the_password_goes_on_to_the_next_module() {
    let world = World::new();
    let device = world.enrol();
    world.around("", "forward_pass", "SEE\n");
    for (code, password) in [
        (device.code(0), "secret"),
        (device.code(1), "secret99"),
        (device.code(2), "\"\\ \u{fc}\u{7f}"),
        (device.code(3), ""),
        (device.scratch(0), "secret"),
    ] {
        let finished = world.login(&[], &format!("{password}{code}"));
        assert_eq!((result(&finished).as_str(), prompts(&finished)), ("PAM_SUCCESS", 1), "{password}");
        assert!(finished.text().starts_with("Hidden \"Password & verification code: \"\n"));
        assert_eq!(world.seen(), password);
    }
    for typed in ["secret", "secret12345", &format!("secret{}", device.code(3)), &device.wrong_code()] {
        let finished = world.login(&[], typed);
        assert_eq!((result(&finished).as_str(), prompts(&finished)), ("PAM_AUTH_ERR", 1), "{typed}");
        assert_eq!(world.seen(), "", "nothing goes on");
    }
}

#[test]
fn the_first_pass_comes_from_the_module_before() {
    let world = World::new();
    let device = world.enrol();
    // pam_exec asks for a password, and leaves it in PAM_AUTHTOK.
    for (options, typed, password) in [
        ("use_first_pass", format!("secret{}", device.code(0)), format!("secret{}", device.code(0))),
        ("use_first_pass forward_pass", format!("secret{}", device.code(1)), "secret".to_owned()),
        ("try_first_pass forward_pass", device.code(2), String::new()),
    ] {
        world.around("SEE\n", options, "SEE\n");
        let finished = world.login(&[], &typed);
        assert_eq!((result(&finished).as_str(), prompts(&finished)), ("PAM_SUCCESS", 1), "{options}");
        assert_eq!(world.seen(), password, "{options}");
    }
    world.around("SEE\n", "try_first_pass", "SEE\n");
    let finished = world.login(&[], &format!("secret\n{}", device.code(3)));
    assert_eq!((result(&finished).as_str(), prompts(&finished)), ("PAM_SUCCESS", 2), "a password, then a code");
    assert_eq!(world.seen(), "secret");
    world.around("SEE\n", "use_first_pass", "");
    assert_eq!(result(&world.login(&[], "secret")), "PAM_AUTH_ERR");
}

#[test]
fn grace_spares_the_code_and_not_the_password() {
    let world = World::new();
    let device = world.enrol();
    world.around("", "forward_pass grace_period=600", "SEE\n");
    let login = |more: &[&str], typed: &str| {
        let finished = world.login(more, typed);
        (result(&finished), finished.text().lines().next().unwrap_or_default().to_owned(), world.seen())
    };
    let both = "Hidden \"Password & verification code: \"".to_owned();
    let (yes, no, secret) = ("PAM_SUCCESS".to_owned(), "PAM_AUTH_ERR".to_owned(), "secret".to_owned());
    let first = login(&ADDRESS, &format!("secret{}", device.code(0)));
    assert_eq!(first, (yes.clone(), both.clone(), secret.clone()));
    assert_eq!(login(&ADDRESS, "secret"), (yes, "Hidden \"Password: \"".to_owned(), secret));
    for elsewhere in [&["--rhost", "192.0.2.8"][..], &["--rhost", "host.example"], &[]] {
        assert_eq!(login(elsewhere, "secret"), (no.clone(), both.clone(), String::new()), "{elsewhere:?}");
    }
    let ask = Ask::Disable(CredentialName { account: None, credential: device.0.credential.clone() });
    world.service.administrator().ask(ask);
    assert_eq!(login(&ADDRESS, "secret"), (no, both, String::new()), "it ends with the credential");
}

#[test]
fn grace_is_given_by_pam_alone_and_lasts_as_long_as_the_stack_says() {
    let mut world = World::new();
    let device = world.enrol();
    let passes = |world: &World, options: &str| {
        world.options(options);
        let finished = world.login(&ADDRESS, "");
        (prompts(&finished) == 0).then(|| assert_eq!(result(&finished), "PAM_SUCCESS")).is_some()
    };
    world.options("");
    assert_eq!(result(&world.login(&ADDRESS, &device.code(0))), "PAM_SUCCESS");
    assert!(!passes(&world, "grace_period=600"), "that code gave none");
    world.options("grace_period=600");
    assert_eq!(result(&world.login(&ADDRESS, &device.code(1))), "PAM_SUCCESS");
    assert!(passes(&world, "grace_period=600"));
    assert!(!passes(&world, "grace_period=1"), "a period that was shortened counts at once");
    assert!(!passes(&world, ""));
    world.service.stop();
    world.service.resume();
    assert!(passes(&world, "grace_period=86400"), "it is in the store");
}

#[test]
fn a_stack_demands_digits_and_narrows_the_window() {
    let world = World::new();
    let device = world.enrol();
    for (options, code, expected) in [
        ("digits=8", device.code(0), false),
        ("digits=6", device.code(0), true),
        ("window=2", device.code(4), false),
        ("window=2", device.code(3), true),
        ("window=255", device.code(15), false),
        ("window=255", device.code(14), true),
        ("window=0", device.code(15), true),
    ] {
        world.options(options);
        assert_eq!(world.comes_in(&code), expected, "{options}");
    }
}

#[test]
fn nullok_ends_with_its_day() {
    let world = World::new();
    world.around("", "nullok_until=9999-12-31", "auth required pam_permit.so\n");
    let finished = world.login(&[], "");
    assert_eq!((result(&finished).as_str(), prompts(&finished)), ("PAM_SUCCESS", 0));
    assert!(
        finished.text().starts_with("Info \"Set up a second factor. Days left without one: "),
        "{}",
        finished.text()
    );
    assert_eq!(world.login(&["--silent"], "").text(), "result PAM_SUCCESS\n");
    for (options, expected) in [
        ("nullok_until=2026-01-01", "PAM_AUTH_ERR"),
        ("nullok_until=2026-02-30", "PAM_AUTHINFO_UNAVAIL"),
        ("nullok_until=never", "PAM_AUTHINFO_UNAVAIL"),
    ] {
        world.around("", options, "auth required pam_permit.so\n");
        assert_eq!(result(&world.login(&[], "123456")), expected, "{options}");
    }
}

#[test]
fn a_scratch_code_tells_how_many_are_left() {
    let world = World::new();
    let device = world.enrol();
    world.options("");
    let said = world.login(&[], &device.scratch(3)).text();
    assert_eq!(said, "Hidden \"Verification code: \"\nInfo \"Scratch codes left: 9\"\nresult PAM_SUCCESS\n");
    let said = world.login(&["--silent"], &device.scratch(4)).text();
    assert_eq!(said, "Hidden \"Verification code: \"\nresult PAM_SUCCESS\n");
}

#[test]
fn pam_is_asked_to_wait_after_a_refusal() {
    let world = World::new();
    let device = world.enrol();
    for (options, code, range) in [
        ("", device.wrong_code(), 500_000..=1_500_000),
        ("nodelay", device.wrong_code(), 0..=0),
        ("", device.code(0), 0..=0),
    ] {
        world.options(options);
        let said = world.login(&["--delays"], &code).text();
        let delay = said.lines().find_map(|line| line.strip_prefix("delay ")?.parse().ok()).expect("a delay");
        assert!(range.contains(&delay), "{options}: {said}");
    }
}

/// A line of pam.d may be 10 kB long; libpam passes what it takes of it.
#[test]
fn a_huge_argument_shuts_the_door() {
    let world = World::new();
    let device = world.enrol();
    let words = ["x".repeat(10_240), format!("socket=/{}", "x".repeat(10_240)), "x ".repeat(5_120)];
    let prompt = format!("[authtok_prompt={}]", "x ".repeat(5_120));
    for (number, word) in (0..).zip(words.iter().chain([&prompt])) {
        world.around("", word, "auth required pam_permit.so\n");
        let finished = world.login(&[], &device.code(number));
        assert_eq!(prompts(&finished), 0, "{word:.20}");
        assert!(!finished.text().contains("SUCCESS") && finished.status.success(), "{}", finished.text());
    }
    world.options("");
    assert!(world.comes_in(&device.code(0)), "nothing was spent");
}
