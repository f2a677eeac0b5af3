//! Every form that is written is read again, and means the same.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::world::{ACCOUNTS, SECRET, World};

fn uris() -> String {
    format!(
        "otpauth://totp/Example:alice%40host?secret={SECRET}&issuer=Example\n\
         otpauth://hotp/button?secret=JBSWY3DPEHPK3PXP&counter=7&digits=8\n\
         otpauth://totp/Big:bob?secret={SECRET}GEZDGNBVGY3TQOJQ&algorithm=SHA512\n"
    )
}

#[test]
fn the_document_has_the_form_that_is_promised() {
    let world = World::new();
    world.file("uris", uris() + "otpauth://totp/x?secret=1\notpauth://totp/s?secret=JBSWY3DPEHPK3PXP&encoder=steam\n");
    let document = world.json(&["uris"]);
    assert_eq!(document.as_object().unwrap().len(), 3);
    assert_eq!(document["format"], "otpauth-uri-list");
    assert_eq!(
        document["entries"][1],
        json!({
            "issuer": "", "name": "button", "type": "hotp", "secret": "JBSWY3DPEHPK3PXP",
            "secret_hex": "48656c6c6f21deadbeef", "algorithm": "SHA1", "digits": 8, "period": null,
            "counter": 7, "next_counter": 7, "usable": true, "reason": null
        })
    );
    assert_eq!(document["entries"][3]["type"], "steam");
    assert_eq!(document["entries"][3]["usable"], false);
    assert!(document["entries"][3]["reason"].as_str().unwrap().contains("Steam"));
    let skipped = document["skipped"][0].as_object().unwrap();
    assert_eq!((&skipped["row"], &skipped["name"], skipped.len()), (&json!(4), &json!(""), 3));
}

#[test]
fn what_is_written_is_read_again() {
    let world = World::new();
    world.file("uris", uris());
    let entries = world.json(&["uris"])["entries"].clone();
    for form in ["uri", "migration"] {
        world.file(form, world.convert(&["uris", "--to", form]));
        let mut again = world.json(&[form])["entries"].clone();
        if form == "migration" {
            assert_eq!(again[1]["counter"], 6, "the app keeps the counter that was used last");
            again[1]["counter"] = 7.into();
        }
        assert_eq!(again, entries, "{form}");
    }
    world.file("users-oath", world.convert(&["uris", "--select", "button", "--to", "users-oath"]));
    assert_eq!(world.json(&["users-oath"])["entries"][0], entries[1]);
}

#[test]
fn a_state_file_comes_back_as_it_was() {
    let world = World::new();
    let state = format!(
        "{SECRET}\n\" LAST0 host 1795219541\n\" MINE stays\n\" RATE_LIMIT 5 60\n\" WINDOW_SIZE 7\n\
         \" STEP_SIZE 45\n\" TIME_SKEW -3\n\" DISALLOW_REUSE 59840651 59840652\n\" TOTP_AUTH\n12345678\n87654321\n"
    );
    world.file("state", &state);
    assert_eq!(world.convert(&["state", "--to", "libpam"]), state);
}

#[test]
fn an_export_of_many_has_ten_in_each_part_and_says_what_is_missing() {
    let world = World::new();
    let uri = |number: u8| {
        let secret = otp_core::Secret::copy(&[number; 20]).unwrap().to_base32();
        format!("otpauth://totp/n{number}?secret={}\n", secret.as_str())
    };
    world.file("uris", (1..=25).map(uri).collect::<String>());
    let export = world.convert(&["uris", "--to", "migration"]);
    let parts: Vec<&str> = export.lines().collect();
    assert_eq!(parts.len(), 3);
    // In any order, over several files, and one of them twice.
    world.file("one", format!("{}\n{}\n", parts[2], parts[0]));
    world.file("two", format!("{}\n{}\n", parts[1], parts[0]));
    let finished = world.run(&["convert", "one", "two"]);
    assert!(!finished.stderr.contains("missing"), "{}", finished.stderr);
    assert_eq!(world.convert(&["one", "two", "--to", "uri"]).lines().count(), 25, "what came twice is written once");
    let finished = world.run(&["convert", "one"]);
    assert!(finished.stderr.contains("part 2 of 3"), "{}", finished.stderr);
}

