//! What is in headers.

use std::fs;

use luks_cryptsetup::{Device, plugin};
use luks_unlock::order::{Held, Listed, Outcome, Plugin, View, Volume};
use luks_unlock::token::TYPE;

use crate::failure::Failure;
use crate::volume::{NUMBERS, load, tokens};

/// What is in one header.
pub fn look(volume: &Volume) -> Result<Outcome, Failure> {
    Ok(Outcome::Header(view(&load(volume)?)))
}

/// Every volume of the machine that has a token of ours.
pub fn list() -> Result<Outcome, Failure> {
    let failed = |error| Failure::new(format!("can't read /sys/class/block: {error}"));
    let mut names: Vec<_> =
        fs::read_dir("/sys/class/block").map_err(failed)?.flatten().map(|e| e.file_name()).collect();
    names.sort();
    let devices = names.into_iter().filter_map(|name| Some(format!("/dev/{}", name.to_str()?.replace('!', "/"))));
    let listed = devices.filter_map(|device| {
        let volume = Volume { device: device.clone(), header: None };
        // What can't be read or has no header is not a volume of ours.
        let view = view(&load(&volume).ok()?);
        (!view.tokens.is_empty()).then_some(Listed { device, view })
    });
    let listed: Vec<Listed> = listed.collect();
    // It complained of every disk without a header.
    let _ = luks_cryptsetup::heard();
    Ok(Outcome::Volumes(listed))
}

/// The plugin that libcryptsetup loads for our tokens.
pub fn plugin() -> Result<Outcome, Failure> {
    let path = plugin::place(TYPE).ok_or_else(|| Failure::new("this libcryptsetup loads no plugins"))?;
    let version = plugin::version(&path);
    Ok(Outcome::Plugin(Plugin { path: path.display().to_string(), version }))
}

fn view(device: &Device) -> View {
    let uuid = device.uuid();
    let json = |number: i32| device.token_json(number).map(|json| (number, json));
    View {
        keyslots: NUMBERS.filter(|slot| device.keyslot_is_active(*slot)).collect(),
        tokens: tokens(device).into_iter().filter_map(json).collect(),
        held: NUMBERS.flat_map(|number| held(device, number)).collect(),
        names: names(&uuid).unwrap_or_default(),
        uuid,
    }
}

/// systemd-cryptenroll's recovery key, which people type: its token only names
/// the keyslot.
const TYPED: &str = "systemd-recovery";

/// The keyslots that a token opens, where it is somebody else's.
fn held(device: &Device, number: i32) -> Vec<Held> {
    let kind = device.token_type(number).filter(|kind| kind != TYPE && kind != TYPED);
    let Some((by, json)) = kind.zip(device.token_json(number)) else { return vec![] };
    let slots = luks_unlock::token::keyslots(&json).into_iter().filter(|slot| device.keyslot_is_active(*slot));
    slots.map(|keyslot| Held { keyslot, by: by.clone() }).collect()
}

/// The names under which a volume is open, as the kernel has them.
fn names(uuid: &str) -> Option<Vec<String>> {
    let start = format!("CRYPT-LUKS2-{}-", uuid.replace('-', ""));
    let name = |entry: fs::DirEntry| {
        let uuid = fs::read_to_string(entry.path().join("dm/uuid")).ok()?;
        uuid.trim().strip_prefix(&start).map(str::to_owned)
    };
    Some(fs::read_dir("/sys/class/block").ok()?.flatten().filter_map(name).collect())
}
