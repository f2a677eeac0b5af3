//! The words: what may be asked, and what may be answered.
//!
//! Enums are tagged from outside (`{"verify":{…}}`), because serde reads those
//! without a buffer of its own, in which a secret would be left behind.
//! Names arrive as text; the service checks each before it uses it.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub mod bulk;
pub mod disk;
pub mod export;
pub mod import;
pub mod login;
pub mod management;
pub mod report;

use crate::SecretText;

pub use bulk::{Bulk, NotTaken};
pub use disk::{DiskEnrol, DiskKey, Unseal, VolumeName};
pub use export::{Export, Exported};
pub use import::{Import, Imported, ImportedFactor};
pub use login::{Login, MAX_KEYS, Terms, Verify};
pub use management::{
    AuditFilter, CredentialName, Enrol, GrantTo, KeyAdd, KeyGrant, KeyName, KeyPolicy, OwnerName, PAGE, Rename, Resync,
    ScratchAdd, Selection, SetBack, Unlock,
};
pub use report::{AuditRow, CredentialRow, DoorRow, Enrolled, EntryRow, GrantRow, OwnerRow, StatusReport, StoreReport};

/// The version of the wire format. Another one is refused.
pub const VERSION: u16 = 1;

/// Names one request: 128 random bits in hexadecimal. Asking again with the
/// same id within ten seconds gets the same answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(String);

impl RequestId {
    /// Makes a new one.
    ///
    /// # Errors
    /// When the kernel gives no random numbers.
    pub fn random() -> std::io::Result<Self> {
        let mut bits = [0_u8; 16];
        // Up to 256 bytes come whole or not at all (getrandom(2)).
        let filled = rustix::rand::getrandom(&mut bits, rustix::rand::GetRandomFlags::empty())?;
        if filled != bits.len() {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('0');
        Ok(Self(bits.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()))
    }

    /// The 32 digits, if that is what it holds.
    #[must_use]
    pub fn digits(&self) -> Option<&str> {
        let hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        (self.0.len() == 32 && self.0.bytes().all(hex)).then_some(&self.0)
    }
}

/// What an asker speaks about. A front end for logins has no use for listings
/// and enrolments, and need not carry them: the PAM module lives inside sshd.
pub trait Scope: fmt::Debug + PartialEq + Eq + 'static {
    /// `T`, or nothing where it isn't spoken about.
    type Of<T: Word>: Word;
    /// `T`, where volumes are unlocked, or nothing.
    type OfDisks<T: Word>: Word;
}

/// What may stand in a message.
pub trait Word: fmt::Debug + PartialEq + Eq + Serialize + DeserializeOwned {}

impl<T: fmt::Debug + PartialEq + Eq + Serialize + DeserializeOwned> Word for T {}

/// Everything: the service, and people's tools.
#[derive(Debug, PartialEq, Eq)]
pub enum Everything {}

/// `begin` and `verify`: front ends.
#[derive(Debug, PartialEq, Eq)]
pub enum LoginsOnly {}

/// `unseal`: whatever unlocks a volume.
#[derive(Debug, PartialEq, Eq)]
pub enum DisksOnly {}

/// What isn't spoken about; there is no such value, and reading one fails.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Nothing {}

impl Scope for Everything {
    type Of<T: Word> = T;
    type OfDisks<T: Word> = T;
}

impl Scope for LoginsOnly {
    type Of<T: Word> = Nothing;
    type OfDisks<T: Word> = Nothing;
}

impl Scope for DisksOnly {
    type Of<T: Word> = Nothing;
    type OfDisks<T: Word> = T;
}

/// A request.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound = "")]
pub struct Request<S: Scope = Everything> {
    /// [`VERSION`].
    pub v: u16,
    /// Its id.
    pub id: RequestId,
    /// A code of the owner's, for what an owner may do only with one. It is
    /// spent with the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorisation: Option<SecretText>,
    /// What is asked.
    pub ask: Ask<S>,
}

impl<S: Scope> Request<S> {
    /// A request with a new id.
    ///
    /// # Errors
    /// When the kernel gives no random numbers.
    pub fn new(ask: Ask<S>) -> std::io::Result<Self> {
        Ok(Self { v: VERSION, id: RequestId::random()?, authorisation: None, ask })
    }
}

