//! Ways past the code in PAM's lines and sshd's: that each works, and that
//! `oathgate doctor ssh` names it.

use oathgate_tests::process::Finished;

use crate::world::{README, World, possible, try_code, without_prompt};

/// As the README has it, but for this.
fn but(line: &'static str) -> Vec<&'static str> {
    std::iter::once(line).chain(README).collect()
}

fn named(world: &World, line: &str, place: &str) {
    let (code, said) = world.doctor();
    let bad = said.split("BAD ").skip(1).any(|finding| finding.contains(line) && finding.contains(place));
    assert!(bad && code == Some(1) && !said.contains("good"), "{line:?} at {place:?}: {code:?}\n{said}");
}

#[test]
fn what_the_readme_says_is_good() {
    if !possible() {
        return;
    }
    let world = World::new();
    let alice = world.enrol("alice");
    let (code, said) = world.doctor();
    assert_eq!((code, said.lines().count()), (Some(0), 1), "{said}");
    assert!(said.starts_with("good  each way in to root "), "{said}");
    assert!(try_code(&alice.client, &alice.device.code(0)));
}

#[test]
fn a_line_before_the_module_leads_past_it() {
    if !possible() {
        return;
    }
    for line in ["auth sufficient pam_permit.so\n", "auth [success=done default=ignore] pam_permit.so\n"] {
        let world = World::behind(line, "", &README);
        let alice = world.enrol("alice");
        assert!(without_prompt(&alice.client));
        named(&world, "leads past pam_oathgate.so", "/etc/pam.d/sshd:1");
    }
}

#[test]
fn a_jump_over_the_module_leads_past_it() {
    if !possible() {
        return;
    }
    // It lands at the end, where it is enough that something said yes before.
    let world =
        World::behind("auth optional pam_permit.so\nauth [success=1 default=ignore] pam_permit.so\n", "", &README);
    let alice = world.enrol("alice");
    assert!(without_prompt(&alice.client));
    named(&world, "leads past pam_oathgate.so", "/etc/pam.d/sshd:2");
}

#[test]
fn a_key_alone_where_pam_is_not_asked() {
    if !possible() {
        return;
    }
    let world = World::with("", &["UsePAM yes", "KbdInteractiveAuthentication yes"]);
    let alice = world.enrol("alice");
    let finished: Finished = alice.client.run("echo in", None);
    assert_eq!(finished.text(), "in\n", "{}", finished.stderr);
    named(&world, "a key alone logs in to root", "sshd_config");
}

#[test]
fn roots_code_that_sshd_hides() {
    if !possible() {
        return;
    }
    let world = World::with("", &but("PermitRootLogin prohibit-password"));
    let alice = world.enrol("alice");
    assert!(!try_code(&alice.client, &alice.device.code(0)));
    named(&world, "hides root's code from PAM", "sshd_config:1");
}

#[test]
fn whoever_has_nothing_enrolled_comes_in_by_nullok() {
    if !possible() {
        return;
    }
    let world = World::behind("auth optional pam_permit.so\n", "nullok", &README);
    let stranger = world.stranger("stranger");
    assert!(without_prompt(&stranger));
    let (code, said) = world.doctor();
    assert!(code == Some(0) && said.contains("look  nullok"), "{said}");
}
