//! Volumes: opened with a clear word about what is not right with them, and
//! copied before they are changed.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use luks_cryptsetup::{Device, Errno};
use luks_unlock::order::{Proof, Volume};
use luks_unlock::token::TYPE;
use rustix::io::Errno as Os;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// The numbers that tokens and keyslots have.
pub const NUMBERS: std::ops::Range<i32> = 0..32;
/// The longest key file in bytes that is read.
const MAX_KEY_FILE: usize = 8192;

/// The volume's LUKS2 header, ready to be read.
pub fn load(volume: &Volume) -> Result<Device, Failure> {
    let header = volume.header.as_deref().unwrap_or(&volume.device);
    let data = volume.header.as_ref().map(|_| volume.device.as_str());
    let failed = |error: Errno| match Path::new(header).exists() {
        true => Failure::new(format!("can't open {header}: {error}")),
        // The library says what it would rather have had.
        false => Failure::new(format!("can't open {header}: it is not there"))
            .hint("attach the disk, or look for its name: lsblk --fs"),
    };
    let device = Device::open(header, data).map_err(failed)?;
    loaded(device, header)
}

/// The header behind an open volume.
pub fn named(name: &str, header: Option<&str>) -> Result<Device, Failure> {
    let failed = |error: Errno| {
        Failure::new(format!("there is no open volume {name}: {error}"))
            .hint("ls /dev/mapper names those that are open")
    };
    Device::named(name, header).map_err(failed)
}

fn loaded(device: Device, header: &str) -> Result<Device, Failure> {
    match device.load().as_deref() {
        Ok("LUKS2") => Ok(device),
        Ok("LUKS1") => Err(Failure::new(format!("{header} has a LUKS1 header, which holds no tokens"))
            .hint(format!("with the volume closed: cryptsetup convert --type luks2 {header}"))),
        Ok(other) => Err(Failure::new(format!("{header} has a header of type {other}, not LUKS2"))),
        Err(error) => Err(Failure::new(format!("{header} has no LUKS2 header: {error}"))
            .hint("is it the right device? a detached header is named with --header")),
    }
}

/// Refuses to change a header whose keys are about to become others.
pub fn changeable(device: &Device) -> Result<(), Failure> {
    if device.is_being_reencrypted() {
        return Err(Failure::new("the volume is being re-encrypted")
            .hint("finish that first: cryptsetup reencrypt --resume-only"));
    }
    Ok(())
}

/// The tokens of ours.
pub fn tokens(device: &Device) -> Vec<i32> {
    NUMBERS.filter(|number| device.token_type(*number).as_deref() == Some(TYPE)).collect()
}

/// The passphrase that a proof is.
pub fn passphrase(proof: &Proof) -> Result<Zeroizing<Vec<u8>>, Failure> {
    match proof {
        Proof::Typed(typed) => typed.bytes().ok_or_else(|| Failure::new("the passphrase can't be read")),
        Proof::File(path) => {
            let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_KEY_FILE + 1));
            let read = File::open(path).and_then(|file| file.take(8193).read_to_end(&mut bytes));
            read.map_err(|error| Failure::new(format!("can't read {path}: {error}")))?;
            if bytes.len() > MAX_KEY_FILE {
                return Err(Failure::new(format!("{path} has more than {MAX_KEY_FILE} bytes")));
            }
            Ok(bytes)
        }
    }
}

/// The keyslot that a passphrase opens.
pub fn proven(device: &Device, passphrase: &[u8]) -> Result<i32, Failure> {
    device.activate(None, None, passphrase, 0).map_err(|error| match error {
        Errno(number) if number == Os::PERM.raw_os_error() => {
            Failure::no("no keyslot opens with that passphrase").hint("nothing was changed")
        }
        error => Failure::new(format!("the passphrase can't be tried: {error}")),
    })
}

/// Copies the header into a new file, for certain.
pub fn back_up(device: &Device, file: &str) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new(format!("can't copy the header into {file}: {error}"))
            .hint("nothing was changed; name another new file with --backup")
    };
    device.back_up(file).map_err(|error| failed(&error))?;
    let folder = Path::new(file).parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    for path in [Path::new(file), folder] {
        File::open(path).and_then(|file| file.sync_all()).map_err(|error| failed(&error))?;
    }
    Ok(())
}
