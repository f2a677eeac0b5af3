//! Messages on the line: bounded, and wiped on both sides.

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::{Zeroize, Zeroizing};

/// The longest request in bytes, its line break included.
pub const MAX_REQUEST: usize = 16 * 1024;
/// The longest reply in bytes that a front end reads, its line break included.
pub const MAX_REPLY: usize = 16 * 1024;
/// The longest reply in bytes that a person's tool reads: listings and audit rows.
pub const MAX_LISTING: usize = 64 * 1024 * 1024;

/// Writes `message` as one line. Growing never leaves an unwiped copy behind.
///
/// # Errors
/// When the line would be longer than `limit`.
pub fn encode<T: Serialize>(message: &T, limit: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    // Hardly any is longer, and wiping takes its time for each byte.
    let mut line = Wiped { bytes: Zeroizing::new(Vec::with_capacity(512)), limit };
    serde_json::to_writer(&mut line, message)?;
    io::Write::write_all(&mut line, b"\n")?;
    Ok(line.bytes)
}

/// Reads one line.
///
/// # Errors
/// When it isn't one whole JSON object of this type, with nothing unknown in
/// it. The text names the place, never the content.
pub fn decode<T: DeserializeOwned>(line: &[u8]) -> io::Result<T> {
    let line = line.strip_suffix(b"\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    // serde would take an array for the fields in their order.
    if !line.trim_ascii_start().starts_with(b"{") {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not a JSON object"));
    }
    serde_json::from_slice(line).map_err(|error| {
        // serde_json's text quotes what it read, and that may be a secret.
        let text = format!("not a message of version 1 (column {})", error.column());
        io::Error::new(io::ErrorKind::InvalidData, text)
    })
}

struct Wiped {
    bytes: Zeroizing<Vec<u8>>,
    limit: usize,
}

impl io::Write for Wiped {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        reserve(&mut self.bytes, more.len(), self.limit)?;
        self.bytes.extend_from_slice(more);
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Makes room for `more` bytes; what moves is wiped where it was.
///
/// # Errors
/// When `limit` would be passed.
pub fn reserve(bytes: &mut Zeroizing<Vec<u8>>, more: usize, limit: usize) -> io::Result<()> {
    let needed = bytes.len() + more;
    if needed > limit {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "message too long"));
    }
    if needed > bytes.capacity() {
        let mut larger = Vec::with_capacity(needed.max(bytes.capacity() * 2).min(limit));
        larger.extend_from_slice(bytes);
        std::mem::swap(&mut **bytes, &mut larger);
        larger.zeroize();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Ask, Login, Request, SecretText, Verify};

    fn verify() -> Request {
        let login = Login { account: "alice".into(), service: "sshd".into(), ..Login::default() };
        Request::new(Ask::Verify(Verify { login, code: SecretText::typed(b"123456"), credential: None })).unwrap()
    }

    #[test]
    fn a_request_survives_the_line() {
        let line = encode(&verify(), MAX_REQUEST).unwrap();
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        let request: Request = decode(&line).unwrap();
        let Ask::Verify(verify) = request.ask else { panic!("another verb") };
        assert_eq!((verify.login.account.as_str(), verify.code.expose()), ("alice", "123456"));
    }

    #[test]
    fn what_is_unknown_or_broken_is_refused() {
        let line = String::from_utf8(encode(&verify(), MAX_REQUEST).unwrap().to_vec()).unwrap();
        for bad in [
            line.replace("\"v\":1", "\"v\":1,\"debug\":true"),
            line.replace("\"account\"", "\"admin\":true,\"account\""),
            line.replace("verify", "become_root"),
            line.replace("\"account\":\"alice\"", "\"account\":[]"),
            line.replace('\n', "{}\n"),
            line.trim_end().to_owned(),
            "\n".to_owned(),
            format!("{}\n", "[".repeat(10_000)),
        ] {
            assert!(decode::<Request>(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_message_without_names_is_refused() {
        let positional = b"[1,\"0123456789abcdef0123456789abcdef\",null,{\"status\":{}}]\n";
        assert!(decode::<Request>(positional).is_err());
        let named = b" {\"v\":1,\"id\":\"0123456789abcdef0123456789abcdef\",\"ask\":{\"status\":{}}}\n";
        assert!(decode::<Request>(named).is_ok());
    }

    #[test]
    fn errors_do_not_quote_the_line() {
        let bad = b"{\"v\":1,\"id\":\"x\",\"ask\":\"123456\"}\n";
        assert!(!decode::<Request>(bad).unwrap_err().to_string().contains("123456"));
    }

    #[test]
    fn lines_are_bounded() {
        assert!(encode(&"x".repeat(100), 50).is_err());
        assert_eq!(encode(&"x".repeat(100), 103).unwrap().len(), 103);
    }
}
