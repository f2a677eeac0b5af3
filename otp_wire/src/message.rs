//! The words: what may be asked, and what may be answered.
//!
//! Enums are tagged from outside (`{"verify":{…}}`), because serde reads those
//! without a buffer of its own, in which a secret would be left behind.
//! Names arrive as text; the service checks each before it uses it.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::SecretText;

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

/// What isn't spoken about; there is no such value, and reading one fails.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Nothing {}

impl Scope for Everything {
    type Of<T: Word> = T;
}

impl Scope for LoginsOnly {
    type Of<T: Word> = Nothing;
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
    /// Never accept this credential again. [`Outcome::Done`].
    Revoke(S::Of<CredentialName>),
    /// Forget the failures at every door of an account. [`Outcome::Done`].
    Unlock(S::Of<Unlock>),
    /// A new set of scratch codes in place of the old ones. [`Outcome::Scratch`].
    ScratchNew(S::Of<OwnerName>),
    /// Let a key in with an owner's credentials. [`Outcome::Done`].
    KeyAdd(S::Of<KeyAdd>),
    /// What is asked for at a key. [`Outcome::Done`].
    KeyPolicy(S::Of<KeyPolicy>),
    /// Forget a key. [`Outcome::Done`].
    KeyRemove(S::Of<KeyName>),
    /// What happened? [`Outcome::Audit`].
    Audit(S::Of<AuditFilter>),
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
            Self::Revoke(_) => "revoke",
            Self::Unlock(_) => "unlock",
            Self::ScratchNew(_) => "scratch_new",
            Self::KeyAdd(_) => "key_add",
            Self::KeyPolicy(_) => "key_policy",
            Self::KeyRemove(_) => "key_remove",
            Self::Audit(_) => "audit",
        }
    }
}

/// Somebody who wants in. From root these are facts, from others claims.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The account.
    pub account: String,
    /// The SSH keys that were used, `SHA256:…`, in sshd's order; at most [`MAX_KEYS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// The PAM service, or `ssh-otp`.
    pub service: String,
    /// The address somebody comes from (PAM_RHOST, SSH_CONNECTION).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The terminal (PAM_TTY).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tty: Option<String>,
}

/// At most so many keys in one login: sshd's own limit of methods is lower.
pub const MAX_KEYS: usize = 8;

/// A login with a code.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verify {
    /// The login.
    pub login: Login,
    /// What was typed.
    pub code: SecretText,
    /// Only this credential counts: the first code after enrolment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

/// Which accounts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// Only this account; root may leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Only this owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// A credential to enrol. The verifier makes the secret, unless one is given.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrol {
    /// The account it logs in to.
    pub account: String,
    /// The owner; the account's own name when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The SSH key it belongs to; without one it counts where no key is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// A note for the key: its comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The label; made from the account when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// `totp` or `hotp`.
    pub kind: String,
    /// `SHA1`, `SHA256` or `SHA512`.
    pub algorithm: String,
    /// 6, 7 or 8.
    pub digits: u8,
    /// Seconds, 1 to 120; for `totp` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<u16>,
    /// A secret that exists already, base32; at least 128 bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretText>,
    /// Make scratch codes, where the owner has none left.
    pub scratch: bool,
}

/// A credential, by id or by its owner's label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialName {
    /// The account from whose side it is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Id or label.
    pub credential: String,
}

/// An account whose doors are opened again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unlock {
    /// The account.
    pub account: String,
    /// Only this key's door.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// An owner, named from the side of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnerName {
    /// The account.
    pub account: String,
    /// The owner; the account's own name when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// A key to let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyAdd {
    /// The account.
    pub account: String,
    /// `SHA256:…`.
    pub key: String,
    /// The owner; the account's own name when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// A note for the key: its comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Credentials of the owner that count with this key, by id or label.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<String>,
}

/// What is asked for at a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyPolicy {
    /// The account.
    pub account: String,
    /// `SHA256:…`.
    pub key: String,
    /// `code` or `none`.
    pub policy: String,
    /// With `none`: seconds since 1970 from when on a code is asked for again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
}

/// A key of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyName {
    /// The account.
    pub account: String,
    /// `SHA256:…`.
    pub key: String,
}

/// Which audit rows, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditFilter {
    /// Only this account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Only this key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Only this verdict: `accept`, `refuse` or `change`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// Only since then, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// At most so many; 1 to 1000.
    pub limit: u32,
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

