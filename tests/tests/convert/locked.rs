//! Exports that are locked with a password.

use oathgate_tests::built::bin;
use oathgate_tests::process::run;

use crate::world::{SECRET, World};

/// A back-up of 2FAS, of which the password is `open sesame`.
const LOCKED: &str = r#"{"services": [], "schemaVersion": 4, "servicesEncrypted": "daEx/DvlMfmISqYylzlHakgQyfAW/k6eP4wbxTjYjf7BKFcPs8pUqAyJuRPKpaw2IZ4n3iWMcXmdaXFK8FbxFTqMRyEn5By+2tddgouokJ+tKRoN5ppbsk2Nn5a+drgMfC8VafLdoU7ijt3VZCAjoon66SMK4Q599M5bIpuwfjqFhVNnclhVClbFz+cxv/ueyC0/7wFPJAgRLX3ElVa/Itsgv7xa/YAzCf5E5ADw2L85hM5CTmFW6Kw5BYt4HrorJac=:AAECAwQFBgcICQoLDA0ODw==:AAECAwQFBgcICQoL"}"#;

#[test]
fn the_password_comes_from_a_file_or_a_descriptor() {
    let world = World::new();
    world.file("locked", LOCKED);
    world.file("right", "open sesame\nand no more\n");
    world.file("wrong", "open\n");
    world.file("none", "\n");
    let uris = world.convert(&["locked", "--to", "uri", "--password-file", "right"]);
    assert!(uris.contains(SECRET) && uris.contains("ann"), "{uris}");
    let script = "exec \"$0\" convert locked --to uri --password-file /dev/fd/7 7<right";
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", script]).arg(bin("oathgate")).current_dir(world.folder.path());
    let finished = run(&mut shell, b"");
    assert!(finished.text().contains(SECRET), "{}", finished.stderr);
    let piped =
        run(&mut world.command(&["convert", "-", "--to", "uri", "--password-file", "right"]), LOCKED.as_bytes());
    assert!(piped.text().contains(SECRET), "{}", piped.stderr);
    for (file, why) in [("wrong", "password is wrong"), ("none", "no password"), ("missing", "No such file")] {
        let finished = world.run(&["convert", "locked", "--to", "uri", "--password-file", file]);
        assert_eq!((finished.code(), finished.text()), (Some(1), String::new()), "{}", finished.stderr);
        assert!(finished.stderr.contains(why), "{}", finished.stderr);
    }
    let imported = world.import(&["locked", "--password-file", "wrong"]);
    assert!(imported.code() == Some(1) && imported.stderr.contains("password is wrong"), "{}", imported.stderr);
}

#[test]
fn where_nobody_can_be_asked_it_is_said() {
    let world = World::new();
    world.file("locked", LOCKED);
    let finished = run(&mut world.command(&["convert", "locked"]), b"open sesame\n");
    assert_eq!(finished.code(), Some(1), "{}", finished.stderr);
    assert!(
        finished.stderr.contains("2fas-encrypted") && finished.stderr.contains("--password-file"),
        "{}",
        finished.stderr
    );
}
