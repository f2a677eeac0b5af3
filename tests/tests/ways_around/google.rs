//! Beside google-authenticator: some logins by password and its code, others by
//! a key and ours.

use crate::world::{World, came_around, kept_out};

/// PAM asks whoever has no key.
const PAM: [&str; 2] = ["UsePAM yes", "KbdInteractiveAuthentication yes"];

fn world(further: &[&str]) -> Option<World> {
    let module =
        ["/lib/x86_64-linux-gnu/security", "/lib/aarch64-linux-gnu/security", "/lib64/security", "/lib/security"];
    if !module.iter().any(|folder| std::path::Path::new(folder).join("pam_google_authenticator.so").exists()) {
        eprintln!("skipped: needs pam_google_authenticator.so");
        return None;
    }
    World::gated("/bin/sh", &[&PAM, further].concat())
}

#[test]
fn each_login_is_asked_for_one_code() {
    let Some(world) = world(&[]) else { return };
    // The key's line asks for ours, and PAM for nothing.
    kept_out(&world.client().run("echo around", None));
    let refused = world.by_password("keyboard-interactive", "11111111");
    assert_eq!((refused.code(), refused.text().as_str()), (Some(255), ""), "{}", refused.stderr);
    came_around(&world.by_password("keyboard-interactive", "12345678"));
    let (code, findings) = world.doctor();
    assert!(code == Some(0) && findings.iter().all(|finding| finding["state"] == "warning"), "{findings:#?}");
    assert!(!format!("{findings:?}").contains("two codes"), "{findings:#?}");
}

#[test]
fn a_login_that_is_asked_for_both_is_named() {
    let Some(world) = world(&["AuthenticationMethods publickey,keyboard-interactive"]) else { return };
    let both = world.by_password("publickey,keyboard-interactive", "12345678");
    kept_out(&both);
    let (code, findings) = world.doctor();
    let named = findings.iter().any(|finding| {
        finding["state"] == "warning"
            && finding["line"].as_str().is_some_and(|line| line.contains("two codes"))
            && finding["at"].as_str().is_some_and(|place| place.contains("sshd_config:3"))
    });
    assert!(code == Some(0) && named, "{findings:#?}");
}

/// A password method that goes past google-authenticator's line is a way around.
#[test]
fn a_way_past_googles_line_is_named() {
    let Some(world) = world(&[]) else { return };
    let file = world.folder().join("pam.d/sshd");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("auth required pam_unix.so", "auth sufficient pam_unix.so")).unwrap();
    came_around(&world.by_password("keyboard-interactive", "11111111"));
    world.named("leads past pam_google_authenticator.so", "/etc/pam.d/sshd:1");
    world.named("keyboard-interactive logs in to walker without a code", "sshd_config:2");
}
