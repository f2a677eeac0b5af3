//! The front door's clock.

use std::time::{SystemTime, UNIX_EPOCH};

use luks_unlock::Moment;

/// This moment. A clock before 1970 is the year 1970.
#[must_use]
#[allow(clippy::disallowed_methods)] // the front door
pub fn moment() -> Moment {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Moment::of_this_boot(now)
}
