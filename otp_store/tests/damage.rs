//! Damaged and swapped files: refused, never accepted, never a panic.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers outside of #[test] functions

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use common::*;
use otp_core::Limits;
use otp_core::record::Factor;
use otp_store::{AuditFilter, Error, Store};

const PAGE: usize = 4096;

/// A store in which the code of counter 0 is spent, as bytes.
fn spent(place: &Place) -> Vec<u8> {
    let store = place.open().unwrap();
    put(&store, 1, record(Factor::Hotp { next: 0 })).unwrap();
    assert!(verify(&store, 2, &hotp(0)).unwrap());
    drop(store);
    fs::read(place.db()).unwrap()
}

/// Everything that reads the store, on a store that may be damaged.
fn use_all(place: &Place, number: u64) {
    let Ok(store) = place.open() else { return };
    assert!(!matches!(verify(&store, number, &hotp(0)), Ok(true)), "a spent code was accepted");
    let _ = verify(&store, number + 1, &hotp(1));
    let _ = (store.owner_of(&account(), None), store.owners(None), store.report(Limits::Usual, NOW));
    let _ = store.audit(&AuditFilter { limit: 10, ..AuditFilter::default() });
}

#[test]
fn every_page_overwritten_in_turn_accepts_nothing_spent() {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        // The writer's thread would hide it; other tests run beside this one.
        let in_store = info.location().is_some_and(|place| place.file().contains("src/"));
        PANICS.fetch_add(usize::from(in_store), Ordering::SeqCst);
        hook(info);
    }));
    let place = Place::new();
    let whole = spent(&place);
    let pages = whole.len() / PAGE;
    assert!(pages > 8, "{pages}");
    let mut number = 10;
    for page in 0..pages {
        let at = page * PAGE..(page + 1) * PAGE;
        let other = (page + 1) % pages * PAGE;
        let noise: Vec<u8> = (0..PAGE).map(|byte| (byte * 31 + page * 7 + byte / 13) as u8).collect();
        let half = [&whole[at.start..at.start + PAGE / 2], &noise[PAGE / 2..]].concat();
        for content in [&[0; PAGE][..], &[0xff; PAGE], &noise, &half, &whole[other..other + PAGE]] {
            let mut damaged = whole.clone();
            damaged[at.clone()].copy_from_slice(content);
            fs::write(place.db(), &damaged).unwrap();
            for left in ["store.db-wal", "store.db-shm"] {
                let _ = fs::remove_file(place.folder.path().join(left));
            }
            use_all(&place, number);
            number += 10;
        }
    }
    assert_eq!(PANICS.load(Ordering::SeqCst), 0);
}

/// Does something to the store at the first path; at the second is an older one.
type Swap = fn(&Path, &Path);

fn log(path: &Path) -> PathBuf {
    path.with_file_name("store.db-wal")
}

/// Puts a store that doesn't know the spent code in the place of ours, while it is open.
fn swapped(swap: Swap) -> (Result<bool, Error>, bool) {
    let place = Place::new();
    let store = place.open().unwrap();
    put(&store, 1, record(Factor::Hotp { next: 0 })).unwrap();
    let old = place.folder.path().join("old.db");
    otp_store::backup(&place.db(), &mut fs::File::create(&old).unwrap()).unwrap();
    assert!(verify(&store, 2, &hotp(0)).unwrap());
    swap(&place.db(), &old);
    let read = store.read(&alice()).is_ok() || store.owner_of(&account(), None).is_ok();
    (verify(&store, 3, &hotp(1)), read)
}

#[test]
fn a_store_swapped_or_removed_under_the_running_verifier_is_noticed() {
    let swaps: [Swap; 4] = [
        |path, old| fs::rename(old, path).unwrap(),
        |path, _| fs::remove_file(path).unwrap(),
        |path, _| fs::remove_file(log(path)).unwrap(),
        |path, old| fs::rename(old, log(path)).unwrap(),
    ];
    for (number, swap) in swaps.into_iter().enumerate() {
        let (verdict, read) = swapped(swap);
        assert!(verdict.is_err_and(|error| error.to_string().contains("under the running verifier")), "{number}");
        assert!(!read, "{number}: nothing is read from it either");
    }
}
