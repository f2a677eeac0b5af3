//! The program that called PAM, and the person behind it.

use std::ffi::CStr;

use otp_wire::syslog;
use pam::constants::PamMessageStyle;
use pam::conv::Conv;
use pam::items::{AuthTok, RHost, Service, Tty};
use pam::module::PamHandle;
use zeroize::Zeroizing;

use crate::{auth_info, ffi};

/// The program that called PAM, and the person behind it.
pub trait Host {
    /// PAM_USER; asks for it if need be.
    fn user(&mut self) -> Option<String>;
    /// PAM_SERVICE.
    fn service(&self) -> Option<String>;
    /// PAM_TTY.
    fn tty(&self) -> Option<String>;
    /// PAM_RHOST.
    fn address(&self) -> Option<String>;
    /// SSH_AUTH_INFO_0 of PAM's environment.
    fn auth_info(&mut self) -> Option<Vec<u8>>;
    /// PAM_AUTHTOK, as a module before has set it.
    fn password(&self) -> Option<Zeroizing<Vec<u8>>>;
    /// Sets PAM_AUTHTOK for the modules that follow; whether that worked.
    fn forward(&mut self, password: &[u8]) -> bool;
    /// Whether the program wants no messages (pam(3), PAM_SILENT).
    fn is_silent(&self) -> bool;
    /// Asks the person, with echo or without, as `style` says.
    ///
    /// # Errors
    /// When there is nobody to ask.
    fn ask(&mut self, style: PamMessageStyle, prompt: &str) -> Result<Zeroizing<Vec<u8>>, NoAnswer>;
    /// Tells the person something, if that is possible.
    fn tell(&mut self, style: PamMessageStyle, line: &str);
    /// Has PAM wait for about so many microseconds, if this ends with a refusal
    /// (pam_fail_delay(3)).
    fn delay(&mut self, microseconds: u32);
    /// How often this handle was refused before; counts this time too.
    fn refused_before(&mut self) -> usize;
    /// Writes to the system's log.
    fn log(&self, text: &str);
}

/// The person could not be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoAnswer;

/// A PAM handle for one call.
pub(crate) struct PamHost<'a> {
    handle: &'a mut PamHandle,
    silent: bool,
}

impl<'a> PamHost<'a> {
    /// The host behind `handle`; `silent` forbids messages (pam(3), PAM_SILENT).
    pub(crate) fn new(handle: &'a mut PamHandle, silent: bool) -> Self {
        Self { handle, silent }
    }

    fn conversation(&self) -> Option<Conv<'_>> {
        self.handle.get_item::<Conv<'_>>().ok().flatten()
    }
}

impl Host for PamHost<'_> {
    fn user(&mut self) -> Option<String> {
        self.handle.get_user(None).ok()
    }

    fn service(&self) -> Option<String> {
        text(self.handle.get_item::<Service<'_>>().ok()??.0)
    }

    fn tty(&self) -> Option<String> {
        text(self.handle.get_item::<Tty<'_>>().ok()??.0)
    }

    fn address(&self) -> Option<String> {
        text(self.handle.get_item::<RHost<'_>>().ok()??.0)
    }

    fn auth_info(&mut self) -> Option<Vec<u8>> {
        let value = ffi::getenv(self.handle, auth_info::NAME)?.to_bytes();
        // One byte more than allowed is enough to see that it is too long.
        Some(value.get(..=auth_info::MAX_BYTES).unwrap_or(value).to_vec())
    }

    fn password(&self) -> Option<Zeroizing<Vec<u8>>> {
        let password = self.handle.get_item::<AuthTok<'_>>().ok()??;
        Some(Zeroizing::new(password.as_bytes().to_vec()))
    }

    fn forward(&mut self, password: &[u8]) -> bool {
        let mut text = Zeroizing::new(Vec::with_capacity(password.len() + 1));
        text.extend_from_slice(password);
        text.push(0);
        CStr::from_bytes_with_nul(&text).is_ok_and(|text| ffi::set_authtok(self.handle, text))
    }

    fn is_silent(&self) -> bool {
        self.silent
    }

    fn ask(&mut self, style: PamMessageStyle, prompt: &str) -> Result<Zeroizing<Vec<u8>>, NoAnswer> {
        let conversation = self.conversation().ok_or(NoAnswer)?;
        let answer = conversation.send(style, prompt).map_err(|_| NoAnswer)?;
        Ok(Zeroizing::new(answer.ok_or(NoAnswer)?.as_bytes().to_vec()))
    }

    fn tell(&mut self, style: PamMessageStyle, line: &str) {
        if let Some(conversation) = self.conversation() {
            // Some hosts answer a message without a reply, and then the
            // message has been shown nevertheless.
            let _ = conversation.send(style, line);
        }
    }

    fn delay(&mut self, microseconds: u32) {
        ffi::fail_delay(self.handle, microseconds);
    }

    fn refused_before(&mut self) -> usize {
        ffi::count(self.handle, c"oathgate_refused")
    }

    fn log(&self, text: &str) {
        let service = self.service().unwrap_or_default();
        syslog::authpriv("pam_oathgate", &format!("({service:.64}) {text}"));
    }
}

/// An item as text; none where it is no text.
fn text(item: &CStr) -> Option<String> {
    item.to_str().ok().map(str::to_owned)
}
