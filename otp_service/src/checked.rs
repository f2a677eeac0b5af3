//! What a front end says about a login, checked before anything is judged.

use std::net::IpAddr;

use otp_core::decide::{Accepted, Shown, Terms};
use otp_core::grant::{self, Boot, Grace, MAX_ADDRESS_SECONDS, Origin};
use otp_core::record::is_service;
use otp_core::{Account, CredentialId, Digits, Record, Refusal, Volume};
use otp_wire::Login;
use otp_wire::message::{MAX_KEYS, Outcome};

use crate::access::Role;
use crate::account::{self, Accounts, Found};
use crate::delegate::{self, Delegate};
use crate::lines;
use crate::service::{Asked, Stop};

/// What stands for the PAM service where a volume is opened.
pub(crate) const DISK_SERVICE: &str = "luks";

/// A login whose names have been checked.
pub(crate) struct Checked {
    /// Where it leads; [`Account::nobody`] for an account that doesn't exist.
    pub(crate) login: otp_store::Login,
    service: String,
    /// Whose claims these are; `None` where root says so.
    claimed_by: Option<u32>,
    /// They are a delegate's, about somebody who has proven nothing yet.
    delegated: bool,
    address: Option<String>,
    connection: Option<String>,
    boot: Option<Boot>,
    pub(crate) terms: Terms,
    /// Seconds of grace that root's PAM stack gives.
    grace: Option<u64>,
}

impl Checked {
    /// Somebody who wants a volume open: root's own front end asks.
    pub(crate) fn of_volume(volume: &Volume) -> Self {
        let account = Account::of_volume(volume);
        Self {
            login: otp_store::Login { account, keys: vec![] },
            service: DISK_SERVICE.to_owned(),
            claimed_by: None,
            delegated: false,
            address: None,
            connection: None,
            boot: None,
            terms: Terms::default(),
            grace: None,
        }
    }

    pub(crate) fn account(&self) -> &Account {
        &self.login.account
    }

    pub(crate) fn shown(&self) -> Shown<'_> {
        if self.delegated {
            Shown::Delegate { service: &self.service }
        } else if self.claimed_by.is_none() {
            Shown::Fact { service: &self.service, keys: &self.login.keys }
        } else {
            Shown::Claim { key: self.login.keys.first().copied() }
        }
    }

    /// Whether a first factor was proven, so that the person is told why.
    pub(crate) fn proven(&self) -> bool {
        (self.claimed_by.is_some() && !self.delegated) || self.by_key()
    }

    pub(crate) fn origin(&self) -> Origin<'_> {
        let (address, connection) = (self.address.as_deref(), self.connection.as_deref());
        let grace = self.grace.map(|seconds| Grace { service: &self.service, seconds });
        Origin { claimed_by: self.claimed_by, address, connection, boot: self.boot, grace }
    }

    pub(crate) fn by_key(&self) -> bool {
        !self.login.keys.is_empty()
    }

    /// What an accepted code opens further.
    pub(crate) fn grant(&self, record: &mut Record, accepted: &Accepted, connections: bool) {
        let credential = match accepted {
            Accepted::Code { credential, .. } => Some(credential),
            Accepted::Scratch { .. } => None,
        };
        let otp_store::Login { account, keys } = &self.login;
        grant::after_code(record, account, keys, &self.origin(), credential, connections);
    }

    pub(crate) fn refused(&self, refusal: Refusal) -> Outcome {
        let line = if self.proven() { lines::told(refusal, self.by_key()) } else { String::new() };
        Outcome::Refused { reason: lines::reason(refusal), line }
    }
}

/// Checks what is said about a login. `delegates` are those who may say it for
/// others.
pub(crate) fn check(
    asked: &Asked,
    login: &Login,
    accounts: &Accounts,
    delegates: &[Delegate],
) -> Result<Checked, Stop> {
    let groups = delegate::groups(delegates, asked.peer, &login.service);
    let delegated = !groups.is_empty();
    if delegated && !(login.keys.is_empty() && login.connection.is_none()) {
        return Err(Stop::Denied("A delegate asks for people without a key.".to_owned()));
    }
    let found = match delegated {
        true => account::find_member(&login.account, &groups),
        false => accounts.find(asked.peer, &login.account, asked.now),
    };
    let account = match found.map_err(Stop::Undecided)? {
        Found::Account(account) => account,
        Found::Unknown => Account::nobody(),
        Found::Foreign => return Err(Stop::Denied("That is another user's account.".to_owned())),
    };
    if login.keys.len() > MAX_KEYS {
        return Err(Stop::Invalid(format!("more than {MAX_KEYS} keys in one login")));
    }
    if !is_service(&login.service) {
        return Err(Stop::invalid("a service has 1 to 64 printable characters"));
    }
    let keys = login.keys.iter().map(|key| key.parse()).collect::<Result<_, _>>().map_err(Stop::invalid)?;
    let connection = login.connection.clone();
    if connection.as_ref().is_some_and(|name| !(1..=160).contains(&name.len()) || !name.bytes().all(is_plain)) {
        return Err(Stop::invalid("a connection's name has 1 to 160 printable characters"));
    }
    let claimed_by = (asked.peer.role != Role::Root).then_some(asked.peer.uid);
    Ok(Checked {
        login: otp_store::Login { account, keys },
        service: login.service.clone(),
        claimed_by,
        delegated,
        address: login.address.as_deref().and_then(canonical),
        connection,
        boot: asked.boot,
        terms: terms(&login.terms)?,
        // Who only claims things is given none.
        grace: grace(&login.terms)?.filter(|_| claimed_by.is_none()),
    })
}

fn terms(said: &otp_wire::message::Terms) -> Result<Terms, Stop> {
    let digits = said.digits.map(Digits::new).transpose().map_err(Stop::invalid)?;
    Ok(Terms { digits, window: said.window, behind_password: said.behind_password })
}

fn grace(said: &otp_wire::message::Terms) -> Result<Option<u64>, Stop> {
    match said.grace.map(u64::from) {
        None => Ok(None),
        Some(seconds @ 1..=MAX_ADDRESS_SECONDS) => Ok(Some(seconds)),
        Some(_) => Err(Stop::invalid("a grace period is a second to a day")),
    }
}

fn is_plain(byte: u8) -> bool {
    byte == b' ' || byte.is_ascii_graphic()
}

/// An IP address as it is always written; a host's name is none.
pub(crate) fn canonical(address: &str) -> Option<String> {
    address.parse().ok().map(|address: IpAddr| address.to_canonical().to_string())
}

/// The one credential that counts, if one is named.
pub(crate) fn only(credential: Option<&str>) -> Result<Option<CredentialId>, Stop> {
    credential.map(str::parse).transpose().map_err(Stop::invalid)
}
