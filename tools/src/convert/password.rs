//! A password on its way to `oathgate-import`: from a file or a terminal through
//! a pipe, never an argument, never in the environment.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use otp_import::pipe::{MAX_PASSWORD, Part};
use rustix::pipe::{PipeFlags, pipe_with};
use zeroize::Zeroizing;

use super::open::Opened;
use crate::error::Failure;

/// A password, as it was typed.
pub type Password = Zeroizing<Vec<u8>>;

/// The first line of a file; `/dev/fd/N` for a descriptor.
///
/// # Errors
/// When there is none.
pub fn of_file(path: &Path) -> Result<Password, Failure> {
    let at = |why: &dyn std::fmt::Display| Failure::no(format!("{}: {why}", path.display()));
    let mut bytes = Zeroizing::new(vec![0; MAX_PASSWORD + 1]);
    let mut file = File::open(path).map_err(|why| at(&why))?;
    let mut length = 0;
    while let Some(place @ [_, ..]) = bytes.get_mut(length..) {
        match file.read(place).map_err(|why| at(&why))? {
            0 => break,
            count => length += count,
        }
    }
    bytes.truncate(length);
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(length);
    bytes.truncate(end);
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    match bytes.len() {
        0 => Err(at(&"there is no password in its first line")),
        1..=MAX_PASSWORD => Ok(bytes),
        _ => Err(at(&format!("a password has at most {MAX_PASSWORD} bytes"))),
    }
}

/// A pipe that holds it, and nothing more.
///
/// # Errors
/// When the kernel has no descriptors left.
pub fn piped(password: &Password) -> Result<Opened, Failure> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).map_err(Failure::undecided)?;
    // Less than PIPE_BUF: it is written at once, before anybody reads.
    File::from(writer).write_all(password).map_err(Failure::undecided)?;
    Ok(Opened { name: "password".to_owned(), parts: vec![(Part::Password, File::from(reader))] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_the_password() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        let long = "x".repeat(MAX_PASSWORD);
        for (text, password) in
            [("a b", Some("a b")), ("a\r\nb\n", Some("a")), ("\na", None), ("", None), (&long, Some(&long))]
        {
            std::fs::write(&path, text).unwrap();
            assert_eq!(
                of_file(&path).ok().map(|found| found.to_vec()),
                password.map(|text: &str| text.as_bytes().to_vec())
            );
        }
        std::fs::write(&path, long.clone() + "x").unwrap();
        assert!(of_file(&path).is_err() && of_file(folder.path()).is_err());
    }
}
