//! The authenticators.

use base64ct::{Base64, Encoding};
use otp_core::Secret;
use otp_core::uri::KeyUri;
use serde_json::Value;
use zeroize::Zeroizing;

use super::super::hex;
use super::draft::{Draft, base32, either, number, text};
use super::{Json, all, list};
use crate::Entry;

pub(crate) const AEGIS: Json = Json {
    name: "aegis-json",
    title: "Aegis, exported without a password",
    marks: &["header", "db", "slots"],
    entries: |document| list(document.get("db")?, "entries"),
    entry: |value| {
        let info = value.get("info").unwrap_or(&Value::Null);
        let draft = Draft {
            issuer: text(value, "issuer"),
            name: text(value, "name"),
            algorithm: text(info, "algo"),
            digits: number(info, "digits")?,
            period: number(info, "period")?,
            counter: number(info, "counter")?,
            ..Draft::new(text(value, "type"), base32(info, "secret")?)
        };
        draft.entry().map(Some)
    },
    label: |value| label(text(value, "issuer"), text(value, "name")),
};

pub(crate) const ANDOTP: Json = Json {
    name: "andotp-json",
    title: "andOTP, exported without a password",
    marks: &["label", "thumbnail", "secret"],
    entries: all,
    entry: |value| labelled(value).map(Some),
    label: |value| label(text(value, "issuer"), text(value, "label")),
};

pub(crate) const COTP: Json = Json {
    name: "cotp-json",
    title: "cotp, exported without a password",
    marks: &["elements", "label", "pin"],
    entries: |document| list(document, "elements"),
    entry: |value| labelled(value).map(Some),
    label: |value| label(text(value, "issuer"), text(value, "label")),
};

/// andOTP's fields, which others took over.
fn labelled(value: &Value) -> Result<Entry, String> {
    let draft = Draft {
        issuer: text(value, "issuer"),
        name: text(value, "label"),
        algorithm: text(value, "algorithm"),
        digits: number(value, "digits")?,
        period: number(value, "period")?,
        counter: number(value, "counter")?,
        ..Draft::new(text(value, "type"), base32(value, "secret")?)
    };
    draft.entry()
}

pub(crate) const TWO_FAS: Json = Json {
    name: "2fas",
    title: "2FAS, backed up without a password",
    marks: &["services", "schemaVersion"],
    entries: |document| match list(document, "services")? {
        services if services.is_empty() && document.get("servicesEncrypted").is_some() => None,
        services => Some(services),
    },
    entry: |value| {
        let otp = value.get("otp").unwrap_or(&Value::Null);
        let linked = KeyUri::parse(text(otp, "link")).ok();
        let draft = Draft {
            issuer: either(text(otp, "issuer"), text(value, "name")),
            name: either(text(otp, "account"), linked.as_ref().map_or("", |uri| uri.name.as_str())),
            algorithm: text(otp, "algorithm"),
            digits: number(otp, "digits")?,
            period: number(otp, "period")?,
            counter: number(otp, "counter")?,
            ..Draft::new(either(text(otp, "tokenType"), "totp"), base32(value, "secret")?)
        };
        draft.entry().map(Some)
    },
    label: |value| text(value, "name").to_owned(),
};

pub(crate) const STRATUM: Json = Json {
    name: "stratum-json",
    title: "Stratum (Authenticator Pro), backed up without a password",
    marks: &["Authenticators", "Secret"],
    entries: |document| list(document, "Authenticators"),
    entry: |value| {
        let kind = match number(value, "Type")? {
            Some(1) => "hotp",
            Some(2) => "totp",
            Some(3) => "motp",
            Some(4) => "steam",
            Some(5) => "yandex",
            _ => "",
        };
        let algorithm = match number(value, "Algorithm")? {
            None | Some(0) => "SHA1",
            Some(1) => "SHA256",
            Some(2) => "SHA512",
            Some(_) => "unknown",
        };
        let draft = Draft {
            issuer: text(value, "Issuer"),
            name: text(value, "Username"),
            algorithm,
            digits: number(value, "Digits")?,
            period: number(value, "Period")?,
            counter: number(value, "Counter")?,
            ..Draft::new(kind, base32(value, "Secret")?)
        };
        draft.entry().map(Some)
    },
    label: |value| label(text(value, "Issuer"), text(value, "Username")),
};

