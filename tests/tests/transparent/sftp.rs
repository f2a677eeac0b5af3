//! SFTP servers, subsystems, and the empty command (with the deaths).

use std::fs;

use oathgate_tests::process::run;
use oathgate_tests::sshd::Settings;

use crate::world::{BOTH, World, seen};

/// A session of sftp(1) that looks at everything the server tells.
const BATCH: &str = "\
pwd
-mkdir there
cd there
put near put
get put got
ls -ln
chmod 600 put
ls -ln
-get missing nowhere
rename put renamed
symlink renamed link
ln renamed hard
df .
ls -1
rm renamed
rm link
rm hard
cd ..
rmdir there
";

fn subsystem(line: &str) -> World {
    World::with(&Settings { first: vec![line.to_owned()], ..Settings::default() })
}

fn transfers(world: &World) {
    let folder = world.real.sshd.folder();
    let content: Vec<u8> = (0..300_000_u32).flat_map(|number| number.to_le_bytes()).collect();
    fs::write(folder.join("near"), &content).unwrap();
    let batch = format!("lcd {0}\ncd {0}\n{BATCH}", folder.display());
    fs::write(folder.join("batch"), batch).unwrap();
    let [plain, gated] = BOTH.map(|way| {
        let mut sftp = world.shared(way).command("sftp");
        sftp.arg("-b").arg(folder.join("batch")).arg("127.0.0.1");
        let finished = run(world.arm(way, &mut sftp), b"");
        assert!(fs::read(folder.join("got")).unwrap() == content, "{way:?}: {}", finished.stderr);
        fs::remove_file(folder.join("got")).unwrap();
        finished
    });
    let steady = |finished: &oathgate_tests::process::Finished| {
        let (code, said, errors) = seen(finished);
        let said = said.replace("\\n", "\n");
        // The disk's use moves, and times, which come behind the size.
        let words = |line: &str| line.split_whitespace().take(5).collect::<Vec<_>>().join(" ");
        (code, said.lines().filter(|line| !line.contains('%')).map(words).collect::<Vec<_>>(), errors)
    };
    assert_eq!(steady(&plain), steady(&gated));
    assert_eq!(gated.code(), Some(0), "{}", gated.stderr);
}

#[test]
fn the_program_as_subsystem() {
    transfers(&subsystem("Subsystem sftp /usr/lib/openssh/sftp-server"));
}

#[test]
fn the_program_with_arguments() {
    transfers(&subsystem("Subsystem sftp /usr/lib/openssh/sftp-server -l VERBOSE -u 0027"));
}

#[test]
fn the_server_inside_sshd() {
    transfers(&subsystem("Subsystem sftp internal-sftp"));
}

#[test]
fn the_server_inside_sshd_with_arguments() {
    transfers(&subsystem("Subsystem sftp internal-sftp -l INFO -u 0027"));
}

/// Arguments count the same inside and outside: what is refused stays so.
#[test]
fn a_server_that_only_reads() {
    let world = subsystem("Subsystem sftp internal-sftp -R");
    let folder = world.real.sshd.folder();
    fs::write(folder.join("near"), "content").unwrap();
    fs::write(folder.join("batch"), format!("put {0}/near {0}/far\n", folder.display())).unwrap();
    let [plain, gated] = BOTH.map(|way| {
        let mut sftp = world.shared(way).command("sftp");
        run(world.arm(way, sftp.arg("-b").arg(folder.join("batch")).arg("127.0.0.1")), b"")
    });
    assert_eq!(seen(&plain), seen(&gated));
    assert!(!folder.join("far").exists() && gated.stderr.contains("ermission denied"), "{}", gated.stderr);
}

/// A subsystem is any command; sshd shows nothing of its standard error.
#[test]
fn other_subsystems() {
    let world = subsystem("Subsystem shout tr a-z A-Z; echo unseen >&2; exit 3");
    let [plain, gated] = BOTH.map(|way| {
        let mut ssh = world.shared(way).ssh(&["-s"], Some("shout".as_ref()));
        run(world.arm(way, &mut ssh), b"quiet\n")
    });
    assert_eq!(seen(&plain), seen(&gated));
    assert_eq!((gated.text().as_str(), gated.code()), ("QUIET\n", Some(3)), "{}", gated.stderr);
    let [plain, gated] = BOTH.map(|way| {
        let mut ssh = world.shared(way).ssh(&["-s"], Some("nothing-here".as_ref()));
        run(world.arm(way, &mut ssh), b"")
    });
    assert_eq!(seen(&plain), seen(&gated));
}
