//! Commands and how they end.

use crate::world::{Way, World};

#[test]
fn commands_arrive_byte_for_byte() {
    let world = World::new();
    for command in [
        &b"printf '%s' 'a  b\"c\\d $HOME `id`' | od -c"[..],
        b"printf '%s' \"a'b $((1+1)) \\$x\"  ;  echo  *  \\*",
        b"printf '%s' '\xff\xfe\x80\xc3' | od -c",
        b"echo \xe2\x82\xac \xf0\x9f\x94\x91",
        b"echo one\necho two\n",
        b"cat <<'x'\n$HOME\n\tx\nx\n",
        b"echo \t\x0b\x1b[2J\x7f\x01 | od -c",
        b"# only a comment",
        b"  echo  leading blanks  ",
        b"-c",
        b"--help",
        b" ",
        b"\n",
        b"exec -a x sh -c 'echo $0'",
        b"echo $0 $# \"$-\" $PPID | sed 's/[0-9]*$//'",
        b"a=1 b=2 env | grep '^[ab]='; alias; set -o; shopt; trap; jobs; type exec",
        b"no-such-command-here",
        b"/",
        b"'unfinished",
        b"echo out; echo err >&2; echo out",
        b"ssh-otp --version; exec ssh-otp",
        b"echo $SSH_ORIGINAL_COMMAND $LC_OTP end",
    ] {
        world.same(command, b"");
    }
}

/// The longest that one variable holds: MAX_ARG_STRLEN of execve(2), less its
/// name and the two bytes around its value.
const LONGEST: usize = 131_072 - "SSH_ORIGINAL_COMMAND=".len() - 1;

#[test]
fn commands_of_every_length() {
    assert_eq!(LONGEST, 131_050);
    let world = World::new();
    for length in [1_000, 32_767, 65_536, 120_000, LONGEST - 1, LONGEST] {
        let mut command = b"printf '%s' ".to_vec();
        command.extend(std::iter::repeat_n(b'x', length - command.len() - 8));
        command.extend(b" | wc -c");
        assert_eq!(command.len(), length);
        let counted = world.same(&command, b"").text();
        assert_eq!(counted.trim(), (length - 20).to_string());
    }
}

/// sshd can't even start the gate then, and nothing runs.
#[test]
fn a_command_that_fits_in_no_variable_is_not_run() {
    let world = World::new();
    let command = format!("echo in {}", "x".repeat(LONGEST + 1 - "echo in ".len()));
    assert!(world.run(Way::Plain, command.as_bytes(), b"").stdout.starts_with(b"in "));
    let refused = world.run(Way::Gated, command.as_bytes(), b"");
    assert_eq!((refused.text().as_str(), refused.code()), ("", Some(1)), "{}", refused.stderr);
    assert!(refused.stderr.contains("Argument list too long"), "{}", refused.stderr);
}

#[test]
fn exit_codes() {
    let world = World::new();
    for code in [0, 1, 2, 3, 42, 64, 77, 99, 100, 125, 126, 127, 128, 129, 130, 137, 141, 143, 192, 253, 254, 255] {
        assert_eq!(world.same(format!("exit {code}").as_bytes(), b"").code(), Some(code));
    }
    assert_eq!(world.same(b"exit 256", b"").code(), Some(0));
    assert_eq!(world.same(b"exit -1", b"").code(), Some(255));
}
