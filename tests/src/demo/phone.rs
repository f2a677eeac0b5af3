//! The authenticator in somebody's hand: it holds what the QR code told it,
//! and never shows the same code twice.

use std::time::SystemTime;

use otp_core::{Algorithm, Digits, Period, Secret};

/// An authenticator with one entry.
#[derive(PartialEq, Eq)]
pub struct Phone {
    secret: Secret,
    last: Option<u64>,
}

impl Phone {
    /// Scans the QR code, that is: reads the URI behind it in what was printed.
    pub fn scan(printed: &str) -> Option<Self> {
        let uri = printed.split_whitespace().find(|word| word.starts_with("otpauth://"))?;
        let secret = uri.split(['?', '&']).find_map(|part| part.strip_prefix("secret="))?;
        Some(Self { secret: Secret::from_base32(secret).ok()?, last: None })
    }

    /// The next code that was not shown yet: of the last step, this one or the
    /// next, all of which the verifier's window takes. So nobody has to wait.
    pub fn code(&mut self) -> String {
        #[allow(clippy::disallowed_methods)] // a phone has a clock
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let oldest = Period::DEFAULT.step(now).saturating_sub(1);
        let step = self.last.map_or(oldest, |last| oldest.max(last + 1));
        self.last = Some(step);
        otp_core::otp::code(&self.secret, Algorithm::Sha1, Digits::SIX, step).to_string()
    }
}