pub(crate) const FREEOTP_PLUS: Json = Json {
    name: "freeotp-plus-json",
    title: "FreeOTP+",
    marks: &["tokens", "tokenOrder"],
    entries: |document| list(document, "tokens"),
    entry: |value| {
        let draft = Draft {
            issuer: either(text(value, "issuerAlt"), either(text(value, "issuerExt"), text(value, "issuerInt"))),
            name: either(text(value, "labelAlt"), text(value, "label")),
            algorithm: text(value, "algo"),
            digits: number(value, "digits")?,
            period: number(value, "period")?,
            counter: number(value, "counter")?,
            shown: false,
            ..Draft::new(text(value, "type"), signed_bytes(value)?)
        };
        draft.entry().map(Some)
    },
    label: |value| label(text(value, "issuerExt"), text(value, "label")),
};

/// A secret as Java's bytes, -128 to 127.
fn signed_bytes(value: &Value) -> Result<Secret, String> {
    let bytes = value.get("secret").and_then(Value::as_array).ok_or("no secret")?;
    let secret = Secret::fill(bytes.len(), |place| {
        for (byte, value) in place.iter_mut().zip(bytes) {
            let number = value.as_i64().and_then(|number| i8::try_from(number).ok());
            *byte = number.ok_or(otp_core::secret::SecretError::NotBase32)?.cast_unsigned();
        }
        Ok::<_, otp_core::secret::SecretError>(())
    });
    secret.map_err(|_| "the secret is not a list of bytes".to_owned())
}

pub(crate) const LASTPASS: Json = Json {
    name: "lastpass-authenticator-json",
    title: "LastPass Authenticator",
    marks: &["accounts", "localDeviceId"],
    entries: |document| list(document, "accounts"),
    entry: |value| {
        let draft = Draft {
            issuer: either(text(value, "issuerName"), text(value, "originalIssuerName")),
            name: either(text(value, "userName"), text(value, "originalUserName")),
            algorithm: text(value, "algorithm"),
            digits: number(value, "digits")?,
            period: number(value, "timeStep")?,
            ..Draft::new("totp", base32(value, "secret")?)
        };
        draft.entry().map(Some)
    },
    label: |value| label(text(value, "issuerName"), text(value, "userName")),
};

pub(crate) const RAIVO: Json = Json {
    name: "raivo-json",
    title: "Raivo OTP, the JSON out of its archive",
    marks: &["kind", "timer", "account"],
    entries: all,
    entry: |value| {
        let draft = Draft {
            issuer: text(value, "issuer"),
            name: text(value, "account"),
            algorithm: text(value, "algorithm"),
            digits: number(value, "digits")?,
            period: number(value, "timer")?,
            counter: number(value, "counter")?,
            ..Draft::new(text(value, "kind"), base32(value, "secret")?)
        };
        draft.entry().map(Some)
    },
    label: |value| label(text(value, "issuer"), text(value, "account")),
};

pub(crate) const DUO: Json = Json {
    name: "duo-json",
    title: "Duo Mobile, files/duokit/accounts.json",
    marks: &["otpGenerator", "accountType"],
    entries: all,
    entry: |value| {
        // Accounts of Duo's own have none.
        let Some(generator) = value.get("otpGenerator") else { return Ok(None) };
        let counter = number(generator, "counter")?;
        let kind = if counter.is_some() { "hotp" } else { "totp" };
        let secret = base32(generator, "otpSecret")?;
        let draft = Draft { name: text(value, "name"), counter, ..Draft::new(kind, secret) };
        draft.entry().map(Some)
    },
    label: |value| text(value, "name").to_owned(),
};

