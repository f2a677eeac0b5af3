//! What flows through, in both directions.

use crate::world::{BOTH, World};

/// Every byte value, in no order that anything on the way could guess.
pub fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state
    };
    (0..length / 4).flat_map(|_| u32::to_ne_bytes((next() >> 32) as u32)).collect()
}

#[test]
fn a_hundred_megabytes_each_way() {
    let world = World::new();
    let content = noise(100 << 20);
    std::fs::write(world.real.sshd.folder().join("content"), &content).unwrap();
    let sum = world.same(b"sha256sum", &content).text();
    for way in BOTH {
        let remote = format!("cd {}; sha256sum <content >&2; exec cat content", world.real.sshd.folder().display());
        let back = world.run(way, remote.as_bytes(), b"");
        assert_eq!(back.stderr, sum);
        assert!(back.stdout == content, "{way:?}: {} bytes came back", back.stdout.len());
    }
}

#[test]
fn input_is_left_to_the_command() {
    let world = World::new();
    let input = noise(3 << 20);
    for remote in ["true", "exit 3", "head -c 5 | od -c", "head -c 5 >/dev/null; sha256sum", "exec <&-; echo closed"] {
        world.same(remote.as_bytes(), &input);
    }
    world.same(b"read line; echo \"$line\"; exec cat", b"first\nsecond\nthird without an end");
    world.same(b"cat; echo end", b"");
}
