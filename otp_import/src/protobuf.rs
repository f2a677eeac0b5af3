//! The wire format of Protocol Buffers, as far as a small message needs it:
//! every length is checked against what is there, and nothing is copied.

/// Why bytes are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    /// It ends in the middle of a field.
    Truncated,
    /// A number of more than 64 bits, or a type that nobody writes any more.
    Malformed,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Truncated => "truncated protobuf",
            Self::Malformed => "malformed protobuf",
        })
    }
}

/// A field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// A varint: any integer, an enum, a bool.
    Number(u64),
    /// Bytes: a string, a message.
    Bytes(&'a [u8]),
    /// Four or eight bytes of fixed width, which no field here has.
    Fixed,
}

/// The fields of a message in their order: number and value.
pub(crate) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// The fields of `message`.
    pub fn of(message: &'a [u8]) -> Self {
        Self(message)
    }

    fn field(&mut self) -> Result<(u64, Value<'a>), Broken> {
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Value::Number(self.varint()?),
            1 => self.bytes(8).map(|_| Value::Fixed)?,
            2 => {
                let length = self.varint()?;
                Value::Bytes(self.bytes(length)?)
            }
            5 => self.bytes(4).map(|_| Value::Fixed)?,
            _ => return Err(Broken::Malformed),
        };
        Ok((tag >> 3, value))
    }

    fn bytes(&mut self, length: u64) -> Result<&'a [u8], Broken> {
        let length = usize::try_from(length).map_err(|_| Broken::Truncated)?;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(Broken::Truncated)?;
        self.0 = rest;
        Ok(bytes)
    }

    fn varint(&mut self) -> Result<u64, Broken> {
        let mut number = 0_u64;
        for place in 0..10 {
            let (byte, rest) = self.0.split_first().ok_or(Broken::Truncated)?;
            self.0 = rest;
            // The tenth byte has room for one bit.
            if place == 9 && *byte > 1 {
                return Err(Broken::Malformed);
            }
            number |= u64::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Broken::Malformed)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

/// Appends a number.
pub(crate) fn put_number(message: &mut Vec<u8>, field: u8, number: u64) {
    put_varint(message, u64::from(field) << 3);
    put_varint(message, number);
}

/// Appends bytes.
pub(crate) fn put_bytes(message: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    put_varint(message, u64::from(field) << 3 | 2);
    put_varint(message, bytes.len() as u64);
    message.extend_from_slice(bytes);
}

fn put_varint(message: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        message.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    message.push(number as u8);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_that_lie_are_refused() {
        let bombs: [&[u8]; 5] = [
            b"\x0a\xff\xff\xff\xff\x0f",
            b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            b"\x0a\x02a",
            b"\x08",
            b"\x09abcdefg",
        ];
        for bomb in bombs {
            assert_eq!(Fields::of(bomb).collect::<Vec<_>>(), [Err(Broken::Truncated)], "{bomb:?}");
        }
        for bad in [&b"\x0b"[..], b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", b"\x0f"] {
            assert_eq!(Fields::of(bad).collect::<Vec<_>>(), [Err(Broken::Malformed)], "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_put_is_read(number: u64, bytes: Vec<u8>) {
            let mut message = Vec::new();
            put_number(&mut message, 5, number);
            put_bytes(&mut message, 1, &bytes);
            let fields: Vec<_> = Fields::of(&message).collect();
            prop_assert_eq!(fields, [Ok((5, Value::Number(number))), Ok((1, Value::Bytes(&bytes)))]);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = Fields::of(&bytes).count();
        }
    }
}
