//! otpauth URIs: how a secret travels to an authenticator and out of one.
//!
//! The format is the wiki page "Key Uri Format" of google-authenticator, read
//! the way the authenticators in use write it. What is ambiguous or unknown
//! where it matters for the code is refused; no error text quotes the URI.

use std::fmt;

use zeroize::Zeroizing;

use crate::secret::SecretError;
use crate::{Algorithm, Secret};

/// The longest URI in bytes that is read: a secret, names and an icon's address.
pub const MAX_URI: usize = 4096;

/// What an otpauth URI says about one credential. Values are as found: whether
/// a credential may have them is for whoever makes one of it.
#[derive(Debug, PartialEq, Eq)]
pub struct KeyUri {
    /// The kind of code and what moves it.
    pub kind: Kind,
    /// Who issued it: the parameter, else the label's prefix, else empty.
    pub issuer: String,
    /// The label's prefix, where it contradicts [`KeyUri::issuer`].
    pub label_issuer: Option<String>,
    /// Whose it is: the label without the prefix.
    pub name: String,
    /// The secret.
    pub secret: Secret,
    /// The hash under the HMAC.
    pub algorithm: Algorithm,
    /// Digits of a code, 1 to 10.
    pub digits: u8,
}

/// The kind of code, with what moves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// RFC 6238.
    Totp {
        /// Seconds of a step, at least 1.
        period: u32,
    },
    /// RFC 4226.
    Hotp {
        /// The next counter.
        counter: u64,
    },
    /// Steam's five letters.
    Steam {
        /// Seconds of a step, at least 1.
        period: u32,
    },
}

/// Why text is no otpauth URI that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UriError {
    /// Longer than [`MAX_URI`].
    TooLong,
    /// Neither `otpauth://` nor `steam://`.
    Scheme,
    /// Neither totp nor hotp.
    Type,
    /// No secret in it.
    NoSecret,
    /// The secret can't be read.
    Secret(SecretError),
    /// An algorithm that nothing here computes.
    Algorithm,
    /// This parameter is no number, or out of range.
    Number(&'static str),
    /// This parameter is given twice.
    Twice(&'static str),
    /// A counter is needed and missing.
    NoCounter,
    /// `%` without two hexadecimal digits, or bytes that are no UTF-8.
    Encoding,
    /// A control character, plain or encoded.
    Control,
}

impl fmt::Display for UriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "the URI is longer than {MAX_URI} bytes"),
            Self::Scheme => f.write_str("not an otpauth:// or steam:// URI"),
            Self::Type => f.write_str("the type of the URI is neither totp nor hotp"),
            Self::NoSecret => f.write_str("the URI holds no secret"),
            Self::Secret(error) => error.fmt(f),
            Self::Algorithm => f.write_str("the URI's algorithm is none of SHA1, SHA256 and SHA512"),
            Self::Number(name) => write!(f, "the URI's {name} is not a number that makes sense"),
            Self::Twice(name) => write!(f, "the URI gives {name} twice"),
            Self::NoCounter => f.write_str("the URI is for HOTP and has no counter"),
            Self::Encoding => f.write_str("the URI's percent-encoding is broken"),
            Self::Control => f.write_str("the URI holds a control character"),
        }
    }
}

impl std::error::Error for UriError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Secret(error) => Some(error),
            _ => None,
        }
    }
}

impl From<SecretError> for UriError {
    fn from(error: SecretError) -> Self {
        match error {
            SecretError::Empty => Self::NoSecret,
            error => Self::Secret(error),
        }
    }
}

