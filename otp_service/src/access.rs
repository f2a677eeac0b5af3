//! The table of who may ask what.

use otp_wire::Ask;
use serde::Deserialize;

/// What a peer is to this verifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// uid 0, or the service's own user on root's socket: everything, for anybody.
    Root,
    /// Any other uid, on the system's verifier: for its own accounts.
    Account,
    /// The user whose own store this is.
    Owner,
}

impl Role {
    /// Its name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Account => "account",
            Self::Owner => "owner",
        }
    }
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// The uid, from the kernel.
    pub uid: u32,
    /// What it is.
    pub role: Role,
}

/// Whether something may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Yes.
    Yes,
    /// Only with a code of the owner's in the same request.
    WithCode,
    /// No.
    No,
}

/// Who may have secrets out of the store again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Export {
    /// Root.
    #[default]
    Root,
    /// Root, and owners with a code.
    OwnerWithCode,
    /// Nobody.
    Never,
}

/// The settings that the table depends on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rules {
    /// Owners renew and add credentials themselves, with a code.
    pub self_service: bool,
    /// Who may have secrets out of the store again.
    pub export: Export,
}

/// One verb: what others may with it, what they may where the settings say
/// `self_service`, and what a user may with the own store.
struct Row(&'static str, Access, Access, Access);

/// A uid is not a second factor: nothing that adds, shows or weakens a factor
/// is `Yes` here. Root is not in the table: root may everything. `export` has a
/// setting of its own.
const TABLE: [Row; 26] = {
    use Access::{No, WithCode, Yes};
    [
        // verb            others  self_service  own store
        Row("begin", Yes, Yes, Yes),
        Row("verify", Yes, Yes, Yes),
        // Two unused codes in a row: they are the factor.
        Row("resync", Yes, Yes, Yes),
        Row("list", Yes, Yes, Yes),
        Row("status", Yes, Yes, Yes),
        Row("set_back", No, No, WithCode),
        // Beside root only the settings' keys_reader, whom the service knows.
        Row("key", No, No, No),
        Row("enrol", No, WithCode, WithCode),
        Row("import", No, WithCode, WithCode),
        // For many people: root's.
        Row("bulk", No, No, No),
        Row("revoke", No, WithCode, WithCode),
        Row("scratch_new", No, WithCode, WithCode),
        Row("scratch_add", No, WithCode, WithCode),
        Row("key_add", No, WithCode, WithCode),
        Row("key_policy", No, No, WithCode),
        Row("key_grant", No, No, WithCode),
        Row("key_remove", No, No, WithCode),
        Row("disable", No, No, WithCode),
        Row("enable", No, No, WithCode),
        Row("rename", No, No, WithCode),
        Row("unlock", No, No, WithCode),
        Row("audit", No, No, Yes),
        // What opens a disk is root's alone.
        Row("disk_key", No, No, No),
        Row("disk_enrol", No, No, No),
        Row("disk_remove", No, No, No),
        Row("unseal", No, No, No),
    ]
};

/// Whether somebody in this role may ask this.
#[must_use]
pub fn access(role: Role, ask: &Ask, rules: Rules) -> Access {
    if let Ask::Export(_) = ask {
        return export(role, rules.export);
    }
    let row = TABLE.iter().find(|row| row.0 == ask.verb());
    match (row, role) {
        (None, _) => Access::No,
        (Some(_), Role::Root) => Access::Yes,
        (Some(row), Role::Account) if !rules.self_service => row.1,
        (Some(row), Role::Account) => row.2,
        (Some(row), Role::Owner) => row.3,
    }
}

fn export(role: Role, rule: Export) -> Access {
    match (rule, role) {
        (Export::Root | Export::OwnerWithCode, Role::Root) => Access::Yes,
        (Export::OwnerWithCode, Role::Account | Role::Owner) => Access::WithCode,
        (Export::Never, _) | (Export::Root, Role::Account | Role::Owner) => Access::No,
    }
}
