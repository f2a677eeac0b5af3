//! A folder to be carried there and back.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::bytes::noise;

/// Each file and folder below `folder`: mode and content.
pub type Tree = BTreeMap<PathBuf, (u32, Option<Vec<u8>>)>;

/// Makes one with whatever is likely to be spoilt on the way.
pub fn plant(folder: &Path) -> Tree {
    let files: [(&str, Vec<u8>, u32); 7] = [
        ("large", noise(2 << 20), 0o644),
        ("empty", vec![], 0o600),
        ("name with  blanks & 'quotes'", b"x".to_vec(), 0o644),
        ("na\u{ef}ve-\u{20ac}-\u{1f511}", b"y\n".to_vec(), 0o640),
        ("deep/er/still/program", b"#!/bin/sh\nexit 0\n".to_vec(), 0o755),
        ("deep/-rf", (0..=255).collect(), 0o444),
        (".hidden", b"\0\r\n\x1b".to_vec(), 0o644),
    ];
    for (name, content, mode) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    }
    read(folder)
}

/// What lies below `folder`.
pub fn read(folder: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(path) = waiting.pop() {
        let name = path.strip_prefix(folder).unwrap().to_owned();
        let mode =
            fs::metadata(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).permissions().mode();
        if path.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            // Tools differ in what they make of folders.
            tree.insert(name, (0, None));
        } else {
            tree.insert(name, (mode, Some(fs::read(&path).unwrap())));
        }
    }
    tree
}

/// Checks that `folder` holds what was planted.
pub fn arrived(planted: &Tree, folder: &Path) {
    let found = read(folder);
    let names = |tree: &Tree| tree.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(planted), names(&found), "{}", folder.display());
    for (name, (mode, content)) in planted {
        let (found_mode, found_content) = &found[name];
        assert!(content == found_content, "{}: {} differs", folder.display(), name.display());
        assert_eq!(mode, found_mode, "{}: {}", folder.display(), name.display());
    }
}
