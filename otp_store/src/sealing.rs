//! Sealing: secrets at rest, and MACs over what must not be changed.
//!
//! A sealing key is a file of 32 random bytes named `NUMBER.key`; the largest
//! number seals, every number opens. A service started by systemd gets them
//! under the names that `LoadCredential=keys:` makes, `keys_NUMBER.key`.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{AeadInPlace, KeyInit};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use otp_core::{Algorithm, CredentialId, Owner, Secret};
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use crate::{Error, place};

type Key = Zeroizing<[u8; 32]>;

/// Bytes of the nonce before a sealed secret,
pub(crate) const NONCE: usize = 24;
/// and of the tag behind it.
pub(crate) const TAG: usize = 16;

/// The keys that seal and open secrets.
pub struct SealingKeys {
    /// By number, the newest last; never empty.
    keys: Vec<Numbered>,
}

/// A sealing key, and what is derived from it for each purpose.
struct Numbered {
    number: u32,
    seal: Key,
    record: Key,
    request: Key,
}

impl Numbered {
    fn new(number: u32, seal: Key) -> Result<Self, Error> {
        let (record, request) = (derived(&seal, b"record")?, derived(&seal, b"request")?);
        Ok(Self { number, seal, record, request })
    }
}

impl std::fmt::Debug for SealingKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealingKeys({} keys, redacted)", self.keys.len())
    }
}

/// A sealed secret: nonce and ciphertext, and the number of the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sealed {
    pub key: u32,
    pub bytes: Vec<u8>,
}

/// What a sealed secret belongs to; it opens nowhere else.
#[derive(Clone, Copy)]
pub(crate) struct Belongs<'a> {
    pub owner: &'a Owner,
    pub what: What<'a>,
}

/// What of an owner's it is.
#[derive(Clone, Copy)]
pub(crate) enum What<'a> {
    /// The secret of a credential.
    Credential(&'a CredentialId, Algorithm),
    /// The key that scratch codes are hashed with.
    ScratchKey,
    /// The key of a volume's key slot.
    SlotKey,
}

impl Belongs<'_> {
    fn associated_data(&self, key: u32) -> Vec<u8> {
        let owner = self.owner;
        let mut data = Vec::with_capacity(128); // nearly none is longer
        let written = match self.what {
            What::Credential(id, algorithm) => write!(data, "oathgate/1\0{owner}\0{id}\0{algorithm}\0{key}"),
            What::ScratchKey => write!(data, "oathgate/1/scratch\0{owner}\0{key}"),
            What::SlotKey => write!(data, "oathgate/1/slot\0{owner}\0{key}"),
        };
        debug_assert!(written.is_ok(), "memory takes what is written");
        data
    }
}

impl SealingKeys {
    /// Reads every key in `folder`.
    ///
    /// # Errors
    /// When there is none, or the folder or a key may be read or written by others.
    pub fn load(folder: &Path) -> Result<Self, Error> {
        place::check_folder(folder)?;
        let entries = std::fs::read_dir(folder).map_err(|why| Error::Io(folder.to_owned(), why))?;
        let mut keys = Vec::new();
        for entry in entries {
            let path = entry.map_err(|why| Error::Io(folder.to_owned(), why))?.path();
            if let Some(number) = number(&path) {
                keys.push(Numbered::new(number, read_key(&path)?)?);
            }
        }
        keys.sort_by_key(|key| key.number);
        if keys.is_empty() {
            return Err(Error::Place(
                folder.to_owned(),
                "no sealing key; restore it from a copy, or make one with: sudo oathgate init".to_owned(),
            ));
        }
        Ok(Self { keys })
    }

