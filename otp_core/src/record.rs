//! What is remembered about one owner, and all that a decision may look at.

use std::fmt;
use std::str::FromStr;

use crate::door::Throttle;
use crate::grant::Grant;
use crate::name::NameError;
use crate::scratch::ScratchSet;
use crate::{Account, Algorithm, CredentialId, Digits, Fingerprint, Label, Owner, Period, Secret, UnixTime};

/// At most so many active credentials are asked at one door.
pub const MAX_CREDENTIALS_A_DOOR: usize = 5;
/// At most so many credentials, tombstones included, for one owner.
pub const MAX_CREDENTIALS: usize = 200;
/// At most so many entries for one owner.
pub const MAX_ENTRIES: usize = 1000;
/// At most so many doors with failures are kept for one owner.
pub const MAX_DOORS: usize = 1000;

/// Everything that is remembered about one owner. One transaction reads it,
/// decides, and writes it back.
#[derive(Debug)]
pub struct Record {
    /// Whose record this is.
    pub owner: Owner,
    /// The owner's credentials, revoked ones too.
    pub credentials: Vec<Credential>,
    /// Where the owner may log in, and which credentials are asked there.
    pub entries: Vec<Entry>,
    /// The owner's scratch codes.
    pub scratch: Vec<ScratchSet>,
    /// Doors with failures behind them.
    pub doors: Vec<Door>,
    /// Logins that need no code for a while.
    pub grants: Vec<Grant>,
    /// In a volume's record: the key of its LUKS key slot, handed out for an
    /// accepted code.
    pub slot_key: Option<Secret>,
    /// When the owner's doors are throttled.
    pub throttle: Throttle,
}

impl Record {
    /// A record with nothing in it.
    #[must_use]
    pub fn new(owner: Owner) -> Self {
        let (credentials, entries, scratch, doors, grants) = (vec![], vec![], vec![], vec![], vec![]);
        Self { owner, credentials, entries, scratch, doors, grants, slot_key: None, throttle: Throttle::USUAL }
    }

    /// The entry of `account` for `key`, or the one for no key.
    #[must_use]
    pub fn entry(&self, account: &Account, key: Option<&Fingerprint>) -> Option<&Entry> {
        self.entries.iter().find(|entry| &entry.account == account && entry.key.as_ref() == key)
    }

    /// The credential with this id.
    #[must_use]
    pub fn credential(&self, id: &CredentialId) -> Option<&Credential> {
        self.credentials.iter().find(|credential| &credential.id == id)
    }

    /// Whether `account` may be told of this credential and change it: it is asked
    /// for there, or its owner has nothing elsewhere, such as after a key was removed.
    #[must_use]
    pub fn is_reached_from(&self, account: &Account, id: &CredentialId) -> bool {
        let mut own = self.entries.iter().filter(|entry| &entry.account == account);
        own.any(|entry| entry.credentials.contains(id)) || self.entries.iter().all(|entry| &entry.account == account)
    }

    /// Makes what has ended stay so, even if the clock is set back later. Says
    /// whether anything had.
    pub fn end_policies(&mut self, now: UnixTime) -> bool {
        let ended = |entry: &&mut Entry| entry.policy != Policy::Code && entry.policy.asks(now);
        let mut any = false;
        for entry in self.entries.iter_mut().filter(ended) {
            (entry.policy, any) = (Policy::Code, true);
        }
        any
    }

    /// Scratch codes that are unused, over all sets.
    #[must_use]
    pub fn scratch_left(&self) -> usize {
        self.scratch.iter().map(ScratchSet::left).sum()
    }
}

/// One OATH secret on one device.
#[derive(Debug)]
pub struct Credential {
    /// Its id.
    pub id: CredentialId,
    /// Its short name, unique among the owner's active ones.
    pub label: Label,
    /// Other text to show for it, at most 256 bytes.
    pub display: Option<String>,
    /// The hash under the HMAC.
    pub algorithm: Algorithm,
    /// Digits of a code.
    pub digits: Digits,
    /// The shared secret.
    pub secret: Secret,
    /// What moves: a counter or the time.
    pub factor: Factor,
    /// When it was enrolled.
    pub created: UnixTime,
    /// When a code of it was first accepted; `None` while unconfirmed.
    pub confirmed: Option<UnixTime>,
    /// When a code of it was last accepted.
    pub last_used: Option<UnixTime>,
    /// Whether it counts.
    pub state: State,
    /// TOTP steps ahead of the last accepted one whose codes are used up all
    /// the same: the clock was wrong once, and was set back.
    pub barred: Option<Steps>,
}

/// TOTP steps from one to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// The first one.
    pub from: u64,
    /// The last one.
    pub to: u64,
}

