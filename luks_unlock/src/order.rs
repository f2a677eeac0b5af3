//! How `oathgate` and `oathgate-luks` talk: one [`Order`] comes in on standard
//! input, one [`Report`] goes out on standard output, each a line of JSON
//! ([`otp_wire::frame`]).
//!
//! `oathgate` asks people and prints; `oathgate-luks` alone knows
//! libcryptsetup, and asks and prints nothing.

use base64ct::{Base64, Encoding};
use otp_wire::SecretText;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::sealing::Cost;
use crate::token::{Code, State};

/// The longest order or report in bytes.
pub const MAX_MESSAGE: usize = 256 * 1024;
/// The longest PIN, passphrase or answer in bytes; more does not fit into a
/// [`SecretText`].
pub const MAX_TYPED: usize = 192;

/// Bytes that a person typed, on their way. Wiped when dropped, never printed.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Typed(SecretText);

impl Typed {
    /// Copies what was typed, which the caller wipes. None when it is longer
    /// than [`MAX_TYPED`].
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        SecretText::new(&Zeroizing::new(Base64::encode_string(bytes))).map(Self)
    }

    /// The bytes; none when they are not what [`Self::of`] made.
    #[must_use]
    pub fn bytes(&self) -> Option<Zeroizing<Vec<u8>>> {
        Base64::decode_vec(self.0.expose()).ok().map(Zeroizing::new)
    }
}

/// Where a volume is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    /// The block device, or a file.
    pub device: String,
    /// Where its LUKS2 header is, if not on the device itself.
    pub header: Option<String>,
}

/// A passphrase that opens the volume already.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// Typed by a person.
    Typed(Typed),
    /// The whole of this file, as `cryptsetup --key-file` takes it.
    File(String),
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Order {
    /// Say what is in a header.
    Look(Volume),
    /// Name every volume of the machine that has a token of ours.
    List {},
    /// Say which plugin libcryptsetup finds.
    Plugin {},
    /// Say whether an answer is worth asking for.
    Ready(Volume),
    /// Add a token, a keyslot for it and, unless another token is replaced, one
    /// for recovery.
    Enrol(Box<Enrol>),
    /// The same for a token whose key the verifier keeps.
    EnrolStore(Box<EnrolStore>),
    /// Give a token whose key the verifier keeps a keyslot with a new key, beside
    /// those it has.
    Renew(Box<Renew>),
    /// Remove its other keyslots.
    Settle(Settle),
    /// Open a volume, or only try to.
    Open(Open),
    /// Close an open volume.
    Close {
        /// Its name.
        name: String,
    },
    /// Stop an open volume, and wipe its key from the kernel.
    Suspend {
        /// Its name.
        name: String,
    },
    /// Let a suspended volume go on.
    Resume {
        /// Its name.
        name: String,
        /// Where its LUKS2 header is, if not on the device itself.
        header: Option<String>,
        /// PIN and code.
        answer: Typed,
    },
    /// Remove a token and its keyslot.
    Remove {
        /// Where.
        volume: Volume,
        /// The token.
        token: i32,
        /// Something else that opens the volume.
        proof: Proof,
        /// The new file for a copy of the header as it was.
        backup: String,
    },
}

/// What is to be enrolled.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrol {
    /// Where.
    pub volume: Volume,
    /// What opens it already.
    pub proof: Proof,
    /// What is typed before the code.
    pub pin: Typed,
    /// The secret of the codes, in base32.
    pub secret: SecretText,
    /// The kind of the codes.
    pub code: Code,
    /// The first state that counts.
    pub state: State,
    /// What it costs to guess at the PIN; none: about two seconds of this machine.
    pub cost: Option<Cost>,
    /// The new file for a copy of the header as it was.
    pub backup: String,
    /// The token that goes when the new one is there.
    pub replaces: Option<i32>,
}

/// What is to be enrolled where the verifier keeps the key.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolStore {
    /// Where.
    pub volume: Volume,
    /// What opens it already.
    pub proof: Proof,
    /// The key of the new keyslot, 32 bytes in base32.
    pub key: SecretText,
    /// The new file for a copy of the header as it was.
    pub backup: String,
}

/// A new key for a token whose key the verifier keeps.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renew {
    /// Where.
    pub volume: Volume,
    /// The token.
    pub token: i32,
    /// Something else that opens the volume.
    pub proof: Proof,
    /// The new key, 32 bytes in base32.
    pub key: SecretText,
    /// The new file for a copy of the header as it was.
    pub backup: String,
}

/// The one keyslot that a token keeps.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settle {
    /// Where.
    pub volume: Volume,
    /// The token.
    pub token: i32,
    /// The keyslot.
    pub keyslot: i32,
    /// Its key, 32 bytes in base32.
    pub key: SecretText,
}

/// What is to be opened.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Open {
    /// Where.
    pub volume: Volume,
    /// The name below /dev/mapper; none: only try.
    pub name: Option<String>,
    /// PIN and code.
    pub answer: Typed,
    /// How it is mapped.
    pub flags: Flags,
}

/// How a volume is mapped; see cryptsetup-open(8).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools)] // flags of the kernel's table
pub struct Flags {
    /// Nothing can be written.
    pub readonly: bool,
    /// Freed blocks are passed on to the device.
    pub allow_discards: bool,
    /// `--perf-same_cpu_crypt`
    pub same_cpu_crypt: bool,
    /// `--perf-submit_from_crypt_cpus`
    pub submit_from_crypt_cpus: bool,
    /// `--perf-no_read_workqueue`
    pub no_read_workqueue: bool,
    /// `--perf-no_write_workqueue`
    pub no_write_workqueue: bool,
}

/// What came of an order.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// What libcryptsetup and the gate said meanwhile.
    pub said: Vec<String>,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of an order.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// It is done.
    Done {},
    /// The answer was no, and why was said.
    Refused {
        /// Whether another one may be right.
        again: bool,
    },
    /// It could not be done.
    Failed {
        /// What happened.
        what: String,
        /// What to do.
        hint: Option<String>,
        /// Whether what was proven with is not right: another passphrase may be.
        refused: bool,
    },
    /// A header.
    Header(View),
    /// Volumes with a token of ours.
    Volumes(Vec<Listed>),
    /// A plugin.
    Plugin(Plugin),
    /// A new token.
    Enrolled(Box<Enrolled>),
}

/// The plugin that cryptsetup and systemd load for our tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plugin {
    /// Where libcryptsetup looks for it.
    pub path: String,
    /// Its version, or why it can't be loaded.
    pub version: Result<String, String>,
}

/// A header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// The volume's UUID.
    pub uuid: String,
    /// The keyslots that open it.
    pub keyslots: Vec<i32>,
    /// The tokens of ours: number and JSON.
    pub tokens: Vec<(i32, String)>,
    /// The keyslots that tokens of others open.
    pub held: Vec<Held>,
    /// The names of the mapping, where it is open.
    pub names: Vec<String>,
}

/// A keyslot that a token of somebody else's opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// Its number.
    pub keyslot: i32,
    /// The token's type, as `systemd-tpm2`.
    pub by: String,
}

/// A volume with a token of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// The block device.
    pub device: String,
    /// Its header.
    pub view: View,
}

/// A new token.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolled {
    /// Its number.
    pub token: i32,
    /// Its keyslot.
    pub keyslot: i32,
    /// The volume's UUID.
    pub uuid: String,
    /// The recovery passphrase that was made, tried, and is shown only now; and its keyslot.
    pub recovery: Option<(i32, SecretText)>,
    /// What it costs to guess at the PIN, where there is one.
    pub cost: Option<Cost>,
}