    /// Makes a key with the next number in `folder`, mode 0400.
    ///
    /// # Errors
    /// When the kernel gives no random numbers or the file can't be written.
    pub fn create(folder: &Path) -> Result<PathBuf, Error> {
        let next = match Self::load(folder) {
            Ok(keys) => keys.current() + 1,
            Err(Error::Place(..)) => 1,
            Err(error) => return Err(error),
        };
        let mut key: Key = Zeroizing::new([0; 32]);
        getrandom::fill(&mut key[..]).map_err(|_| Error::Random)?;
        let path = folder.join(format!("{next}.key"));
        place::write_new(&path, &key[..], 0o400)?;
        Ok(path)
    }

    /// One key that everybody knows: a record must open before it can be fuzzed.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn known() -> Self {
        let key = || Zeroizing::new([7; 32]);
        Self { keys: vec![Numbered { number: 1, seal: key(), record: key(), request: key() }] }
    }

    /// Number of the key that seals.
    #[must_use]
    pub fn current(&self) -> u32 {
        self.newest().number
    }

    /// A digest of a request that only the holder of the keys can make.
    ///
    /// # Errors
    /// Never in practice: HMAC takes keys of any length.
    pub fn mark(&self, request: &[u8]) -> Result<[u8; 32], Error> {
        mac(&self.newest().request, &[request])
    }

    fn newest(&self) -> &Numbered {
        // `load` never makes an empty list, and nothing shortens it.
        &self.keys[self.keys.len() - 1]
    }

    fn key(&self, number: u32) -> Result<&Numbered, Error> {
        self.keys.iter().find(|key| key.number == number).ok_or(Error::NoKey(number))
    }

    pub(crate) fn record_mac(&self, number: u32, owner: &Owner, record: &[u8]) -> Result<[u8; 32], Error> {
        mac(&self.key(number)?.record, &[owner.as_str().as_bytes(), record])
    }

    pub(crate) fn seal(&self, secret: &Secret, belongs: &Belongs<'_>) -> Result<Sealed, Error> {
        let key = self.newest();
        let mut bytes = vec![0; NONCE + secret.expose().len() + TAG];
        let (nonce, text) = bytes.split_at_mut(NONCE);
        let (text, tag) = text.split_at_mut(secret.expose().len());
        getrandom::fill(nonce).map_err(|_| Error::Random)?;
        text.copy_from_slice(secret.expose());
        let data = belongs.associated_data(key.number);
        let Ok(made) = cipher(&key.seal).encrypt_in_place_detached(XNonce::from_slice(nonce), &data, text) else {
            text.zeroize();
            return Err(Error::Damaged("a secret can't be sealed"));
        };
        tag.copy_from_slice(&made);
        Ok(Sealed { key: key.number, bytes })
    }

    pub(crate) fn open(&self, sealed: &Sealed, belongs: &Belongs<'_>) -> Result<Secret, Error> {
        let damaged = Error::Damaged("a sealed secret does not open");
        let parts = sealed.bytes.split_first_chunk::<NONCE>();
        let parts =
            parts.and_then(|(nonce, text)| text.split_last_chunk::<TAG>().map(|(text, tag)| (nonce, text, tag)));
        let Some((nonce, text, tag)) = parts else { return Err(damaged) };
        let (cipher, data) = (cipher(&self.key(sealed.key)?.seal), belongs.associated_data(sealed.key));
        Secret::fill(text.len(), |place| {
            place.copy_from_slice(text);
            let opened = cipher.decrypt_in_place_detached(nonce.into(), &data, place, tag.into());
            opened.map_err(|_| damaged)
        })
    }
}

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new((&**key).into())
}

fn hmac(key: &Key) -> Result<Hmac<Sha256>, Error> {
    <Hmac<Sha256> as Mac>::new_from_slice(&key[..]).map_err(|_| Error::Damaged("no MAC"))
}

/// A key for one purpose.
fn derived(key: &Key, purpose: &[u8]) -> Result<Key, Error> {
    let derived = hmac(key)?.chain_update(b"oathgate/1/").chain_update(purpose).finalize();
    Ok(Zeroizing::new(derived.into_bytes().into()))
}

