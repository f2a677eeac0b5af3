//! Installing and removing, at a terminal and by programs.

use oathgate_tests::process::Finished;

use crate::world::{ANN, World};

fn came_in(finished: &Finished) {
    assert_eq!((finished.code(), finished.text().as_str()), (Some(0), "in\n"), "{}", finished.stderr);
}

fn kept_out(finished: &Finished, why: &str) {
    assert_eq!((finished.code(), finished.text().as_str()), (Some(1), ""), "{}", finished.stderr);
    assert!(finished.stderr.contains(why), "{}", finished.stderr);
}

#[test]
fn a_person_installs_the_gate_with_a_code_and_takes_it_out_again() {
    let Some(world) = World::new() else { return };
    let device = world.enrol(&world.key);
    let before = world.text();
    let client = world.client(&world.key);
    came_in(&client.run("echo in", None));

    let words = format!("--user-store ssh install {}", world.key.fingerprint);
    let mut session = client.session(Some(&world.typed(&words)));
    session.expect("Keep this session open");
    session.expect(&format!("To undo: oathgate ssh remove {}", world.key.fingerprint));
    session.expect("A code for ann@laptop");
    assert_eq!(world.text(), before, "nothing is changed before a code came in");
    session.send(&format!("{}\r", device.wrong_code()));
    session.expect("Wrong code");
    session.expect("A code for ann@laptop");
    session.send(&format!("{}\r", device.code(0)));
    session.expect("That code came in");
    session.expect("From now on a code is asked for at logins with ann@laptop");
    assert_eq!(session.wait().0, Some(0));
    assert!(session.shown().contains("No key in the file stays without a code"), "{}", session.shown());

    kept_out(&client.run("echo in", None), "LC_OTP=123456");
    kept_out(&client.run("echo in", Some(&device.code(0))), "already used");
    came_in(&client.run("echo in", Some(&device.code(1))));
    assert_eq!(world.state(), (ANN, ANN, 0o600));
    assert!(world.text().starts_with("# mine\nrestrict,pty,command=\"exec '"), "a path with a blank: {}", world.text());

    let removed = world.as_ann(&["ssh", "remove", &world.key.fingerprint]);
    assert_eq!(removed.code(), Some(0), "{}", removed.stderr);
    assert_eq!(world.text(), before, "byte for byte");
    came_in(&client.run("echo in", None));
}

#[test]
fn who_gives_up_or_has_no_code_changes_nothing() {
    let Some(world) = World::new() else { return };
    let before = world.text();
    let install = ["--user-store", "ssh", "install", &world.key.fingerprint];
    let refused = world.as_ann(&install);
    assert_eq!(refused.code(), Some(1), "nothing is enrolled: {}", refused.stderr);
    assert!(
        refused.stderr.contains("would fail") && refused.stderr.contains("enrol ann --ssh-key"),
        "{}",
        refused.stderr
    );

    world.enrol(&world.key);
    let refused = world.as_ann(&install);
    assert_eq!(refused.code(), Some(2), "nobody to ask: {}", refused.stderr);
    assert!(refused.stderr.contains("--yes"), "{}", refused.stderr);

    let mut session = world.client(&world.key).session(Some(&world.typed(&install.join(" "))));
    session.expect("A code for ann@laptop");
    session.send("\x03");
    let (code, shown) = session.wait();
    assert_eq!(code, Some(1));
    assert!(shown.contains("cancelled; nothing was changed"), "{shown}");
    assert_eq!((world.text(), world.names()), (before, vec!["authorized_keys".to_owned()]));
}

#[test]
fn root_installs_for_somebody_else_as_that_person() {
    let Some(world) = World::new() else { return };
    let device = world.enrol(&world.key);
    let before = world.text();
    let words = ["--user-store", "ssh", "install", &world.key.fingerprint, "--account", "ann", "--yes", "--json"];
    let made = world.oathgate(&words);
    assert_eq!(made.code(), Some(0), "{}", made.stderr);
    let report: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!((&report["changed"], &report["lines"][0]["line"]), (&true.into(), &2.into()));
    assert!(report["undo"].as_str().unwrap().starts_with("sudo oathgate ssh remove SHA256:"), "{report}");
    assert_eq!(world.state(), (ANN, ANN, 0o600), "still ann's");
    let client = world.client(&world.key);
    kept_out(&client.run("echo in", None), "LC_OTP=123456");
    came_in(&client.run("echo in", Some(&device.code(0))));

    let again = world.oathgate(&words);
    assert!(again.text().contains("\"changed\":false"), "{}", again.text());
    let removed = world.oathgate(&["ssh", "remove", "--all", "--account", "ann"]);
    assert_eq!((removed.code(), world.text()), (Some(0), before), "{}", removed.stderr);
}

#[test]
fn each_key_is_offered_by_its_comment() {
    let Some(world) = World::new() else { return };
    let (phone, tablet) = (world.sshd.key("phone"), world.sshd.key("tablet"));
    let keys = [(&world.key, "ann@laptop"), (&phone, "ann@phone"), (&tablet, "ann@tablet")];
    world.write(&keys.map(|(key, comment)| format!("{} {comment}\n", key.public)).concat());
    let device = world.enrol(&world.key);
    let added = ["--user-store", "key", "add", &phone.fingerprint, "--credential", &device.0.credential];
    let mut session = world.client(&tablet).session(Some(&world.typed(&added.join(" "))));
    session.expect("A code of yours is needed");
    session.send(&format!("{}\r", device.code(0)));
    assert_eq!(session.wait().0, Some(0), "{}", session.shown());

    let mut session = world.client(&tablet).session(Some(&world.typed("--user-store ssh install --all")));
    session.expect("logins with ann@laptop? [y/N]");
    session.send("n");
    session.expect("logins with ann@phone? [y/N]");
    session.send("y");
    session.expect("A code for ann@phone");
    session.send(&format!("{}\r", device.code(1)));
    session.expect("Left as it is: ann@tablet");
    assert_eq!(session.wait().0, Some(0));
    let lines: Vec<bool> = world.text().lines().map(|line| line.starts_with("restrict,pty,command=")).collect();
    assert_eq!(lines, [false, true, false]);
    came_in(&world.client(&phone).run("echo in", Some(&device.code(2))));
    came_in(&world.client(&tablet).run("echo in", None));
}

