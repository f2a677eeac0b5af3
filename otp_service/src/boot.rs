//! The clock that grants end by: seconds since the machine was started, and
//! which start that was. Nobody sets it.

use otp_core::grant::Boot;
use rustix::time::{ClockId, clock_gettime};

/// Identifies this start of the machine, as 32 hexadecimal digits with dashes (proc(5)).
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Which start of the machine this is.
#[derive(Debug, Clone, Copy)]
pub struct ThisBoot([u8; 16]);

impl ThisBoot {
    /// Asks the kernel. Without an answer (no /proc) there are no grants.
    #[must_use]
    pub fn find() -> Option<Self> {
        parse(&std::fs::read_to_string(BOOT_ID).ok()?).map(Self)
    }

    /// The present.
    #[must_use]
    pub fn now(self) -> Boot {
        Boot { id: self.0, now: u64::try_from(clock_gettime(ClockId::Boottime).tv_sec).unwrap_or(u64::MAX) }
    }
}

fn parse(text: &str) -> Option<[u8; 16]> {
    let digits: String = text.trim_ascii_end().chars().filter(|c| *c != '-').collect();
    let number = u128::from_str_radix(&digits, 16).ok()?;
    (digits.len() == 32).then(|| number.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boot_is_the_kernels() {
        let id = "01234567-89ab-cdef-0123-456789abcdef\n";
        assert_eq!(parse(id), Some(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef_u128.to_be_bytes()));
        for bad in ["", "0123", "0123456789abcdef0123456789abcdef00", "g1234567-89ab-cdef-0123-456789abcdef"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        let boot = ThisBoot::find().unwrap();
        assert_eq!(boot.now().id, ThisBoot::find().unwrap().now().id);
        assert!(boot.now().now <= boot.now().now);
    }
}
