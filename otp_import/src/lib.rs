//! What do others write?
//!
//! Bytes come in, entries come out: [`format::read`] recognises a file by its
//! content and hands it to its [`format::Format`]. Nothing here opens a file, a
//! socket or a store. The program `oathgate-import` runs this unprivileged and
//! within limits, and speaks [`pipe`]; [`mod@write`] is the way out.

#![forbid(unsafe_code)]

pub mod entry;
pub mod format;
mod formats;
pub mod hash;
pub mod locked;
pub mod login;
pub mod parsed;
pub mod pipe;
mod protobuf;
pub mod qr;
pub mod write;
mod zone;

pub use entry::{Entry, Kind, Obstacle};
pub use format::{FORMATS, Format, Source, read};
pub use hash::Hash;
pub use locked::LOCKED;
pub use login::Login;
pub use parsed::{Error, Parsed, Skipped};
pub use zone::Zone;
