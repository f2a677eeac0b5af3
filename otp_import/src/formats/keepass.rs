//! KeePass 2 and KeePassXC, their XML: each plugin and program keeps the secret
//! in fields of its own.

use std::collections::BTreeMap;

use base64ct::{Base64, Encoding};
use otp_core::Secret;
use roxmltree::Node;
use zeroize::Zeroizing;

use super::hex;
use super::json::{Draft, loose};
use super::xml::{holds, with_root};
use crate::{Entry, Error, Format, Parsed, Source};

pub(crate) struct KeePass;

impl Format for KeePass {
    fn name(&self) -> &'static str {
        "keepassxc-xml"
    }

    fn title(&self) -> &'static str {
        "KeePassXC and KeePass 2, exported as XML"
    }

    fn recognises(&self, source: &Source) -> bool {
        holds(source, "<KeePassFile")
    }

    fn parse(&self, source: &Source, parsed: &mut Parsed) -> Result<(), Error> {
        with_root(source, |root| {
            let bin = child(root, "Meta").map(|meta| text(meta, "RecycleBinUUID")).unwrap_or_default();
            // What was changed or thrown away counts no more.
            let thrown_away = |node: Node| node.has_tag_name("Group") && !bin.is_empty() && text(node, "UUID") == bin;
            let past = |node: Node| node.has_tag_name("History") || thrown_away(node);
            let entries = root.descendants().filter(|node| node.has_tag_name("Entry") && !node.ancestors().any(past));
            for (row, node) in (1..).zip(entries) {
                let fields = Fields::of(node);
                for entry in fields.entries() {
                    parsed.take(source.name, row, fields.get("Title"), entry);
                }
            }
        })
    }
}

fn child<'a, 'b>(node: Node<'a, 'b>, name: &str) -> Option<Node<'a, 'b>> {
    node.children().find(|child| child.has_tag_name(name))
}

fn text<'a>(node: Node<'a, '_>, name: &str) -> &'a str {
    child(node, name).and_then(|child| child.text()).unwrap_or_default()
}

/// The fields of an entry.
struct Fields<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Fields<'a> {
    fn of(entry: Node<'a, '_>) -> Self {
        let strings = entry.children().filter(|child| child.has_tag_name("String"));
        Self(strings.map(|string| (text(string, "Key"), text(string, "Value"))).collect())
    }

    fn get(&self, name: &str) -> &'a str {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// All there are; a secret that stands there for several plugins is one.
    fn entries(&self) -> Vec<Result<Entry, String>> {
        let mut entries: Vec<Result<Entry, String>> = Vec::new();
        for found in [self.otp(), self.tray(), self.time(), self.counter()].into_iter().filter_map(Result::transpose) {
            let same = |one: &Entry, other: &Entry| one.kind.name() == other.kind.name() && one.secret == other.secret;
            let known = |new: &Entry| entries.iter().flatten().any(|entry| same(entry, new));
            if !found.as_ref().is_ok_and(known) {
                entries.push(found);
            }
        }
        entries
    }

    fn named(&self, entry: Entry) -> Entry {
        Entry { issuer: self.get("Title").to_owned(), name: self.get("UserName").to_owned(), ..entry }
    }

    /// KeePassXC's and KeeOtp's field.
    fn otp(&self) -> Result<Option<Entry>, String> {
        match self.get("otp") {
            "" => Ok(None),
            keeotp if keeotp.starts_with("key=") => self.keeotp(keeotp).map(|entry| Some(self.named(entry))),
            uri => loose(uri, self.get("Title"), self.get("UserName")).map(Some),
        }
    }

    /// KeeOtp: `key=…&step=…&size=…&otpHashMode=…`.
    fn keeotp(&self, text: &str) -> Result<Entry, String> {
        let parameter = |name: &str| {
            let found = text.split('&').find_map(|parameter| parameter.strip_prefix(name)?.strip_prefix('='));
            found.unwrap_or_default()
        };
        // Its padding is percent-encoded.
        let secret = Secret::from_base32(&parameter("key").replace("%3d", "").replace("%3D", ""));
        let kind = if parameter("type").eq_ignore_ascii_case("hotp") { "hotp" } else { "totp" };
        let draft = Draft {
            algorithm: parameter("otpHashMode"),
            digits: number(parameter("size"))?,
            period: number(parameter("step"))?,
            counter: number(parameter("counter"))?,
            ..Draft::new(kind, secret.map_err(|error| error.to_string())?)
        };
        draft.entry()
    }

    /// KeeTrayTOTP: `TOTP Settings` is `30;6`, or `30;S` for Steam.
    fn tray(&self) -> Result<Option<Entry>, String> {
        if self.get("TOTP Seed").is_empty() {
            return Ok(None);
        }
        let secret = Secret::from_base32(self.get("TOTP Seed")).map_err(|error| error.to_string())?;
        let (period, digits) = self.get("TOTP Settings").split_once(';').unwrap_or(("30", "6"));
        let digits = digits.split(';').next().unwrap_or_default();
        let steam = digits == "S";
        let digits = if steam { None } else { number(digits)? };
        let kind = if steam { "steam" } else { "totp" };
        let entry = Draft { digits, period: number(period)?, ..Draft::new(kind, secret) }.entry()?;
        Ok(Some(self.named(entry)))
    }

    fn time(&self) -> Result<Option<Entry>, String> {
        let Some(secret) = self.secret("TimeOtp-Secret")? else { return Ok(None) };
        let draft = Draft {
            algorithm: self.get("TimeOtp-Algorithm"),
            digits: number(self.get("TimeOtp-Length"))?,
            period: number(self.get("TimeOtp-Period"))?,
            ..Draft::new("totp", secret)
        };
        Ok(Some(self.named(draft.entry()?)))
    }

    /// The counter is that of the code that comes next.
    fn counter(&self) -> Result<Option<Entry>, String> {
        let Some(secret) = self.secret("HmacOtp-Secret")? else { return Ok(None) };
        let counter = number(self.get("HmacOtp-Counter"))?.or(Some(0));
        let entry = Draft { counter, shown: false, ..Draft::new("hotp", secret) }.entry()?;
        Ok(Some(self.named(entry)))
    }

    /// The secret in whichever way it is written; as text, its bytes are the secret.
    fn secret(&self, name: &str) -> Result<Option<Secret>, String> {
        let way =
            |suffix: &str| self.0.get(format!("{name}{suffix}").as_str()).copied().filter(|text| !text.is_empty());
        let secret = match (way(""), way("-Hex"), way("-Base32"), way("-Base64")) {
            (Some(text), ..) => Secret::copy(text.as_bytes()).map_err(|error| error.to_string())?,
            (None, Some(text), ..) => hex::secret(text).ok_or("the secret is not hexadecimal")?,
            (None, None, Some(text), _) => Secret::from_base32(text).map_err(|error| error.to_string())?,
            (None, None, None, Some(text)) => {
                let bytes = Base64::decode_vec(text).map_err(|_| "the secret is not base64")?;
                Secret::copy(&Zeroizing::new(bytes)).map_err(|error| error.to_string())?
            }
            (None, None, None, None) => return Ok(None),
        };
        Ok(Some(secret))
    }
}

fn number(text: &str) -> Result<Option<u64>, String> {
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(|_| "a number in it is none".to_owned()) }
}