impl Steps {
    /// Both, and whatever lies between.
    pub(crate) fn span(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) => Some(Self { from: one.from.min(other.from), to: one.to.max(other.to) }),
            (one, other) => one.or(other),
        }
    }

    pub(crate) fn contain(&self, step: u64) -> bool {
        (self.from..=self.to).contains(&step)
    }
}

/// The moving factor of a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Factor {
    /// HOTP, RFC 4226.
    Hotp {
        /// The next counter that is accepted.
        next: u64,
    },
    /// TOTP, RFC 6238.
    Totp {
        /// Length of a step.
        period: Period,
        /// The last accepted step; only later ones are accepted.
        last_step: Option<u64>,
        /// Steps by which the device's clock is ahead of ours.
        skew: i32,
        /// Steps before and after the present one that are accepted, 0 to 8.
        window: u8,
    },
}

impl Factor {
    /// Seconds until a code can be accepted, where the last accepted step lies
    /// further ahead than any code that counts at `now`: the clock was wrong
    /// then, or is now.
    #[must_use]
    pub fn ahead(&self, now: UnixTime) -> Option<u64> {
        let Self::Totp { period, last_step: Some(last), skew, window } = *self else { return None };
        let newest = period.step(now).saturating_add_signed(i64::from(skew)).saturating_add(u64::from(window));
        let steps = last.saturating_sub(newest);
        (steps > 0).then(|| steps.saturating_mul(u64::from(period.get())))
    }

    /// The same, with what `other` has seen used counted as used; `None` where
    /// the two count in different ways.
    #[must_use]
    pub fn later(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Hotp { next }, Self::Hotp { next: other }) => Some(Self::Hotp { next: next.max(other) }),
            (Self::Totp { period, last_step, skew, window }, Self::Totp { period: same, last_step: other, .. })
                if period == same =>
            {
                Some(Self::Totp { period, last_step: last_step.max(other), skew, window })
            }
            _ => None,
        }
    }

    /// The kind, as the store, the wire and the command line call it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Hotp { .. } => "hotp",
            Self::Totp { .. } => "totp",
        }
    }
}

/// Whether a credential counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Its codes are accepted.
    Active,
    /// Refused until an administrator enables it again.
    Disabled,
    /// Refused for ever; the tombstone stays for the audit.
    Revoked {
        /// When.
        at: UnixTime,
    },
}

/// A way into an account that an owner has: with one SSH key, or with none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The account.
    pub account: Account,
    /// The SSH key, or `None` for logins without one (su, sudo, login).
    pub key: Option<Fingerprint>,
    /// The key's comment or another note, for people; at most 256 bytes.
    pub note: Option<String>,
    /// What is asked for.
    pub policy: Policy,
    /// The credentials whose codes count here.
    pub credentials: Vec<CredentialId>,
    /// For so many seconds after an accepted code its address needs none.
    pub grant: Option<u64>,
}

/// What is asked for at an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// A code.
    Code,
    /// Nothing: the key alone is enough.
    None {
        /// From then on a code is asked for again.
        until: Option<UnixTime>,
    },
}

impl Policy {
    /// Whether a code is asked for at `now`.
    #[must_use]
    pub fn asks(self, now: UnixTime) -> bool {
        match self {
            Self::Code => true,
            Self::None { until } => until.is_some_and(|until| now >= until),
        }
    }
}

/// What somebody has shown before a code is asked for: the second half of a
/// door's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// This SSH key; root says so (SSH_AUTH_INFO_0).
    Key(Fingerprint),
    /// No key, at this PAM service; root says so.
    Service(String),
    /// The account's own uid, which says that it came by this key.
    ClaimedKey(Fingerprint),
    /// The account's own uid.
    Uid,
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => write!(f, "key {key}"),
            Self::Service(service) => write!(f, "service {service}"),
            Self::ClaimedKey(key) => write!(f, "claimed-key {key}"),
            Self::Uid => f.write_str("uid"),
        }
    }
}

impl FromStr for Proof {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let error = NameError("a proof is key, service, claimed-key or uid");
        match text.split_once(' ') {
            Some(("key", key)) => key.parse().map(Self::Key).map_err(|_| error),
            Some(("claimed-key", key)) => key.parse().map(Self::ClaimedKey).map_err(|_| error),
            Some(("service", service)) if is_service(service) => Ok(Self::Service(service.to_owned())),
            None if text == "uid" => Ok(Self::Uid),
            _ => Err(error),
        }
    }
}

/// Whether `text` can be the name of a PAM service: 1 to 64 printable ASCII
/// characters without blanks.
#[must_use]
pub fn is_service(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// The failures at one door. A door that nobody failed at is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    /// The account.
    pub account: Account,
    /// What was shown before.
    pub proof: Proof,
    /// Failures since the last success.
    pub failures: u32,
    /// When the latest failures were, oldest first; at most as many as the throttle looks at.
    pub recent: Vec<UnixTime>,
}