/// What may be asked. The service's table says by whom.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields, bound = "")]
pub enum Ask<S: Scope = Everything> {
    /// Is a code needed? Spends nothing. [`Outcome::Pass`], [`Outcome::Ask`],
    /// [`Outcome::Absent`] or [`Outcome::Refused`].
    Begin(Login),
    /// Is this code right? Spends it. [`Outcome::Accepted`] or [`Outcome::Refused`].
    Verify(Verify),
    /// What is enrolled? [`Outcome::Listing`].
    List(S::Of<Selection>),
    /// How is the verifier? [`Outcome::Status`].
    Status {},
    /// A new credential. [`Outcome::Enrolled`].
    Enrol(S::Of<Enrol>),
    /// Credentials that another program made. [`Outcome::Done`].
    Import(S::Of<Import>),
    /// The same for many people, who come in the lines that follow: see [`bulk`].
    /// [`Outcome::Staged`].
    Bulk(S::Of<Bulk>),
    /// Credentials with their secrets, for another verifier or a further
    /// device. [`Outcome::Exported`].
    Export(S::Of<Export>),
    /// Are these two consecutive codes? Spends them, and follows the device.
    /// [`Outcome::Accepted`] or [`Outcome::Refused`].
    Resync(S::Of<Resync>),
    /// Set a last step back that lies in the future. Spends both codes. [`Outcome::Done`].
    SetBack(S::Of<SetBack>),
    /// Refuse this credential until it is enabled again. [`Outcome::Done`].
    Disable(S::Of<CredentialName>),
    /// Accept a disabled credential again. [`Outcome::Done`].
    Enable(S::Of<CredentialName>),
    /// Give a credential another label. [`Outcome::Done`].
    Rename(S::Of<Rename>),
    /// Never accept this credential again. [`Outcome::Done`].
    Revoke(S::Of<CredentialName>),
    /// Forget the failures at every door of an account. [`Outcome::Done`].
    Unlock(S::Of<Unlock>),
    /// A new set of scratch codes in place of the old ones. [`Outcome::Scratch`].
    ScratchNew(S::Of<OwnerName>),
    /// Is this key enrolled for the account? [`Outcome::Key`].
    Key(S::Of<KeyName>),
    /// Scratch codes that exist already, beside those there are. [`Outcome::Done`].
    ScratchAdd(S::Of<ScratchAdd>),
    /// Let a key in with an owner's credentials. [`Outcome::Done`].
    KeyAdd(S::Of<KeyAdd>),
    /// What is asked for at a key. [`Outcome::Done`].
    KeyPolicy(S::Of<KeyPolicy>),
    /// Let a key in from an address without a code for a while, or take every
    /// grant of it back. [`Outcome::Done`].
    KeyGrant(S::Of<KeyGrant>),
    /// Forget a key. [`Outcome::Done`].
    KeyRemove(S::Of<KeyName>),
    /// What happened? [`Outcome::Audit`].
    Audit(S::Of<AuditFilter>),
    /// Keep the key of a volume's key slot. [`Outcome::Done`].
    DiskKey(S::Of<DiskKey>),
    /// A credential for a volume. [`Outcome::Enrolled`].
    DiskEnrol(S::Of<DiskEnrol>),
    /// Forget a volume's key, and revoke its credentials. [`Outcome::Done`].
    DiskRemove(S::Of<VolumeName>),
    /// Is this code right for the volume? Spends it. [`Outcome::Unsealed`] or
    /// [`Outcome::Refused`].
    Unseal(S::OfDisks<Unseal>),
}