/// What may be answered. Only [`Outcome::Accepted`] and [`Outcome::Pass`] let anybody in.
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
    Absent {},
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
    },
    /// No.
    Refused {
        /// For the log.
        reason: Reason,
        /// For the person.
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
    /// A credential was enrolled. The only answer with secrets, once.
    Enrolled(S::Of<Box<Enrolled>>),
    /// What is enrolled.
    Listing(S::Of<Vec<OwnerRow>>),
    /// How the verifier is.
    Status(S::Of<Box<StatusReport>>),
    /// New scratch codes, in groups of four.
    Scratch(S::Of<Vec<SecretText>>),
    /// What happened, newest first.
    Audit(S::Of<Vec<AuditRow>>),
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

/// A new credential, as its owner's device needs it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolled {
    /// The account, as the system spells it.
    pub account: String,
    /// The owner.
    pub owner: String,
    /// The credential's id.
    pub credential: String,
    /// Its label.
    pub label: String,
    /// What to call the host in an authenticator.
    pub issuer: String,
    /// `totp` or `hotp`.
    pub kind: String,
    /// `SHA1`, `SHA256` or `SHA512`.
    pub algorithm: String,
    /// Digits of a code.
    pub digits: u8,
    /// Seconds; for `totp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<u16>,
    /// The next counter; for `hotp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counter: Option<u64>,
    /// The secret, base32.
    pub secret: SecretText,
    /// New scratch codes, in groups of four; none where the owner has some.
    pub scratch: Vec<SecretText>,
}

/// One owner in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnerRow {
    /// The owner.
    pub owner: String,
    /// The owner's credentials.
    pub credentials: Vec<CredentialRow>,
    /// Where the owner may log in.
    pub entries: Vec<EntryRow>,
    /// Scratch codes that are unused.
    pub scratch_left: usize,
    /// Scratch codes that were made.
    pub scratch_made: usize,
    /// Doors with failures behind them.
    pub doors: Vec<DoorRow>,
}

/// One credential in a listing; no secret in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialRow {
    /// Its id.
    pub id: String,
    /// Its label.
    pub label: String,
    /// `totp` or `hotp`.
    pub kind: String,
    /// `SHA1`, `SHA256` or `SHA512`.
    pub algorithm: String,
    /// Digits of a code.
    pub digits: u8,
    /// Seconds; for `totp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<u16>,
    /// Length of the secret.
    pub bits: usize,
    /// Seconds since 1970.
    pub created: u64,
    /// When its first code was accepted, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<u64>,
    /// When its last code was accepted, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<u64>,
    /// `active`, `disabled` or `revoked`.
    pub state: String,
}

/// One way in, in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryRow {
    /// The account.
    pub account: String,
    /// The key, or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The key's note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// `code` or `none`.
    pub policy: String,
    /// Until when `none` holds, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
    /// The ids of the credentials that count here.
    pub credentials: Vec<String>,
}

/// One door in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DoorRow {
    /// The account.
    pub account: String,
    /// The proof: `key SHA256:…`, `service NAME`, `claimed-key SHA256:…` or `uid`.
    pub proof: String,
    /// Failures in a row.
    pub failures: u32,
    /// `open`, `throttled` or `locked`.
    pub state: String,
}

/// How the verifier is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusReport {
    /// The program's version.
    pub version: String,
    /// Where the store is.
    pub store: String,
    /// The version of its schema.
    pub schema: u32,
    /// Its size in bytes.
    pub bytes: u64,
    /// Owners in it.
    pub owners: u64,
    /// Ways in.
    pub entries: u64,
    /// Audit rows.
    pub audit: u64,
    /// The verifier's clock, in seconds since 1970.
    pub time: u64,
    /// The number of the sealing key in use.
    pub sealing_key: u32,
    /// What the peer is to the verifier: `root`, `owner` or `account`.
    pub peer: String,
}

/// One audit row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditRow {
    /// Its number; later ones are larger.
    pub id: i64,
    /// Seconds since 1970.
    pub at: u64,
    /// `accept`, `refuse` or `change`.
    pub verdict: String,
    /// What was accepted, why it was refused, or what was changed.
    pub reason: String,
    /// The account.
    pub account: String,
    /// The owner, if one was found.
    pub owner: String,
    /// The service.
    pub service: String,
    /// The key.
    pub key: String,
    /// The address somebody came from.
    pub address: String,
    /// The uid that asked.
    pub peer: u32,
    /// Whether service, key and address are claims of that uid.
    pub claimed: bool,
}
