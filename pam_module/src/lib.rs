//! `pam_oathgate.so`: asks for a one-time code where PAM asks who somebody is.
//!
//! `auth` asks the verifier whether a code is needed, asks the person for one,
//! and lets the verifier judge it; [`authenticate`] has the flow and the one
//! match from its end to a PAM code. `setcred` and `account` do nothing and
//! say so with success, as PAM expects of a module in the stack.
//!
//! A call starts no thread, installs no signal handler, leaves no descriptor
//! and reads no environment but PAM's own. The module stays loaded until the
//! host ends (`-z nodelete`, see `build.rs`).

#![deny(unsafe_code)]

pub mod answer;
pub mod auth_info;
pub mod authenticate;
pub mod barrier;
pub mod end;
mod ffi;
pub mod host;
mod login;
pub mod options;
mod verifier;

use std::ffi::CStr;

use pam::constants::{PAM_SILENT, PamFlag, PamResultCode};
use pam::module::{PamHandle, PamHooks};

pub use ffi::{pam_sm_acct_mgmt, pam_sm_authenticate, pam_sm_setcred};

use end::End;
use host::Host;
use options::Options;

/// The module, as PAM knows it.
pub struct Oathgate;

impl PamHooks for Oathgate {
    fn sm_authenticate(handle: &mut PamHandle, args: Vec<&CStr>, flags: PamFlag) -> PamResultCode {
        barrier::guarded(|| {
            let mut host = host::PamHost::new(handle, flags & PAM_SILENT != 0);
            let end = run(&mut host, &args);
            host.log(&end.to_string());
            end.code()
        })
    }

    fn sm_setcred(_: &mut PamHandle, _: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        PamResultCode::PAM_SUCCESS
    }

    fn acct_mgmt(_: &mut PamHandle, _: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        PamResultCode::PAM_SUCCESS
    }
}

fn run(host: &mut impl Host, args: &[&CStr]) -> End {
    let options = match Options::parse(args) {
        Ok(options) => options,
        Err(error) => return End::Undecided(error.to_string()),
    };
    match verifier::open(&options.via) {
        Ok(verifier) => authenticate::authenticate(host, &*verifier, &options),
        Err(error) => End::Undecided(error.to_owned()),
    }
}