impl<S: Scope> Ask<S> {
    /// The verb, as it stands on the wire.
    #[must_use]
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Begin(_) => "begin",
            Self::Verify(_) => "verify",
            Self::List(_) => "list",
            Self::Status {} => "status",
            Self::Enrol(_) => "enrol",
            Self::Import(_) => "import",
            Self::Bulk(_) => "bulk",
            Self::Export(_) => "export",
            Self::Resync(_) => "resync",
            Self::SetBack(_) => "set_back",
            Self::Disable(_) => "disable",
            Self::Enable(_) => "enable",
            Self::Rename(_) => "rename",
            Self::Revoke(_) => "revoke",
            Self::Unlock(_) => "unlock",
            Self::ScratchNew(_) => "scratch_new",
            Self::Key(_) => "key",
            Self::ScratchAdd(_) => "scratch_add",
            Self::KeyAdd(_) => "key_add",
            Self::KeyPolicy(_) => "key_policy",
            Self::KeyGrant(_) => "key_grant",
            Self::KeyRemove(_) => "key_remove",
            Self::Audit(_) => "audit",
            Self::DiskKey(_) => "disk_key",
            Self::DiskEnrol(_) => "disk_enrol",
            Self::DiskRemove(_) => "disk_remove",
            Self::Unseal(_) => "unseal",
        }
    }
}

/// A reply.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound = "")]
pub struct Reply<S: Scope = Everything> {
    /// [`VERSION`].
    pub v: u16,
    /// The request's id.
    pub id: RequestId,
    /// The answer.
    pub outcome: Outcome<S>,
}

/// What may be answered. Only [`Outcome::Accepted`] and [`Outcome::Pass`] let anybody in;
/// [`Outcome::Unsealed`] opens a volume.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields, bound = "")]
pub enum Outcome<S: Scope = Everything> {
    /// No code is needed: the policy of the key says so.
    Pass {},
    /// Ask for a code.
    Ask {
        /// The label of the credential that is asked, where one is told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        label: Option<String>,
        /// To say before asking.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        line: Option<String>,
    },
    /// The account never had anything enrolled; for `nullok`.
    Absent {
        /// The verifier's clock, in seconds since 1970; for `nullok_until`.
        now: u64,
    },
    /// The code was right, and is spent.
    Accepted {
        /// The credential's id; none for a scratch code.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        credential: Option<String>,
        /// The credential's label.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        label: Option<String>,
        /// After a scratch code: how many are left.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scratch_left: Option<usize>,
        /// Behind a password ([`Terms::behind_password`]): so many digits were the code.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        digits: Option<u8>,
    },
    /// No.
    Refused {
        /// For the log.
        reason: Reason,
        /// For the person; empty for who has proven nothing yet.
        line: String,
    },
    /// The peer may not ask this; nothing was done. For the person.
    Denied(String),
    /// This needs a code of the owner's in [`Request::authorisation`]: there was
    /// none, or it was refused, as the line says. Nothing was done.
    CodeNeeded(S::Of<String>),
    /// The request made no sense; nothing was done. For the person.
    Invalid(String),
    /// It could not be decided, so it is refused. For the log.
    Undecided(String),
    /// A credential was enrolled. Its secret is in it, once.
    Enrolled(S::Of<Box<Enrolled>>),
    /// What was asked for, secrets included, once.
    Exported(S::Of<Vec<Exported>>),
    /// The code was right, and is spent: the key of the volume's key slot, in
    /// base32, once.
    Unsealed(S::OfDisks<SecretText>),
    /// What is enrolled.
    Listing(S::Of<Vec<OwnerRow>>),
    /// How the verifier is.
    Status(S::Of<Box<StatusReport>>),
    /// New scratch codes, in groups of four.
    Scratch(S::Of<Vec<SecretText>>),
    /// Whether the key is enrolled.
    Key(S::Of<bool>),
    /// What happened, newest first.
    Audit(S::Of<Vec<AuditRow>>),
    /// A line of a bulk is staged, but for these people; on with the next one.
    Staged(S::Of<Vec<NotTaken>>),
    /// Done.
    Done(S::Of<String>),
}

/// Why a code was refused, for the log and for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The account, the key or an active credential is missing.
    NotEnrolled,
    /// Not a code at all.
    Malformed,
    /// Wrong.
    Wrong,
    /// Already used.
    Replayed,
    /// Too many failures lately.
    Throttled,
    /// Too many failures in a row.
    Locked,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotEnrolled => "not enrolled",
            Self::Malformed => "not a code",
            Self::Wrong => "wrong code",
            Self::Replayed => "code already used",
            Self::Throttled => "too many failures lately",
            Self::Locked => "locked after too many failures",
        })
    }
}
