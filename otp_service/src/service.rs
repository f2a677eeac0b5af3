//! A request comes in, a reply goes out.

use std::sync::Arc;

use otp_core::grant::Boot;
use otp_core::{Account, Limits, State, UnixTime};
use otp_store::{AuditRow, Mark, SealingKeys, Store};
use otp_wire::message::{Outcome, Reply, Request, RequestId, VERSION};
use otp_wire::{Ask, frame, passwd};

use crate::access::{Access, Export, Peer, Role, Rules, access};
use crate::account::{self, Accounts, Found};
use crate::boot::ThisBoot;
use crate::delegate::Delegate;
use crate::journal::Journal;
use crate::scratch::Hasher;
use crate::transaction::Pending;
use crate::{harden, lines};

/// Settings that requests depend on.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What authenticators call this host.
    pub issuer: String,
    /// What others than root may ask.
    pub rules: Rules,
    /// Owners enrol their first credential themselves.
    pub self_enrol: bool,
    /// When doors are throttled and locked.
    pub limits: Limits,
    /// Where the store is, for `status`.
    pub place: String,
    /// After a code, its SSH connection needs no further one.
    pub connection_grants: bool,
    /// The uid that may ask which keys are enrolled, for sshd.
    pub keys_reader: Option<u32>,
    /// Who asks for others.
    pub delegates: Vec<Delegate>,
    /// Whether verdicts go to syslog too.
    pub syslog: bool,
}

/// Those of an empty file, and no syslog.
impl Default for Settings {
    fn default() -> Self {
        Self {
            issuer: "host".to_owned(),
            rules: Rules::default(),
            self_enrol: false,
            limits: Limits::default(),
            place: String::new(),
            connection_grants: true,
            keys_reader: None,
            delegates: vec![],
            syslog: false,
        }
    }
}

/// The verifier behind the sockets.
pub struct Service {
    pub(crate) store: Box<dyn Store>,
    pub(crate) keys: Arc<SealingKeys>,
    pub(crate) settings: Settings,
    pub(crate) hasher: Hasher,
    pub(crate) accounts: Accounts,
    journal: Journal,
    boot: Option<ThisBoot>,
}

/// One request on its way through.
pub(crate) struct Asked {
    pub peer: Peer,
    pub mark: Mark,
    pub now: UnixTime,
    /// The same by the clock that nobody sets.
    pub boot: Option<Boot>,
}

/// Why a request ends early; each is an answer that lets nobody in.
pub(crate) enum Stop {
    Invalid(String),
    Denied(String),
    CodeNeeded(String),
    Undecided(String),
}

impl Stop {
    pub(crate) fn invalid(why: impl std::fmt::Display) -> Self {
        Self::Invalid(why.to_string())
    }

    /// Why.
    pub(crate) fn text(self) -> String {
        match self {
            Self::Invalid(line) | Self::Denied(line) | Self::CodeNeeded(line) | Self::Undecided(line) => line,
        }
    }
}

impl From<otp_store::Error> for Stop {
    fn from(error: otp_store::Error) -> Self {
        Self::from(&error)
    }
}

impl From<&otp_store::Error> for Stop {
    fn from(error: &otp_store::Error) -> Self {
        match error {
            otp_store::Error::Taken | otp_store::Error::Bulk(_) => Self::Invalid(error.to_string()),
            other => Self::Undecided(other.to_string()),
        }
    }
}

impl From<Stop> for Outcome {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Invalid(line) => Self::Invalid(line),
            Stop::Denied(line) => Self::Denied(line),
            Stop::CodeNeeded(line) => Self::CodeNeeded(line),
            Stop::Undecided(line) => Self::Undecided(line),
        }
    }
}

/// How far a request came.
enum Step {
    Done(Outcome),
    /// A code is to be judged.
    Judged(Pending),
}

impl Service {
    /// A service over an open store.
    #[must_use]
    pub fn new(store: Box<dyn Store>, keys: Arc<SealingKeys>, settings: Settings) -> Self {
        let (hasher, accounts, journal) = (Hasher::default(), Accounts::new(passwd::FILE.as_ref()), Journal::default());
        Self { store, keys, settings, hasher, accounts, journal, boot: ThisBoot::find() }
    }

