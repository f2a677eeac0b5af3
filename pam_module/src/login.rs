//! Who wants in, and what they have shown before.

use std::ops::ControlFlow::{self, Break, Continue};

use otp_core::Account;
use otp_wire::Login;

use crate::auth_info;
use crate::authenticate::undecided;
use crate::end::End;
use crate::host::Host;
use crate::options::{Options, Require};

/// The longest PAM item in bytes that is passed on.
const MAX_ITEM: usize = 256;

/// The login that PAM's items tell of. Breaks where it can't be one, or a key
/// is missing.
pub(crate) fn of(host: &mut impl Host, options: &Options) -> ControlFlow<End, Login> {
    let Some(account) = host.user() else { return undecided("no user name that is text") };
    if account.parse::<Account>().is_err() {
        return Break(End::Refused("not an account name".to_owned()));
    }
    let Some(service) = host.service().and_then(item) else { return undecided("no PAM service name") };
    let (tty, address) = (host.tty().and_then(item), host.address().and_then(item));
    let auth_info = host.auth_info();
    let under_sshd = service == "sshd" || tty.as_deref() == Some("ssh") || auth_info.is_some();
    let keys = match auth_info::keys(&auth_info.unwrap_or_default()) {
        Ok(keys) => keys.iter().map(ToString::to_string).collect::<Vec<_>>(),
        Err(error) => return undecided(&format!("{account}: {error}")),
    };
    if options.debug {
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "nowhere".to_owned());
        let (terminal, from) = (or_none(&tty), or_none(&address));
        host.log(&format!("{account}: service {service}, tty {terminal}, from {from}, keys {}", keys.join(" ")));
    }
    if keys.is_empty() && needs_key(options.require_publickey, under_sshd) {
        let why =
            "no publickey in SSH_AUTH_INFO_0; in sshd_config set AuthenticationMethods publickey,keyboard-interactive";
        return Break(End::Refused(format!("{account}: {why}")));
    }
    Continue(Login { account, keys, service, address, connection: None, tty, terms: options.terms.clone() })
}

fn needs_key(require: Require, under_sshd: bool) -> bool {
    match require {
        Require::Auto => under_sshd,
        Require::Yes => true,
        Require::No => false,
    }
}

/// A PAM item that may be passed on; none where it is no ordinary name.
fn item(text: String) -> Option<String> {
    let ordinary = (1..=MAX_ITEM).contains(&text.len()) && !text.chars().any(char::is_control);
    ordinary.then_some(text)
}
