//! Zip archives of password managers and authenticators: the one file in them
//! that holds secrets, with a password or without.

use std::io::{Cursor, Read};

use zeroize::Zeroizing;
use zip::ZipArchive;
use zip::result::ZipError;

use super::{Fault, Locked, Plain, Source};
use crate::format::MAX_FILE;

/// Files in an archive at most.
const FILES: usize = 10_000;

/// In which `+` stands for a blank, as in forms.
const AUTHENTICATOR_PLUS: &str = "Accounts.txt";

pub(super) struct Archive;

type Opened<'a> = ZipArchive<Cursor<&'a [u8]>>;

impl Locked for Archive {
    fn name(&self) -> &'static str {
        "zip"
    }

    fn title(&self) -> &'static str {
        "Archives of 1Password (1PUX), Proton Pass, Authenticator Plus and WinAuth"
    }

    fn recognises(&self, source: &Source) -> bool {
        source.bytes.starts_with(b"PK\x03\x04")
    }

    fn needs_password(&self, source: &Source) -> bool {
        let encrypted = |mut archive: Opened, index| archive.by_index_raw(index).map(|file| file.encrypted());
        open(source)
            .and_then(|archive| Ok((secrets(&archive)?, archive)))
            .is_ok_and(|(index, archive)| encrypted(archive, index).unwrap_or(false))
    }

    fn open(&self, source: &Source, password: &[u8]) -> Result<Plain, Fault> {
        let mut archive = open(source)?;
        let index = secrets(&archive)?;
        let encrypted = archive.by_index_raw(index).map_err(fault)?.encrypted();
        let file = if encrypted { archive.by_index_decrypt(index, password) } else { archive.by_index(index) };
        let mut plain = Zeroizing::new(Vec::new());
        file.map_err(fault)?.take(MAX_FILE + 1).read_to_end(&mut plain).map_err(|_| Fault::Password)?;
        if plain.len() as u64 > MAX_FILE {
            return Err(Fault::Form("it unpacks to too much"));
        }
        Ok(if archive.name_for_index(index) == Some(AUTHENTICATOR_PLUS) { without_plus(&plain) } else { plain })
    }
}

fn open<'a>(source: &Source<'a>) -> Result<Opened<'a>, Fault> {
    let archive = ZipArchive::new(Cursor::new(source.bytes)).map_err(fault)?;
    if archive.len() > FILES { Err(Fault::Form("too many files")) } else { Ok(archive) }
}

/// The same URIs with blanks as URIs have them.
fn without_plus(text: &[u8]) -> Plain {
    let mut plain = Zeroizing::new(Vec::with_capacity(3 * text.len()));
    let mut in_query = false;
    for byte in text {
        in_query = *byte != b'\n' && (in_query || *byte == b'?');
        plain.extend_from_slice(if in_query && *byte == b'+' { b"%20" } else { std::slice::from_ref(byte) });
    }
    plain
}

/// The file with the secrets: that of a password manager, or the only text.
fn secrets(archive: &Opened) -> Result<usize, Fault> {
    let place = |name: &str| archive.index_for_name(name);
    if let Some(index) = ["export.data", "Proton Pass/data.json"].into_iter().find_map(place) {
        return Ok(index);
    }
    let mut texts = archive.file_names().filter(|name| name.ends_with(".txt"));
    match (texts.next(), texts.next()) {
        (Some(only), None) => place(only).ok_or(Fault::Form("its list of files")),
        _ => Err(Fault::Form("not one file in it is known to hold secrets")),
    }
}

fn fault(error: ZipError) -> Fault {
    match error {
        ZipError::InvalidPassword => Fault::Password,
        _ => Fault::Form("a broken archive"),
    }
}
