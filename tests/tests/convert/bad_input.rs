//! What is no file of an authenticator: a clear error, nothing changed.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::time::Duration;

use oathgate_tests::process::run;

use crate::world::{SECRET, World};

/// The call must fail quickly with exit code 1, and say this.
fn refused(world: &World, name: &str, because: &str) {
    let before = world.files();
    for verb in ["convert", "import"] {
        let finished = world.run(&[verb, name]);
        assert_eq!(finished.code(), Some(1), "{verb} {name}: {}", finished.stderr);
        assert!(finished.stderr.contains(name) && finished.stderr.contains(because), "{name}: {}", finished.stderr);
        assert!(finished.took < Duration::from_secs(10), "{name} took {:?}", finished.took);
    }
    assert_eq!(world.files(), before, "{name}");
}

#[test]
fn other_files_are_named_with_what_is_wrong() {
    let world = World::new();
    let database = oathgate_tests::phone::closed(SECRET);
    for (name, content, because) in [
        ("empty", &b""[..], "empty"),
        ("blank", b" \n\n", "empty"),
        ("foreign", b"\x7fELF\x02\x01\x01 and so on", "none of the formats"),
        ("text", b"Dear Sir or Madam,\nplease find attached\n", "none of the formats"),
        ("utf16", b"\xff\xfeo\0t\0p\0", "UTF-16"),
        ("cut", &database[..database.len() / 2], "cut off"),
        ("header", &database[..50], "cut off"),
        ("bomb", b"otpauth-migration://offline?data=Cv%2F%2F%2F%2F8P\n", "truncated"),
        ("half", b"otpauth-migration://offline?data=Ck8KFIK3Du5%2FGlA5\n", "truncated"),
        ("bytes", b"otpauth://totp/\xff\xfe?secret=JBSWY3DPEHPK3PXP\n", "not UTF-8"),
        ("weird", b"otpauth://totp/a?secret=JBSWY3DPEHPK3PXP&algorithm=SHA3\n", "algorithm"),
        ("state", b"JBSWY3DPEHPK3PXP\n\" WINDOW_SIZE 0\n\" TOTP_AUTH\n", "WINDOW_SIZE"),
    ] {
        world.file(name, content);
        refused(&world, name, because);
    }
}

#[test]
fn what_is_no_file_is_not_opened_or_waited_for() {
    let world = World::new();
    rustix::fs::mkfifoat(rustix::fs::CWD, world.path("fifo"), 0o600.into()).unwrap();
    fs::create_dir(world.path("folder")).unwrap();
    for (name, because) in
        [("fifo", "FIFO"), ("folder", "folder"), ("missing", "no such file"), ("/dev/zero", "not a file")]
    {
        refused(&world, name, because);
    }
    // Without comparing all of it before and after.
    let sparse = fs::File::create(world.path("sparse")).unwrap();
    sparse.set_len(1 << 30).unwrap();
    let finished = world.run(&["convert", "sparse"]);
    assert_eq!(finished.code(), Some(1));
    assert!(finished.stderr.contains("at most 64 MB"), "{}", finished.stderr);
}

#[test]
fn root_follows_no_link_of_somebody_else() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: not root");
        return;
    }
    let world = World::new();
    world.file("real", format!("otpauth://totp/a?secret={SECRET}\n"));
    symlink("real", world.path("link")).unwrap();
    assert_eq!(world.run(&["convert", "link"]).code(), Some(0), "root's own");
    std::os::unix::fs::lchown(world.path("link"), Some(65534), Some(65534)).unwrap();
    refused(&world, "link", "symbolic link");
    fs::hard_link(world.path("real"), world.path("second")).unwrap();
    assert_eq!(fs::metadata(world.path("real")).unwrap().nlink(), 2);
    std::os::unix::fs::chown(world.path("real"), Some(65534), None).unwrap();
    refused(&world, "second", "hard link");
}

#[test]
fn one_bad_file_of_several_keeps_all_of_them_out() {
    let world = World::new();
    world.file("good", format!("otpauth://totp/a?secret={SECRET}\n"));
    world.file("bad", b"\x00\x01\x02");
    let finished = world.run(&["convert", "good", "bad", "--to", "json"]);
    assert_eq!((finished.code(), finished.text().as_str()), (Some(1), ""));
}

#[test]
fn memory_is_bounded_whatever_comes_through_a_pipe() {
    let world = World::new();
    let endless = vec![b'A'; 70 << 20];
    let finished = run(&mut world.command(&["convert", "-"]), &endless);
    assert_eq!(finished.code(), Some(1));
    assert!(finished.stderr.contains("larger than 64 MB"), "{}", finished.stderr);
    // Three bytes each in the file, and many more in memory.
    let bomb = format!("{{\"encrypted\":false,\"items\":[{}[]]}}", "[],".repeat(8_000_000));
    let finished = run(&mut world.command(&["convert", "-"]), bomb.as_bytes());
    assert_eq!(finished.code(), Some(1));
    assert!(finished.stderr.contains("300 MB"), "{}", finished.stderr);
}

#[test]
fn no_error_quotes_what_it_read() {
    let world = World::new();
    for content in [
        format!("otpauth://totp/a?secret={SECRET}&digits=x\n"),
        format!("otpauth://totp/a?secret={SECRET}!\n"),
        format!("{SECRET}\n\" STEP_SIZE {SECRET}\n\" TOTP_AUTH\n"),
        format!("HOTP/T30 alice - {SECRET}\n"),
        format!("{SECRET}\n"),
        format!("otpauth-migration://offline?data={SECRET}=\n"),
    ] {
        world.file("bad", &content);
        let finished = world.run(&["convert", "bad"]);
        assert_eq!(finished.code(), Some(1), "{content}");
        assert!(!finished.stderr.contains(SECRET) && !finished.text().contains(SECRET), "{}", finished.stderr);
    }
}