impl KeyUri {
    /// Reads a URI.
    ///
    /// # Errors
    /// See [`UriError`].
    pub fn parse(text: &str) -> Result<Self, UriError> {
        let text = text.trim();
        if text.len() > MAX_URI {
            return Err(UriError::TooLong);
        }
        if let Some(secret) = strip_scheme(text, "steam://") {
            return Self::bare_steam(secret);
        }
        let rest = strip_scheme(text, "otpauth://").ok_or(UriError::Scheme)?;
        // Not by the rules of RFC 3986: authenticators put '#' and blanks into labels.
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (kind, label) = path.split_once('/').unwrap_or((path, ""));
        let parameters = Parameters::parse(query)?;
        let secret = Secret::from_base32(&spaced(parameters.secret.ok_or(UriError::NoSecret)?)?)?;
        let kind = parameters.kind(kind)?;
        let (prefix, name) = split_label(&decode(label)?);
        let issuer = parameters.issuer.map(decode).transpose()?;
        let issuer = issuer.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let label_issuer = match &issuer {
            Some(issuer) => prefix.clone().filter(|prefix| prefix != issuer),
            None => None,
        };
        Ok(Self {
            issuer: issuer.or(prefix).unwrap_or_default(),
            label_issuer,
            name,
            secret,
            algorithm: parameters.algorithm()?,
            digits: parameters.digits(kind)?,
            kind,
        })
    }

    fn bare_steam(secret: &str) -> Result<Self, UriError> {
        Ok(Self {
            kind: Kind::Steam { period: 30 },
            issuer: "Steam".to_owned(),
            label_issuer: None,
            name: String::new(),
            secret: Secret::from_base32(&spaced(secret)?)?,
            algorithm: Algorithm::Sha1,
            digits: 5,
        })
    }

    /// Writes a URI that every authenticator reads: the issuer both before the
    /// name and as a parameter, and every value, also where it is the default.
    #[must_use]
    pub fn format(&self) -> Zeroizing<String> {
        // No step below may grow the text past this: what moves leaves a copy.
        let names = (self.issuer.len() * 2 + self.name.len()) * 3;
        let mut uri = Zeroizing::new(String::with_capacity(names + self.secret.expose().len() * 2 + 200));
        uri.push_str(if matches!(self.kind, Kind::Hotp { .. }) { "otpauth://hotp/" } else { "otpauth://totp/" });
        self.format_label(&mut uri);
        uri.push_str("?secret=");
        uri.push_str(&self.secret.to_base32());
        if !self.issuer.is_empty() {
            uri.push_str("&issuer=");
            encode(&self.issuer, &mut uri);
        }
        let moving = match self.kind {
            Kind::Totp { period } => format!("period={period}"),
            Kind::Hotp { counter } => format!("counter={counter}"),
            Kind::Steam { period } => format!("period={period}&encoder=steam"),
        };
        uri.push_str(&format!("&algorithm={}&digits={}&{moving}", self.algorithm, self.digits));
        uri
    }

    /// A colon parts issuer and name even when it is encoded, so an issuer with
    /// one can't stand here, and a name with one needs a prefix, if an empty one.
    fn format_label(&self, uri: &mut String) {
        let prefix = if self.issuer.contains(':') { "" } else { &self.issuer };
        encode(prefix, uri);
        if !prefix.is_empty() || self.name.contains(':') {
            uri.push(':');
        }
        encode(&self.name, uri);
    }
}

fn strip_scheme<'a>(text: &'a str, scheme: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(scheme.len())?;
    start.eq_ignore_ascii_case(scheme).then_some(rest)
}

/// The parameters that mean something here, still encoded.
#[derive(Default)]
struct Parameters<'a> {
    secret: Option<&'a str>,
    issuer: Option<&'a str>,
    algorithm: Option<&'a str>,
    digits: Option<&'a str>,
    period: Option<&'a str>,
    counter: Option<&'a str>,
    encoder: Option<&'a str>,
}

impl<'a> Parameters<'a> {
    fn parse(query: &'a str) -> Result<Self, UriError> {
        let mut found = Self::default();
        for parameter in query.split('&') {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let (place, name) = match name.to_ascii_lowercase().as_str() {
                "secret" => (&mut found.secret, "secret"),
                "issuer" => (&mut found.issuer, "issuer"),
                "algorithm" => (&mut found.algorithm, "algorithm"),
                "digits" => (&mut found.digits, "digits"),
                "period" => (&mut found.period, "period"),
                "counter" => (&mut found.counter, "counter"),
                "encoder" => (&mut found.encoder, "encoder"),
                _ => continue,
            };
            // Two programs would not agree on which of them counts.
            if place.replace(value).is_some() {
                return Err(UriError::Twice(name));
            }
        }
        Ok(found)
    }

