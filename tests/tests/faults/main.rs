//! What breaks on a machine, and what must hold then: nobody is let in whose
//! code was not spent for good, others are refused soon, and when it is over
//! the next login works.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod descriptors;
mod disk;
mod front;
mod kill;
mod memory;
mod person;
mod read_only;
mod shim;
