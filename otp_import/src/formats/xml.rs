//! XML: PSKC (RFC 6030), and what Android programs keep as their settings.
//! Documents that declare a type (DTD) are refused by the parser.

use base64ct::{Base64, Encoding};
use otp_core::Secret;
use roxmltree::{Document, Node};
use serde_json::Value;
use zeroize::Zeroizing;

use super::json::{AUTHY, FREEOTP_PLUS, Json};
use crate::entry::Kind;
use crate::hash::Hash;
use crate::locked::{Fault, Plain, authy, pskc};
use crate::{Entry, Error, Format, Parsed, Source};

/// The namespace of PSKC.
const PSKC: &str = "urn:ietf:params:xml:ns:keyprov:pskc";

/// Key containers of hardware tokens.
pub(crate) struct Pskc;

/// FreeOTP 1 and Authy: JSON in the texts of a map.
pub(crate) struct Settings {
    name: &'static str,
    title: &'static str,
    mark: &'static str,
    json: &'static Json,
}

pub(crate) const FREEOTP: Settings =
    Settings { name: "freeotp-xml-v1", title: "FreeOTP 1, tokens.xml", mark: "&quot;algo&quot;", json: &FREEOTP_PLUS };

pub(crate) const AUTHY_SETTINGS: Settings = Settings {
    name: "authy-xml",
    title: "Authy's settings on a phone",
    mark: "com.authy.storage.tokens",
    json: &AUTHY,
};

fn is_xml(source: &Source) -> bool {
    source.text().is_some_and(|text| text.trim_start().starts_with("<?xml"))
}

pub(crate) fn holds(source: &Source, mark: &str) -> bool {
    is_xml(source) && source.text().is_some_and(|text| text.contains(mark))
}

/// Does something with the root element.
pub(crate) fn with_root<T>(source: &Source, use_it: impl FnOnce(Node) -> T) -> Result<T, Error> {
    let document = Document::parse(source.text().unwrap_or_default());
    let document = document.map_err(|error| source.error(format!("broken XML at {}", error.pos())))?;
    Ok(use_it(document.root_element()))
}

impl Format for Settings {
    fn name(&self) -> &'static str {
        self.name
    }

    fn title(&self) -> &'static str {
        self.title
    }

    fn recognises(&self, source: &Source) -> bool {
        holds(source, self.mark)
    }

    fn parse(&self, source: &Source, parsed: &mut Parsed) -> Result<(), Error> {
        let (mut readable, mut locked) = (false, false);
        with_root(source, |map| {
            let texts = map.children().filter(|node| node.has_tag_name("string"));
            let names: Vec<(&str, &str)> = texts
                .map(|node| (node.attribute("name").unwrap_or_default(), node.text().unwrap_or_default()))
                .filter(|(name, _)| *name != "tokenOrder")
                .collect();
            for (name, text) in names {
                match serde_json::from_str::<Value>(text) {
                    Ok(Value::Array(mut values)) => {
                        for value in values.iter_mut().filter(|value| authy::is_locked(value)) {
                            source.password.into_iter().for_each(|password| authy::unlock(value, password));
                        }
                        locked |= values.iter().any(authy::is_locked);
                        readable |= !values.iter().all(authy::is_locked);
                        self.json.take(source, &values.iter().collect::<Vec<_>>(), parsed);
                    }
                    Ok(value) => self.json.take(source, &[&value], parsed),
                    Err(_) => parsed.skip(source.name, None, name, "broken JSON, or encrypted"),
                }
            }
        })?;
        match source.password {
            None if locked && !readable => Err(source.error("encrypted with a password (authy-xml)").locked()),
            Some(_) if locked && !readable => Err(source.error(Fault::Password)),
            _ => Ok(()),
        }
    }
}

impl Format for Pskc {
    fn name(&self) -> &'static str {
        "pskc"
    }

    fn title(&self) -> &'static str {
        "PSKC key containers of hardware tokens (RFC 6030)"
    }

    fn recognises(&self, source: &Source) -> bool {
        is_xml(source)
    }

    fn parse(&self, source: &Source, parsed: &mut Parsed) -> Result<(), Error> {
        let mut locked = false;
        with_root(source, |root| {
            if !root.has_tag_name((PSKC, "KeyContainer")) {
                return parsed.skip(source.name, None, "", "an XML document, but not a PSKC KeyContainer");
            }
            let all_locked = |name| root.descendants().any(|node| node.has_tag_name((PSKC, name)));
            locked = all_locked("EncryptedValue") && !root.descendants().any(is_plain_key);
            let opener = pskc::Opener {
                password: source.password,
                mac_key: cipher_value(child(root, &["MACMethod", "MACKey"])),
            };
            let packages = root.children().filter(|node| node.has_tag_name((PSKC, "KeyPackage")));
            for (row, package) in (1..).zip(packages) {
                let key = child(package, &["Key"]);
                let name = key.and_then(|key| key.attribute("Id")).unwrap_or_default();
                let entry = key.ok_or_else(|| "a package without a key".to_owned());
                parsed.take(source.name, row, name, entry.and_then(|key| pskc(package, key, &opener)));
            }
        })?;
        match source.password {
            None if locked => {
                Err(source.error("encrypted with a key (pskc); its hexadecimal digits are the password").locked())
            }
            _ => Ok(()),
        }
    }
}