pub(crate) const PROTON: Json = Json {
    name: "proton-authenticator-json",
    title: "Proton Authenticator, exported without a password",
    marks: &["entries", "entry_type"],
    entries: |document| list(document, "entries"),
    entry: |value| {
        let content = value.get("content").unwrap_or(&Value::Null);
        let uri = KeyUri::parse(text(content, "uri")).map_err(|error| error.to_string())?;
        let mut entry = Entry::from_uri(uri);
        if !text(content, "name").is_empty() {
            entry.name = text(content, "name").to_owned();
        }
        Ok(Some(entry))
    },
    label: |value| text(value.get("content").unwrap_or(&Value::Null), "name").to_owned(),
};

/// An object of which the list of entries is the name, as text.
pub(crate) const TOTP_AUTHENTICATOR: Json = Json {
    name: "totp-authenticator",
    title: "TOTP Authenticator",
    marks: &["base", "key", "accountHeaderLabel"],
    entries: all,
    entry: |value| {
        let key = text(value, "key");
        let secret = match number(value, "base")? {
            Some(16) => hex::secret(key).ok_or("the secret is not hexadecimal")?,
            Some(64) => {
                let bytes = Base64::decode_vec(key).map(Zeroizing::new).map_err(|_| "the secret is not base64")?;
                Secret::copy(&bytes).map_err(|error| error.to_string())?
            }
            _ => base32(value, "key")?,
        };
        let draft = Draft {
            issuer: text(value, "issuer"),
            name: text(value, "name"),
            digits: number(value, "digits")?,
            period: number(value, "period")?,
            ..Draft::new("totp", secret)
        };
        draft.entry().map(Some)
    },
    label: |value| label(text(value, "issuer"), text(value, "name")),
};

pub(crate) const STEAM: Json = Json {
    name: "steam-json",
    title: "Steam's mobile authenticator",
    marks: &["shared_secret", "account_name"],
    entries: |document| match document.get("accounts").and_then(Value::as_object) {
        Some(accounts) => Some(accounts.values().collect()),
        None => Some(vec![document]),
    },
    entry: |value| {
        let decoded = Base64::decode_vec(text(value, "shared_secret")).map(Zeroizing::new);
        let decoded = decoded.map_err(|_| "the secret is not base64")?;
        let secret = Secret::copy(&decoded).map_err(|error| error.to_string())?;
        Draft { issuer: "Steam", name: text(value, "account_name"), ..Draft::new("steam", secret) }.entry().map(Some)
    },
    label: |value| text(value, "account_name").to_owned(),
};

/// Authy's accounts, which stand as JSON in its settings.
pub(crate) const AUTHY: Json = Json {
    name: "authy-xml",
    title: "Authy",
    marks: &[],
    entries: all,
    entry: |value| {
        let draft = |kind, secret| Draft { name: text(value, "name"), ..Draft::new(kind, secret) };
        let digits = number(value, "digits")?;
        // Tokens of Authy's own last ten seconds.
        if let Some(seed) = value.get("secretSeed").and_then(Value::as_str) {
            let secret = hex::secret(seed).ok_or("the secret is not hexadecimal")?;
            let name = text(value, "name");
            return Draft { issuer: name, name: "", digits, period: Some(10), ..draft("totp", secret) }
                .entry()
                .map(Some);
        }
        if value.get("decryptedSecret").is_none() {
            return Err("the secret is encrypted with another password".to_owned());
        }
        let mut entry = Draft { digits, ..draft("totp", base32(value, "decryptedSecret")?) }.entry()?;
        entry.set_label(text(value, "originalIssuer"), either(text(value, "originalName"), text(value, "name")));
        Ok(Some(entry))
    },
    label: |value| text(value, "name").to_owned(),
};

fn label(issuer: &str, name: &str) -> String {
    if issuer.is_empty() { name.to_owned() } else { format!("{issuer}:{name}") }
}
