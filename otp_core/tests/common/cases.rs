//! How many random cases.

use proptest::test_runner::Config;

/// So many; two in Miri, where a code takes as long as thousands here.
pub fn cases(usual: u32) -> Config {
    Config { cases: if cfg!(miri) { 2 } else { usual }, failure_persistence: None, ..Config::default() }
}