    /// Answers one line. `None` when it isn't even a request: then there is
    /// nobody to answer.
    #[must_use]
    pub fn answer(&self, peer: Peer, line: &[u8], now: UnixTime) -> Option<Reply> {
        let request: Request = frame::decode(line).ok()?;
        let id = request.id.clone();
        let outcome = self.step(peer, request, line, now).and_then(|step| match step {
            Step::Done(outcome) => Ok(outcome),
            Step::Judged(pending) => self.wait(pending),
        });
        harden::wipe_stack();
        Some(self.reply(peer, id, outcome, now))
    }

    /// The same without waiting where a code is judged: `then` gets the reply, on
    /// the thread that tells all answers. It is not called when the line isn't a request.
    pub fn answer_then(
        self: &Arc<Self>,
        peer: Peer,
        line: &[u8],
        now: UnixTime,
        then: impl FnOnce(&Self, Reply) + Send + 'static,
    ) {
        let Ok(request) = frame::decode::<Request>(line) else { return };
        let (id, service) = (request.id.clone(), Arc::clone(self));
        let tell = move |outcome| then(&service, service.reply(peer, id, outcome, now));
        match self.step(peer, request, line, now) {
            Ok(Step::Done(outcome)) => tell(Ok(outcome)),
            Ok(Step::Judged(pending)) => self.go_on(pending, tell),
            Err(stop) => tell(Err(stop)),
        }
        harden::wipe_stack();
    }

    fn reply(&self, peer: Peer, id: RequestId, outcome: Result<Outcome, Stop>, now: UnixTime) -> Reply {
        let outcome = outcome.unwrap_or_else(Outcome::from);
        self.log_trouble(peer, &outcome, now);
        Reply { v: VERSION, id, outcome }
    }

    fn step(&self, peer: Peer, request: Request, line: &[u8], now: UnixTime) -> Result<Step, Stop> {
        let mark = self.mark(peer, &request, line)?;
        self.dispatch(&Asked { peer, mark, now, boot: self.boot.map(ThisBoot::now) }, request)
    }

    fn access(&self, peer: Peer, ask: &Ask) -> Access {
        match ask {
            Ask::Key(_) if self.settings.keys_reader == Some(peer.uid) => Access::Yes,
            _ => access(peer.role, ask, self.settings.rules),
        }
    }

    fn mark(&self, peer: Peer, request: &Request, line: &[u8]) -> Result<Mark, Stop> {
        if request.v != VERSION {
            return Err(Stop::Invalid(format!("this verifier speaks version {VERSION}; update the other side")));
        }
        let digits = request.id.digits().and_then(|digits| u128::from_str_radix(digits, 16).ok());
        let id = digits.ok_or_else(|| Stop::invalid("a request id has 32 hexadecimal digits"))?;
        Ok(Mark { id: id.to_be_bytes(), uid: peer.uid, digest: self.keys.mark(line)? })
    }

