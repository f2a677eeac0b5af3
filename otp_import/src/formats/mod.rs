//! One module for each format, or for formats that are nearly one.

mod battlenet;
mod csv;
pub(crate) mod hex;
mod json;
mod keepass;
mod libpam;
mod lines;
mod migration;
mod picture;
mod sqlite;
mod totp_cli;
mod uris;
mod users_oath;
mod xml;

use crate::Format;

/// All formats, the most particular first: several may look like text.
pub(crate) const ALL: &[&dyn Format] = &[
    &sqlite::GoogleAuthenticator,
    &sqlite::MicrosoftAuthenticator,
    &picture::Picture,
    &json::ONE_PASSWORD,
    &json::PROTON_PASS,
    &json::AEGIS,
    &json::ANDOTP,
    &json::BITWARDEN,
    &json::COTP,
    &json::DUO,
    &json::FREEOTP_PLUS,
    &json::LASTPASS,
    &json::PROTON,
    &json::RAIVO,
    &json::STEAM,
    &json::STRATUM,
    &json::TWO_FAS,
    &json::TOTP_AUTHENTICATOR,
    &battlenet::BattleNet,
    &xml::FREEOTP,
    &xml::AUTHY_SETTINGS,
    &keepass::KeePass,
    &xml::Pskc,
    &libpam::StateFile,
    &csv::Csv,
    &migration::Migration,
    &lines::Gauth,
    &lines::TwoFactor,
    &totp_cli::TotpCli,
    &uris::Uris,
    &users_oath::UsersOath,
];
