//! oathgate.toml.

#![no_main]

use libfuzzer_sys::fuzz_target;
use otp_service::config::Config;

fuzz_target!(|text: &str| {
    if let Ok(config) = Config::parse(text) {
        assert!(matches!(config.verifier.as_deref(), None | Some("socket" | "spawn")));
        // A switch that weakens something is thrown only by its own name.
        assert!(config.self_enrol.is_none() || text.contains("self") || text.contains('\\'));
    }
});
