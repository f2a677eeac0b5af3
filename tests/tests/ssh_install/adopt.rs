//! Lines with a secret in them.

use oathgate_tests::process::run;
use otp_core::{Algorithm, Digits, Secret, otp};

use crate::world::World;

const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

/// The code of `SECRET` some steps from now.
fn code(ahead: u64) -> String {
    let seconds = run(std::process::Command::new("date").arg("+%s"), b"").text();
    let step = seconds.trim().parse::<u64>().unwrap() / 30 + ahead;
    otp::code(&Secret::from_base32(SECRET).unwrap(), Algorithm::Sha1, Digits::SIX, step).to_string()
}

#[test]
fn secrets_leave_the_file_and_their_codes_go_on() {
    let Some(world) = World::new() else { return };
    let other = world.sshd.key("other");
    let old = format!("command=\"/usr/bin/ssh-otp {SECRET}\"");
    world.write(&format!(
        "# mine\nfrom=\"127.0.0.1\",{old} {} ann@laptop\n{old} {} ann@phone\n",
        world.key.public, other.public
    ));
    let shown = world.oathgate(&["--user-store", "ssh", "adopt", "--account", "ann", "--yes"]);
    assert_eq!(shown.code(), Some(2), "the store is ann's: {}", shown.stderr);
    let dry = world.as_ann(&["--user-store", "ssh", "adopt", "--dry-run"]);
    assert_eq!(dry.code(), Some(0), "{}", dry.stderr);
    assert!(dry.text().contains("0-moved-to-oathgate") && !dry.text().contains(SECRET), "{}", dry.text());

    // The second key needs a code of hers, for she has one by then.
    let plain = world.sshd.key("plain");
    world.write(&(world.text() + &plain.public + "\n"));
    let mut session = world.client(&plain).session(Some(&world.typed("--user-store ssh adopt --yes")));
    session.expect("The secret of ann@laptop is in the store");
    session.expect("A code of yours is needed");
    session.send(&format!("{}\r", code(0)));
    let (status, said) = session.wait();
    assert_eq!(status, Some(0), "{said}");
    assert!(!said.contains(SECRET), "{said}");
    let text = world.text();
    assert!(!text.contains(SECRET) && text.contains("\",from=\"127.0.0.1\" ssh-ed25519"), "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("restrict,pty,command=\"exec ")).count(), 2, "{text}");
    for name in world.names() {
        let text = std::fs::read_to_string(world.home.join(".ssh").join(&name)).unwrap();
        assert!(!text.contains(SECRET), "{name}");
    }

    let login = world.client(&other).run("echo in", Some(&code(1)));
    assert_eq!((login.code(), login.text().as_str()), (Some(0), "in\n"), "{}", login.stderr);
    assert_eq!(world.client(&world.key).run("echo in", None).code(), Some(1));
    let again = world.as_ann(&["--user-store", "ssh", "adopt", "--yes"]);
    assert!(again.stderr.contains("no line with a secret"), "{}", again.stderr);
}

#[test]
fn a_short_secret_is_named_and_nothing_changes() {
    let Some(world) = World::new() else { return };
    world.write(&format!("command=\"/usr/bin/ssh-otp JBSWY3DPEHPK3PXP\" {} ann@laptop\n", world.key.public));
    let before = world.text();
    let refused = world.as_ann(&["--user-store", "ssh", "adopt", "--yes"]);
    assert_eq!(refused.code(), Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("80 bits") && refused.stderr.contains("enrol ann --ssh-key"), "{}", refused.stderr);
    assert_eq!((world.text(), world.names()), (before, vec!["authorized_keys".to_owned()]));

    // With a new code, the old secret is left out.
    let device = world.enrol(&world.key);
    let adopted = world.as_ann(&["--user-store", "ssh", "adopt", "--yes"]);
    assert_eq!(adopted.code(), Some(0), "{}", adopted.stderr);
    let login = world.client(&world.key).run("echo in", Some(&device.code(0)));
    assert_eq!(login.text(), "in\n", "{}", login.stderr);
}

/// Two credentials of one secret would take each code twice.
#[test]
fn a_second_key_of_a_device_is_not_a_second_device() {
    let Some(world) = World::new() else { return };
    let _service = world.service();
    let other = world.sshd.key("other");
    let old = format!("no-pty,command=\"exec ssh-otp {SECRET}\"");
    world.write(&format!("{old} {} ann@laptop\n", world.key.public));
    let adopt = || world.oathgate(&["ssh", "adopt", "--account", "ann", "--yes"]);
    assert_eq!(adopt().code(), Some(0));
    world.write(&(world.text() + &format!("{old} {} ann@laptop\n", other.public)));
    let refused = adopt();
    assert_eq!(refused.code(), Some(1), "{}{}", refused.text(), refused.stderr);
    let advised = refused.stderr.lines().find_map(|line| line.split("oathgate ").nth(1)).unwrap_or_default();
    assert!(advised.starts_with("key add SHA256:"), "{}", refused.stderr);
    let named = refused.stderr.split_once('(').and_then(|(_, rest)| rest.split_once(')')).unwrap().0;
    let advised: Vec<&str> = advised.split(' ').map(|word| if word == "ID" { named } else { word }).collect();
    let added = world.oathgate(&advised);
    assert_eq!((added.code(), adopt().code()), (Some(0), Some(0)), "{}", added.stderr);

    let typed = code(0);
    assert_eq!(world.client(&world.key).run("echo in", Some(&typed)).text(), "in\n");
    let again = world.client(&other).run("echo in", Some(&typed));
    assert!(again.stderr.contains("already used"), "{}", again.stderr);
}

#[test]
fn root_adopts_one_secret_on_two_keys_into_the_systems_store() {
    let Some(world) = World::new() else { return };
    let _service = world.service();
    let other = world.sshd.key("other");
    let old = format!("no-pty,command=\"exec ssh-otp {SECRET}\"");
    world.write(&format!("{old} {} ann@laptop\n{old} {} ann@laptop\n", world.key.public, other.public));
    let adopted = world.oathgate(&["ssh", "adopt", "--account", "ann", "--yes"]);
    assert_eq!(adopted.code(), Some(0), "{}{}", adopted.text(), adopted.stderr);
    assert!(!adopted.text().contains(SECRET) && adopted.text().contains("no terminal"), "{}", adopted.text());
    let listed = world.oathgate(&["list", "ann", "--json"]).text();
    assert_eq!(listed.matches("\"kind\":\"totp\"").count(), 1, "one device: {listed}");

    let typed = code(0);
    let login = world.client(&world.key).run("echo in", Some(&typed));
    assert_eq!(login.text(), "in\n", "{}", login.stderr);
    let again = world.client(&other).run("echo in", Some(&typed));
    assert!(again.stderr.contains("already used"), "the same device: {}", again.stderr);
    let login = world.client(&other).run("echo in", Some(&code(1)));
    assert_eq!(login.text(), "in\n", "{}", login.stderr);
    let removed = world.oathgate(&["ssh", "remove", "--all", "--account", "ann"]);
    assert_eq!(removed.code(), Some(0), "{}", removed.stderr);
    let plain = format!("no-pty {} ann@laptop\nno-pty {} ann@laptop\n", world.key.public, other.public);
    assert_eq!(world.text(), plain, "without the old command");
}
