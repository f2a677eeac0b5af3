//! Blizzard's authenticator on Android, whose secret is masked.

use otp_core::Secret;
use zeroize::Zeroizing;

use super::hex;
use super::xml::{holds, with_root};
use crate::entry::Kind;
use crate::{Entry, Error, Format, Parsed, Source};

const SECRET: &str = "com.blizzard.messenger.AUTHENTICATOR_DEVICE_SECRET";
const SERIAL: &str = "com.blizzard.messenger.AUTHENTICATOR_SERIAL";
/// What the program masks both with, as far as they are long.
const MASK: &[u8; 40] =
    b"\x39\x8e\x27\xfc\x50\x27\x6a\x65\x60\x65\xb0\xe5\x25\xf4\xc0\x6c\x04\xc6\x10\x75\x28\x6b\x8e\x7a\xed\xa5\x9d\xa9\x81\x3b\x5d\xd6\xc8\x0d\x2f\xb3\x80\x68\x77\x3f";

pub(crate) struct BattleNet;

impl Format for BattleNet {
    fn name(&self) -> &'static str {
        "battlenet-xml"
    }

    fn title(&self) -> &'static str {
        "Battle.net's authenticator, its settings on a phone"
    }

    fn recognises(&self, source: &Source) -> bool {
        holds(source, SECRET)
    }

    fn parse(&self, source: &Source, parsed: &mut Parsed) -> Result<(), Error> {
        with_root(source, |map| {
            let text = |name: &str| {
                let found = map.children().find(|node| node.attribute("name") == Some(name));
                found.and_then(|node| node.text()).unwrap_or_default()
            };
            let serial = unmasked(text(SERIAL)).map(|serial| String::from_utf8_lossy(&serial).into_owned());
            let entry = entry(text(SECRET), serial.unwrap_or_default());
            parsed.take(source.name, 1, "Battle.net", entry);
        })
    }
}

fn entry(masked: &str, serial: String) -> Result<Entry, &'static str> {
    let digits = unmasked(masked).ok_or("the secret is not masked as it is known to be")?;
    let secret: Option<Secret> = std::str::from_utf8(&digits).ok().and_then(hex::secret);
    let entry = Entry::new(Kind::Totp { period: 30 }, secret.ok_or("the secret is not hexadecimal")?);
    Ok(Entry { issuer: "Battle.net".to_owned(), name: serial, digits: 8, ..entry })
}

fn unmasked(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(hex::bytes(text).filter(|bytes| bytes.len() <= MASK.len())?);
    bytes.iter_mut().zip(MASK).for_each(|(byte, mask)| *byte ^= mask);
    Some(bytes)
}
