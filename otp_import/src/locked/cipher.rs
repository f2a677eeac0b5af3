//! The ciphers that nearly all of them take.

use aes::cipher::block_padding::{NoPadding, Pkcs7};
use aes::cipher::{BlockDecryptMut, KeyIvInit, StreamCipher};
use aes::{Aes128, Aes256};
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use hmac::{Hmac, Mac};
use zeroize::Zeroizing;

use super::{Fault, Plain};

/// AES-256-GCM (NIST SP 800-38D), the tag behind the text.
pub(super) fn gcm(key: &[u8; 32], nonce: &[u8], sealed: &[u8], aad: &[u8]) -> Result<Plain, Fault> {
    if nonce.len() != 12 {
        return Err(Fault::Form("its nonce"));
    }
    let payload = Payload { msg: sealed, aad };
    let opened = Aes256Gcm::new(key.into()).decrypt(Nonce::from_slice(nonce), payload);
    opened.map(Zeroizing::new).map_err(|_| Fault::Password)
}

/// AES-256-CBC with PKCS #7 padding. Padding alone says little about the key.
pub(super) fn cbc(key: &[u8; 32], iv: &[u8], sealed: &[u8]) -> Result<Plain, Fault> {
    let decryptor = cbc::Decryptor::<Aes256>::new_from_slices(key, iv).map_err(|_| Fault::Form("its vector"))?;
    let opened = decryptor.decrypt_padded_vec_mut::<Pkcs7>(sealed);
    opened.map(Zeroizing::new).map_err(|_| Fault::Password)
}

/// AES-CBC with a key of 128 or 256 bits, the vector in front of the text.
pub(super) fn cbc_any(key: &[u8], sealed: &[u8]) -> Result<Plain, Fault> {
    let (iv, sealed) = sealed.split_at_checked(16).ok_or(Fault::Form("it is too short"))?;
    if let Ok(key) = key.try_into() {
        return cbc(key, iv, sealed);
    }
    let decryptor = cbc::Decryptor::<Aes128>::new_from_slices(key, iv).map_err(|_| Fault::Password)?;
    decryptor.decrypt_padded_vec_mut::<Pkcs7>(sealed).map(Zeroizing::new).map_err(|_| Fault::Password)
}

/// AES-256-CBC of whole blocks.
pub(super) fn cbc_blocks(key: &[u8; 32], iv: &[u8], sealed: &[u8]) -> Result<Plain, Fault> {
    let decryptor = cbc::Decryptor::<Aes256>::new_from_slices(key, iv).map_err(|_| Fault::Form("its vector"))?;
    let opened = decryptor.decrypt_padded_vec_mut::<NoPadding>(sealed);
    opened.map(Zeroizing::new).map_err(|_| Fault::Form("its blocks"))
}

/// ChaCha20 (RFC 8439 §2.4); what it locks is checked by an HMAC elsewhere.
pub(super) fn chacha20(key: &[u8; 32], nonce: &[u8], sealed: &[u8]) -> Result<Plain, Fault> {
    let stream = chacha20::ChaCha20::new_from_slices(key, nonce).map_err(|_| Fault::Form("its nonce"))?;
    let mut plain = Zeroizing::new(sealed.to_vec());
    { stream }.try_apply_keystream(&mut plain).map_err(|_| Fault::Form("its length"))?;
    Ok(plain)
}

/// Whether HMAC-SHA-256 of `parts` is `mac`, in constant time.
pub(super) fn hmac_sha256(key: &[u8], parts: &[&[u8]], mac: &[u8]) -> Result<(), Fault> {
    let mut hmac = <Hmac<sha2::Sha256> as Mac>::new_from_slice(key).map_err(|_| Fault::Form("its key"))?;
    parts.iter().for_each(|part| hmac.update(part));
    hmac.verify_slice(mac).map_err(|_| Fault::Password)
}
