//! Seals that stay: a secret that was read and is written again, to the same
//! place and under the newest key, isn't sealed anew with every code.

use base64ct::{Base64, Encoding};
use otp_core::Secret;

use super::UNREADABLE;
use crate::sealing::{Belongs, Sealed};
use crate::{Error, SealingKeys};

/// What was opened when a record was read.
#[derive(Default)]
pub(crate) struct Seals(Vec<Seal>);

struct Seal {
    /// Where it belongs, the key's number included.
    place: Vec<u8>,
    secret: Secret,
    text: String,
}

impl Seals {
    /// Opens what key `number` sealed.
    pub(super) fn open(
        &mut self,
        keys: &SealingKeys,
        number: u32,
        text: String,
        belongs: &Belongs<'_>,
    ) -> Result<Secret, Error> {
        let bytes = Base64::decode_vec(&text).map_err(|_| UNREADABLE)?;
        let secret = keys.open(&Sealed { key: number, bytes }, belongs)?;
        let again = Secret::copy(secret.expose()).map_err(|_| UNREADABLE)?;
        self.0.push(Seal { place: belongs.associated_data(number), secret: again, text });
        Ok(secret)
    }

    /// Seals with the newest key, and says its number.
    pub(super) fn seal(
        &self,
        keys: &SealingKeys,
        secret: &Secret,
        belongs: &Belongs<'_>,
    ) -> Result<(u32, String), Error> {
        let (number, place) = (keys.current(), belongs.associated_data(keys.current()));
        if let Some(seal) = self.0.iter().find(|seal| seal.place == place && seal.secret == *secret) {
            return Ok((number, seal.text.clone()));
        }
        let sealed = keys.seal(secret, belongs)?;
        Ok((sealed.key, Base64::encode_string(&sealed.bytes)))
    }
}

#[cfg(test)]
mod tests {
    use otp_core::{Algorithm, CredentialId, Owner};

    use super::*;
    use crate::sealing::What;

    #[test]
    fn only_the_same_secret_in_the_same_place_under_the_newest_key_stays_sealed() {
        let folder = tempfile::tempdir().unwrap();
        SealingKeys::create(folder.path()).unwrap();
        let keys = SealingKeys::load(folder.path()).unwrap();
        let owner: Owner = "alice".parse().unwrap();
        let (one, two) = (CredentialId::from_random([1; 5]), CredentialId::from_random([2; 5]));
        let home = Belongs { owner: &owner, what: What::Credential(&one, Algorithm::Sha1) };
        let secret = Secret::copy(b"12345678901234567890").unwrap();
        let (number, text) = Seals::default().seal(&keys, &secret, &home).unwrap();
        let mut seals = Seals::default();
        assert_eq!(seals.open(&keys, number, text.clone(), &home).unwrap(), secret);
        let sealed = |keys, secret, home| seals.seal(keys, secret, home).unwrap();
        assert_eq!(sealed(&keys, &secret, &home), (number, text.clone()));

        let other = Secret::copy(b"12345678901234567891").unwrap();
        let elsewhere = Belongs { what: What::Credential(&two, Algorithm::Sha1), ..home };
        SealingKeys::create(folder.path()).unwrap();
        let newer = SealingKeys::load(folder.path()).unwrap();
        for (keys, secret, home) in [(&keys, &other, &home), (&keys, &secret, &elsewhere), (&newer, &secret, &home)] {
            let (number, anew) = sealed(keys, secret, home);
            assert_ne!(anew, text);
            assert_eq!(Seals::default().open(keys, number, anew, home).unwrap(), *secret);
        }
    }
}