#[test]
fn login_shells_and_servers_that_make_the_gate_useless_are_refused() {
    for (shell, config, why) in [
        ("/usr/sbin/nologin", "", "would fail"),
        ("/bin/bash", "AcceptEnv LANG BASH_ENV\n", "BASH_ENV"),
        ("/bin/bash", "Match User ann\nAcceptEnv *\n", "takes * from clients"),
        ("/bin/bash", "PermitUserEnvironment yes\n", "PermitUserEnvironment"),
    ] {
        let Some(world) = World::with(shell, config) else { return };
        let before = world.text();
        world.enrol(&world.key);
        let refused = world.as_ann(&["--user-store", "ssh", "install", &world.key.fingerprint, "--yes"]);
        assert_eq!(refused.code(), Some(1), "{config}{}", refused.stderr);
        assert!(refused.stderr.contains(why), "{why}: {}", refused.stderr);
        assert_eq!(world.text(), before);
    }
    let Some(world) = World::with("/bin/dash", "Match User eve\nAcceptEnv *\n") else { return };
    world.enrol(&world.key);
    let made = world.as_ann(&["--user-store", "ssh", "install", &world.key.fingerprint, "--yes"]);
    assert_eq!(made.code(), Some(0), "another's settings: {}", made.stderr);
}

#[test]
fn sshd_itself_is_asked_what_it_takes_from_clients() {
    let Some(world) = World::new() else { return };
    let config = format!(
        "printf 'HostKey {}\\nInclude /etc/ssh/x?.conf\\n' >/etc/ssh/sshd_config; echo 'AcceptEnv ZDOTDIR' >/etc/ssh/x1.conf",
        world.sshd.folder().join("host").display()
    );
    assert!(world.root("sh".as_ref(), &["-c", &config]).status.success());
    world.enrol(&world.key);
    let words = ["--user-store", "ssh", "install", &world.key.fingerprint, "--account", "ann", "--yes"];
    let refused = world.oathgate(&words);
    assert!(refused.code() == Some(1) && refused.stderr.contains("ZDOTDIR"), "{}", refused.stderr);
    assert!(world.root("rm".as_ref(), &["/etc/ssh/x1.conf"]).status.success());
    assert_eq!(world.oathgate(&words).code(), Some(0));
}

#[test]
fn an_administrators_file_is_edited_as_root_where_only_root_can_reach_it() {
    let Some(world) = World::new() else { return };
    world.enrol(&world.key);
    let lay = format!(
        "mkdir -p /etc/ssh/keys; echo '{} ann' >/etc/ssh/keys/ann; chmod 0644 /etc/ssh/keys/ann",
        world.key.public
    );
    assert!(world.root("sh".as_ref(), &["-c", &lay]).status.success());
    let file = "/etc/ssh/keys/ann";
    let words = ["--user-store", "ssh", "install", "--all", "--account", "ann", "--file", file, "--yes"];
    let anns = world.as_ann(&words);
    assert_eq!(anns.code(), Some(1), "not hers: {}", anns.stderr);
    let made = world.oathgate(&words);
    assert_eq!(made.code(), Some(0), "{}", made.stderr);
    let text = world.root("cat".as_ref(), &[file]).text();
    assert!(text.starts_with("restrict,pty,command="), "{text}");
    let state = world.root("stat".as_ref(), &["-c", "%u %a", file]).text();
    assert_eq!(state, "0 644\n");

    let lay = "chown 42042 /etc/ssh/keys";
    assert!(world.root("sh".as_ref(), &["-c", lay]).status.success());
    let refused = world.oathgate(&["ssh", "remove", "--all", "--account", "ann", "--file", file]);
    assert!(refused.stderr.contains("/etc/ssh/keys belongs to somebody else"), "{}", refused.stderr);
}

#[test]
fn forwarding_is_open_only_where_it_was_asked_for() {
    let Some(world) = World::new() else { return };
    world.enrol(&world.key);
    let client = world.client(&world.key);
    // What answers at the far end is sshd itself.
    let through = format!("127.0.0.1:{}", world.sshd.port());
    let greeting = |allowed: bool| {
        let words = ["--user-store", "ssh", "install", &world.key.fingerprint, "--account", "ann", "--yes"];
        let more: &[&str] = if allowed { &["--allow-forwarding", "port"] } else { &[] };
        let made = world.oathgate(&[&words, more].concat());
        assert_eq!(made.code(), Some(0), "{}", made.stderr);
        assert_eq!(made.text().contains("port-forwarding stays open without a code"), allowed, "{}", made.text());
        oathgate_tests::process::run(&mut client.ssh(&["-W", &through], None), b"bye\r\n").text()
    };
    assert_eq!(greeting(false), "");
    assert!(greeting(true).starts_with("SSH-2.0-"));
    assert_eq!(greeting(false), "", "and closed again");
}
