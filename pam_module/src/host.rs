//! The program that called PAM, through pam-bindings.

use std::ffi::CStr;

use otp_wire::syslog;
use pam::constants::{PAM_ERROR_MSG, PAM_PROMPT_ECHO_OFF};
use pam::conv::Conv;
use pam::items::{RHost, Service, Tty};
use pam::module::PamHandle;

use crate::authenticate::{Answer, Host, NoAnswer};
use crate::{auth_info, ffi};

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

    fn ask(&mut self, prompt: &str) -> Result<Answer, NoAnswer> {
        let conversation = self.conversation().ok_or(NoAnswer)?;
        let answer = conversation.send(PAM_PROMPT_ECHO_OFF, prompt).map_err(|_| NoAnswer)?;
        Ok(Answer::read(answer.ok_or(NoAnswer)?.as_bytes()))
    }

    fn tell(&mut self, line: &str) {
        if let (false, false, Some(conversation)) = (self.silent, line.is_empty(), self.conversation()) {
            // Some hosts answer a message without a reply, and then the
            // message has been shown nevertheless.
            let _ = conversation.send(PAM_ERROR_MSG, line);
        }
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