/// HMAC-SHA-256, the parts kept apart by their lengths.
fn mac(key: &Key, parts: &[&[u8]]) -> Result<[u8; 32], Error> {
    let mut mac = hmac(key)?;
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    Ok(mac.finalize().into_bytes().into())
}

fn number(path: &Path) -> Option<u32> {
    let name = path.file_name()?.to_str()?;
    let number = name.strip_prefix("keys_").unwrap_or(name).strip_suffix(".key")?;
    number.parse().ok().filter(|number| *number > 0)
}

fn read_key(path: &Path) -> Result<Key, Error> {
    let io = |why| Error::Io(path.to_owned(), why);
    let mut file = File::open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    // systemd lets the service read its copy by an access list, and then the
    // mode shows the list's mask in the place of root's group.
    let of_root = metadata.uid() == 0 && metadata.gid() == 0;
    if metadata.mode() & if of_root { 0o037 } else { 0o077 } != 0 {
        return Err(Error::Place(path.to_owned(), "others may read this key; chmod 0400 it".to_owned()));
    }
    if !metadata.is_file() || metadata.len() != 32 {
        return Err(Error::Place(path.to_owned(), "a sealing key is a file of 32 bytes".to_owned()));
    }
    let mut key: Key = Zeroizing::new([0; 32]);
    file.read_exact(&mut key[..]).map_err(io)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(folder: &Path) -> SealingKeys {
        SealingKeys::create(folder).unwrap();
        SealingKeys::load(folder).unwrap()
    }

    #[test]
    fn a_secret_opens_only_where_it_belongs() {
        let folder = tempfile::tempdir().unwrap();
        let keys = keys(folder.path());
        let (alice, bob): (Owner, Owner) = ("alice".parse().unwrap(), "bob".parse().unwrap());
        let (one, two) = (CredentialId::from_random([1; 5]), CredentialId::from_random([2; 5]));
        let secret = Secret::copy(b"12345678901234567890").unwrap();
        let home = Belongs { owner: &alice, what: What::Credential(&one, Algorithm::Sha1) };
        let sealed = keys.seal(&secret, &home).unwrap();
        assert_eq!(keys.open(&sealed, &home).unwrap(), secret);
        assert_ne!(keys.seal(&secret, &home).unwrap(), sealed, "nonces are random");
        for elsewhere in [
            Belongs { owner: &bob, ..home },
            Belongs { what: What::Credential(&two, Algorithm::Sha1), ..home },
            Belongs { what: What::Credential(&one, Algorithm::Sha256), ..home },
            Belongs { what: What::ScratchKey, ..home },
            Belongs { what: What::SlotKey, ..home },
        ] {
            assert!(keys.open(&sealed, &elsewhere).is_err());
        }
        let mut flipped = sealed.clone();
        flipped.bytes[30] ^= 1;
        assert!(keys.open(&flipped, &home).is_err());
        assert!(matches!(keys.open(&Sealed { key: 2, ..sealed }, &home), Err(Error::NoKey(2))));
    }

    #[test]
    fn the_newest_key_seals_and_all_open() {
        let folder = tempfile::tempdir().unwrap();
        let owner: Owner = "alice".parse().unwrap();
        let id = CredentialId::from_random([1; 5]);
        let home = Belongs { owner: &owner, what: What::Credential(&id, Algorithm::Sha1) };
        let secret = Secret::copy(b"12345678901234567890").unwrap();
        let old = keys(folder.path()).seal(&secret, &home).unwrap();
        let both = keys(folder.path());
        assert_eq!((old.key, both.current()), (1, 2));
        assert_eq!(both.seal(&secret, &home).unwrap().key, 2);
        assert_eq!(both.open(&old, &home).unwrap(), secret);
    }

    #[test]
    fn careless_modes_are_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = SealingKeys::create(folder.path()).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o404)).unwrap();
        assert!(matches!(SealingKeys::load(folder.path()), Err(Error::Place(..))));
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o400)).unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o777)).unwrap();
        assert!(matches!(SealingKeys::load(folder.path()), Err(Error::Place(..))));
    }
}