fn child<'a, 'b>(node: Node<'a, 'b>, path: &[&str]) -> Option<Node<'a, 'b>> {
    path.iter().try_fold(node, |node, name| node.children().find(|child| child.has_tag_name((PSKC, *name))))
}

fn text<'a>(node: Node<'a, '_>, path: &[&str]) -> &'a str {
    child(node, path).and_then(|node| node.text()).unwrap_or_default().trim()
}

/// Whether a key with a secret can be read as it stands.
fn is_plain_key(node: Node) -> bool {
    let data = |name, value| child(node, &["Data", name, value]).is_some();
    let read = ["Secret", "Counter", "TimeInterval"];
    node.has_tag_name((PSKC, "Key"))
        && data("Secret", "PlainValue")
        && !read.iter().any(|name| data(name, "EncryptedValue"))
}

/// What stands in `CipherData/CipherValue` of XML Encryption.
fn cipher_value<'a>(node: Option<Node<'a, '_>>) -> Option<&'a str> {
    node?.descendants().find(|node| node.tag_name().name() == "CipherValue")?.text()
}

fn pskc(package: Node, key: Node, opener: &pskc::Opener) -> Result<Entry, String> {
    let kind = match key.attribute("Algorithm").unwrap_or_default().rsplit(':').next() {
        Some("hotp") => {
            let next = number(key, "Counter", opener)?.unwrap_or(0);
            Kind::Hotp { stored: next, next }
        }
        Some("totp") => {
            let period = number(key, "TimeInterval", opener)?.unwrap_or(30);
            Kind::Totp { period: u32::try_from(period).ok().filter(|period| *period > 0).ok_or("bad TimeInterval")? }
        }
        _ => return Err("neither HOTP nor TOTP".to_owned()),
    };
    let mut entry = Entry::new(kind, secret(key, opener)?);
    let format = child(key, &["AlgorithmParameters", "ResponseFormat"]);
    if format.and_then(|format| format.attribute("Encoding")).is_some_and(|encoding| encoding != "DECIMAL") {
        return Err("its codes are not decimal digits".to_owned());
    }
    if format.and_then(|format| format.attribute("CheckDigits")).is_some_and(|check| check != "false" && check != "0") {
        return Err("its codes end in a check digit".to_owned());
    }
    if let Some(length) = format.and_then(|format| format.attribute("Length")) {
        entry.digits = length.parse().ok().filter(|digits| (1..=10).contains(digits)).ok_or("bad digits")?;
    }
    entry.algorithm = match text(key, &["AlgorithmParameters", "Suite"]) {
        "" => Hash::Sha1,
        suite => suite.parse().map_err(|_| "unknown algorithm")?,
    };
    let first = |texts: [&str; 2]| texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default().to_owned();
    entry.issuer = first([text(key, &["Issuer"]), text(package, &["DeviceInfo", "Manufacturer"])]);
    entry.name = first([text(key, &["UserId"]), key.attribute("Id").unwrap_or_default()]);
    Ok(entry)
}

/// A number of the key's data, which may be encrypted as the secret may.
fn number(key: Node, name: &str, opener: &pskc::Opener) -> Result<Option<u64>, String> {
    let Some(node) = child(key, &["Data", name]) else { return Ok(None) };
    let digits = match child(node, &["PlainValue"]) {
        Some(plain) => plain.text().and_then(|digits| digits.trim().parse().ok()),
        None => std::str::from_utf8(&opened(node, opener)?).ok().and_then(|digits| digits.trim().parse().ok()),
    };
    digits.map(Some).ok_or_else(|| format!("bad {name}"))
}

/// The bytes of an element that is not plain.
fn opened(node: Node, opener: &pskc::Opener) -> Result<Plain, String> {
    let value = cipher_value(child(node, &["EncryptedValue"]));
    let value = value.ok_or_else(|| format!("{} is neither plain nor encrypted", node.tag_name().name()))?;
    opener.open(value, text(node, &["ValueMAC"])).map_err(|fault| fault.to_string())
}

fn secret(key: Node, opener: &pskc::Opener) -> Result<Secret, String> {
    let Some(secret) = child(key, &["Data", "Secret"]) else {
        return Err("no secret, only a reference to one".to_owned());
    };
    if child(secret, &["PlainValue"]).is_none() {
        return Secret::copy(&opened(secret, opener)?).map_err(|error| error.to_string());
    }
    let plain: Zeroizing<String> = text(secret, &["PlainValue"]).split_whitespace().collect::<String>().into();
    let bytes = Base64::decode_vec(&plain).map_err(|_| "the secret is not base64")?;
    Secret::copy(&Zeroizing::new(bytes)).map_err(|error| error.to_string())
}