#[test]
fn what_a_form_cannot_hold_is_named_and_left_out() {
    let world = World::new();
    world.file("uris", uris() + &format!("otpauth://totp/seven?secret={SECRET}&digits=7\n"));
    for (form, lines, names) in [
        ("migration", 1, &["seven"][..]),
        ("users-oath", 3, &["Big:bob"]),
        ("libpam", 0, &["Example:alice@host", "button", "Big:bob", "seven"]),
    ] {
        let finished = world.run(&["convert", "uris", "--to", form]);
        assert_eq!(finished.code(), Some(1), "{form}");
        assert_eq!(finished.text().lines().count(), lines, "{form}");
        for name in names {
            assert!(finished.stderr.contains(&format!("left out: {name}:")), "{form}: {}", finished.stderr);
        }
    }
}

#[test]
fn a_table_shows_no_secret_and_names_what_is_there_twice() {
    let world = World::new();
    world.file("uris", uris() + &uris());
    let finished = world.run(&["convert", "uris"]);
    for secret in [SECRET, "JBSWY3DPEHPK3PXP", "48656c6c6f21"] {
        assert!(!finished.text().contains(secret) && !finished.stderr.contains(secret));
    }
    assert!(finished.text().contains("the same secret as 1"), "{}", finished.text());
}

#[test]
fn entries_are_chosen_by_number_or_by_name() {
    let world = World::new();
    world.file("uris", uris() + "otpauth://totp/Other:bob?secret=JBSWY3DPEHPK3PXP\n");
    for (word, name) in [("2", "button"), ("button", "button"), ("Example", "alice@host"), ("Other:bob", "bob")] {
        let document = world.json(&["uris", "--select", word]);
        assert_eq!((&document["entries"][0]["name"], &document["entries"][1]), (&json!(name), &json!(null)), "{word}");
    }
    for word in ["bob", "0", "5", "nobody", ""] {
        assert_eq!(world.run(&["convert", "uris", "--select", word]).code(), Some(2), "{word}");
    }
}

#[test]
fn secrets_are_written_where_nobody_else_reads() {
    let world = World::new();
    world.file("uris", uris());
    world.convert(&["uris", "--to", "uri", "--output", "new"]);
    let mode = |name: &str| fs::metadata(world.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("new"), 0o600);
    assert_eq!(fs::read_to_string(world.path("new")).unwrap().lines().count(), 3);
    let before = world.files();
    assert_eq!(world.run(&["convert", "uris", "--to", "json", "--output", "new"]).code(), Some(1), "never overwritten");
    assert_eq!(world.files(), before);
    // A shell makes a file that all can read.
    let wide = fs::File::create(world.path("wide")).unwrap();
    wide.set_permissions(fs::Permissions::from_mode(0o644)).unwrap();
    let mut command = world.command(&["convert", "uris", "--to", "json"]);
    assert!(command.stdout(Stdio::from(wide)).status().unwrap().success());
    assert_eq!(mode("wide"), 0o600);
}

#[test]
fn a_phones_folder_will_do_and_is_left_alone() {
    let world = World::new();
    fs::create_dir(world.path("databases")).unwrap();
    let path = world.path("databases/databases");
    // sqlite3 itself isn't needed: the store's own copy makes the file.
    let connection = oathgate_tests::phone::database(&path, ACCOUNTS);
    connection.add("in the log", SECRET);
    let listed = |folder: &str| {
        let mut names: Vec<_> =
            fs::read_dir(world.path(folder)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = (fs::read(&path).unwrap(), listed("databases"));
    for folder in [".", "databases"] {
        assert_eq!(world.json(&[folder])["entries"][0]["name"], "in the log", "{folder}");
    }
    assert_eq!((fs::read(&path).unwrap(), listed("databases")), before);
    connection.hold_the_lock();
    let finished = world.run(&["convert", "databases"]);
    assert_eq!(finished.code(), Some(1));
    assert!(finished.stderr.contains(&format!("process {} is writing", std::process::id())), "{}", finished.stderr);
}

#[test]
fn every_format_is_listed() {
    let world = World::new();
    let listed = world.convert(&["--formats"]);
    for format in
        ["google-authenticator-sqlite", "otpauth-migration", "users-oath", "google-authenticator-pam-state", "kdbx"]
    {
        assert!(listed.contains(format), "{format}");
    }
    assert_eq!(
        Command::new(oathgate_tests::built::bin("oathgate")).arg("convert").output().unwrap().status.code(),
        Some(2)
    );
}