    fn dispatch(&self, asked: &Asked, mut request: Request) -> Result<Step, Stop> {
        let authorisation = request.authorisation.take();
        match self.access(asked.peer, &request.ask) {
            Access::Yes => {}
            Access::WithCode => self.authorise(asked, &request.ask, authorisation.as_ref())?,
            Access::No => return Err(self.denied(&request.ask)),
        }
        let done = match request.ask {
            Ask::Verify(verify) => return self.verify(asked, &verify).map(Step::Judged),
            Ask::Begin(login) => self.begin(asked, &login),
            Ask::List(selection) => self.list(asked, &selection),
            Ask::Status {} => self.status(asked),
            Ask::Audit(filter) => self.audit(&filter),
            Ask::Enrol(enrol) => self.enrol(asked, &enrol),
            Ask::Import(import) => self.import(asked, &import),
            // The people come in the lines that follow: Service::converse.
            Ask::Bulk(_) => Ok(Outcome::Staged(vec![])),
            Ask::Export(export) => self.export(asked, &export),
            Ask::Resync(resync) => self.resync(asked, &resync),
            Ask::SetBack(ask) => self.set_back(asked, &ask),
            Ask::Revoke(name) => self.revoke(asked, &name),
            Ask::Disable(name) => self.set_state(asked, &name, State::Disabled),
            Ask::Enable(name) => self.set_state(asked, &name, State::Active),
            Ask::Rename(rename) => self.rename(asked, &rename),
            Ask::Unlock(unlock) => self.unlock(asked, &unlock),
            Ask::ScratchNew(name) => self.scratch_new(asked, &name),
            Ask::Key(name) => self.key(&name),
            Ask::ScratchAdd(add) => self.scratch_add(asked, &add),
            Ask::KeyAdd(add) => self.key_add(asked, &add),
            Ask::KeyGrant(grant) => self.key_grant(asked, &grant),
            Ask::KeyPolicy(policy) => self.key_policy(asked, &policy),
            Ask::KeyRemove(name) => self.key_remove(asked, &name),
            Ask::DiskKey(key) => self.disk_key(asked, &key),
            Ask::DiskEnrol(enrol) => self.disk_enrol(asked, &enrol),
            Ask::DiskRemove(name) => self.disk_remove(asked, &name),
            Ask::Unseal(unseal) => self.unseal(asked, &unseal),
        };
        done.map(Step::Done)
    }

    fn denied(&self, ask: &Ask) -> Stop {
        Stop::Denied(match (ask, self.settings.rules.export) {
            (Ask::Export(_), Export::Never) => "The settings let no secret out (export = \"never\").".to_owned(),
            _ => format!("Only root may ask for {}; try it with sudo.", ask.verb()),
        })
    }

    /// Writes a row of the audit into the system's log too, where that is wanted.
    pub(crate) fn tell(&self, row: &AuditRow) {
        if self.settings.syslog {
            self.journal.tell(row);
        }
    }

    /// The account that the peer names, where it may speak for it.
    pub(crate) fn own_account(&self, peer: Peer, name: &str) -> Result<Account, Stop> {
        match account::find(peer, name).map_err(Stop::Undecided)? {
            Found::Account(account) => Ok(account),
            Found::Unknown => Err(Stop::Invalid(format!("no account {:?} on this host", lines::bounded(name)))),
            Found::Foreign => Err(Stop::Denied("That is another user's account; ask root.".to_owned())),
        }
    }

    fn log_trouble(&self, peer: Peer, outcome: &Outcome, now: UnixTime) {
        match outcome {
            _ if !self.settings.syslog => {}
            Outcome::Undecided(line) => {
                self.journal.mention(format!("could not decide for uid {}: {line}", peer.uid), now);
            }
            Outcome::Denied(line) => {
                let (verdict, reason) = ("refuse", format!("denied: {line}"));
                let row = AuditRow { at: now, verdict, reason, peer: peer.uid, claimed: true, ..AuditRow::default() };
                self.journal.tell(&row);
            }
            _ => {}
        }
    }
}

impl Asked {
    /// The same for what is done beside the request itself: under a mark of its own.
    pub(crate) fn beside(&self) -> Self {
        let mut mark = self.mark;
        mark.id[0] ^= 0xff;
        Self { mark, ..*self }
    }

    /// The same under the mark of a part of the request.
    pub(crate) fn number(&self, part: u32) -> Self {
        let mut mark = self.mark;
        mark.id.iter_mut().skip(1).zip(part.to_be_bytes()).for_each(|(byte, part)| *byte ^= part);
        Self { mark, ..*self }
    }

    /// The start of an audit row about this request.
    pub(crate) fn row(&self, verdict: &'static str, reason: impl Into<String>) -> AuditRow {
        AuditRow { reason: reason.into(), ..audit_row(self.peer, self.now, verdict) }
    }
}

/// The start of an audit row about something that this peer asked.
pub(crate) fn audit_row(peer: Peer, at: UnixTime, verdict: &'static str) -> AuditRow {
    AuditRow { at, verdict, peer: peer.uid, claimed: peer.role != Role::Root, ..AuditRow::default() }
}