    fn kind(&self, name: &str) -> Result<Kind, UriError> {
        let steam = self.encoder.is_some_and(|encoder| encoder.eq_ignore_ascii_case("steam"));
        match name.to_ascii_lowercase().as_str() {
            "totp" if !steam => Ok(Kind::Totp { period: self.period()? }),
            "totp" | "steam" => Ok(Kind::Steam { period: self.period()? }),
            "hotp" => match self.counter {
                Some(counter) => Ok(Kind::Hotp { counter: number(counter, "counter")? }),
                None => Err(UriError::NoCounter),
            },
            _ => Err(UriError::Type),
        }
    }

    fn period(&self) -> Result<u32, UriError> {
        match self.period.map_or(Ok(30), |text| number(text, "period"))? {
            period @ 1..=0xffff_ffff => u32::try_from(period).map_err(|_| UriError::Number("period")),
            _ => Err(UriError::Number("period")),
        }
    }

    fn algorithm(&self) -> Result<Algorithm, UriError> {
        match self.algorithm {
            Some(text) => decode(text)?.parse().map_err(|_| UriError::Algorithm),
            None => Ok(Algorithm::Sha1),
        }
    }

    fn digits(&self, kind: Kind) -> Result<u8, UriError> {
        let default = if matches!(kind, Kind::Steam { .. }) { 5 } else { 6 };
        let digits = self.digits.map_or(Ok(default), |text| number(text, "digits"))?;
        match (kind, u8::try_from(digits)) {
            // Steam's codes have five letters whatever the URI says.
            (Kind::Steam { .. }, Ok(_)) => Ok(5),
            (_, Ok(digits @ 1..=10)) => Ok(digits),
            _ => Err(UriError::Number("digits")),
        }
    }
}

fn number(text: &str, name: &'static str) -> Result<u64, UriError> {
    // parse() alone would let a sign through.
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(UriError::Number(name));
    }
    text.parse().map_err(|_| UriError::Number(name))
}

/// Issuer and name; only the name where there is no colon or nothing before it.
fn split_label(label: &str) -> (Option<String>, String) {
    match label.split_once(':') {
        Some((prefix, name)) if !prefix.trim().is_empty() => (Some(prefix.trim().to_owned()), name.trim().to_owned()),
        Some((_, name)) => (None, name.trim().to_owned()),
        None => (None, label.trim().to_owned()),
    }
}

/// The secret's text: what form encoders write for a blank is one.
fn spaced(text: &str) -> Result<Zeroizing<String>, UriError> {
    let decoded = decode(text)?;
    let mut spaced = Zeroizing::new(String::with_capacity(decoded.len()));
    spaced.extend(decoded.chars().map(|c| if c == '+' { ' ' } else { c }));
    Ok(spaced)
}

/// Undoes percent-encoding (RFC 3986 §2.1).
fn decode(text: &str) -> Result<Zeroizing<String>, UriError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => hex(rest.next())? << 4 | hex(rest.next())?,
            byte => byte,
        });
    }
    let decoded = std::str::from_utf8(&bytes).map_err(|_| UriError::Encoding)?;
    if decoded.chars().any(is_control) {
        return Err(UriError::Control);
    }
    Ok(Zeroizing::new(decoded.to_owned()))
}

/// What could speak to a terminal or turn a line around.
fn is_control(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn hex(digit: Option<u8>) -> Result<u8, UriError> {
    let digit = digit.and_then(|byte| char::from(byte).to_digit(16)).ok_or(UriError::Encoding)?;
    u8::try_from(digit).map_err(|_| UriError::Encoding)
}

/// Percent-encodes all but RFC 3986's unreserved characters and `@`.
fn encode(text: &str, into: &mut String) {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'@' => into.push(char::from(byte)),
            _ => into.extend(['%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]),
        }
    }
}
