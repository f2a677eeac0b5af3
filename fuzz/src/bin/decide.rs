//! The decision, under any sequence of attempts with a clock that jumps.

#![no_main]

#[path = "../../../otp_core/tests/common/mod.rs"]
mod common;

use common::{NOW, OLD_SALT, OLD_SCRATCH, SALT, SCRATCH, WRONG, account, code_of, entry, hash, key, with_scratch};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use otp_core::Terms;
use otp_core::decide::Shown;
use otp_core::grant::Origin;
use otp_core::resync::{Resync, resync};
use otp_core::{
    Accepted, Admission, Attempt, Credential, CredentialId, Digits, Door, Factor, Fingerprint, Input, Limits, Period,
    Policy, Record, Refusal, State, UnixTime, Verdict, admit, decide,
};

fuzz_target!(|bytes: &[u8]| {
    // No bytes left: the end of the game.
    let _ = play(&mut Unstructured::new(bytes));
});

fn play(u: &mut Unstructured<'_>) -> Result<()> {
    let limits = if u.arbitrary()? { Limits::Pci } else { Limits::Usual };
    let (mut record, mut now) = (any_record(u)?, NOW);
    while !u.is_empty() {
        now = any_time(u, now)?;
        let before = Before::of(&record);
        let try_ = Try::any(u, &record, now)?;
        let (admission, verdict, kept) = try_.run(record, limits, now);
        if matches!(admission, Admission::Refuse(_)) {
            assert!(matches!(verdict, Verdict::Refuse(_)), "{try_:?} was let in where nobody is asked");
        }
        before.check(&try_, &verdict, &kept, limits);
        record = kept;
    }
    Ok(())
}

/// The record of the tests, with whatever a store may hold in its fields.
fn any_record(u: &mut Unstructured<'_>) -> Result<Record> {
    let mut record = with_scratch(common::record());
    record.entries.push(entry(None, &[2]));
    for credential in &mut record.credentials {
        if u.arbitrary()? {
            credential.factor = any_factor(u)?;
            credential.state = *u.choose(&[State::Active, State::Active, State::Disabled, State::Revoked { at: 7 }])?;
        }
    }
    for entry in &mut record.entries {
        if u.ratio(1, 8)? {
            entry.policy = Policy::None { until: u.arbitrary()? };
        }
    }
    Ok(record)
}

fn any_factor(u: &mut Unstructured<'_>) -> Result<Factor> {
    if u.arbitrary()? {
        return Ok(Factor::Hotp { next: u.arbitrary()? });
    }
    let period = Period::new(u.int_in_range(1..=120)?).expect("in range");
    Ok(Factor::Totp { period, last_step: u.arbitrary()?, skew: u.arbitrary()?, window: u.int_in_range(0..=8)? })
}

/// Mostly a little later; a clock may show anything that a kernel can.
fn any_time(u: &mut Unstructured<'_>, now: UnixTime) -> Result<UnixTime> {
    let time = match u.int_in_range(0..=7)? {
        0..=2_u8 => now,
        3..=5 => now.saturating_add(u64::from(u.arbitrary::<u8>()?)),
        6 => now.saturating_add_signed(i64::from(u.arbitrary::<i32>()?)),
        _ => u.arbitrary()?,
    };
    Ok(time.min(i64::MAX.unsigned_abs()))
}

/// One attempt to log in, or to resynchronise.
#[derive(Debug)]
struct Try {
    keys: Vec<Fingerprint>,
    way: u8,
    only: Option<CredentialId>,
    typed: String,
    /// The second code, for a resynchronisation.
    second: Option<String>,
    terms: Terms,
}

impl Try {
    fn any(u: &mut Unstructured<'_>, record: &Record, now: UnixTime) -> Result<Self> {
        let way = u.int_in_range(0..=7)?;
        let count = if way == 0 { u.int_in_range(0..=3)? } else { 1 };
        // The fifth key is nobody's.
        let keys = (0..count).map(|_| Ok(key(u.int_in_range(1..=5)?))).collect::<Result<_>>()?;
        let only = if u.ratio(1, 16)? { Some(common::id(u.int_in_range(1..=4)?)) } else { None };
        let (number, factor) = any_code(u, record, now)?;
        let code = code_of(number, factor);
        let (typed, second) = match u.int_in_range(0..=15)? {
            0..=7_u8 => (code, None),
            8..=10 => (code, Some(code_of(number, factor.wrapping_add(1)))),
            11 => (SCRATCH.to_owned(), None),
            12 => (OLD_SCRATCH.to_owned(), None),
            13 => (u.arbitrary()?, u.arbitrary()?),
            _ => (WRONG.to_owned(), None),
        };
        let terms = if u.ratio(1, 4)? { any_terms(u)? } else { Terms::default() };
        Ok(Self { keys, way, only, typed, second, terms })
    }

    fn shown(&self) -> Shown<'_> {
        match self.way {
            0..=2 => Shown::Fact { service: "sshd", keys: &self.keys },
            3 => Shown::Delegate { service: "web" },
            4 => Shown::Fact { service: "su", keys: &[] },
            5 | 6 => Shown::Claim { key: self.keys.first().copied().filter(|_| self.way == 5) },
            _ => Shown::AnyEntry,
        }
    }

    fn run(&self, record: Record, limits: Limits, now: UnixTime) -> (Admission, Verdict, Record) {
        let (account, shown, only) = (&account("alice"), self.shown(), self.only.as_ref());
        let admission = admit(&record, account, shown, &Origin::default(), limits, now);
        let input = Input::parse(self.typed.as_bytes());
        let (verdict, kept) = match &self.second {
            Some(second) => {
                let codes = [&input, &Input::parse(second.as_bytes())];
                resync(record, &Resync { account, shown, codes, only, limits }, now)
            }
            None => {
                let text = self.typed.replace('-', "");
                let hashes = [SALT, OLD_SALT].map(|salt| (salt.clone(), hash(text.as_bytes(), &salt)));
                let (input, hashes, terms) = (&input, hashes.as_slice(), self.terms);
                decide(record, &Attempt { account, shown, input, hashes, only, limits, terms }, now)
            }
        };
        (admission, verdict, kept)
    }
}

fn any_terms(u: &mut Unstructured<'_>) -> Result<Terms> {
    let digits = u.arbitrary::<Option<u8>>()?.and_then(|digits| Digits::new(digits).ok());
    Ok(Terms { digits, window: u.arbitrary()?, behind_password: u.arbitrary()? })
}

/// A credential's number, and a factor near the one that it is at, or any.
fn any_code(u: &mut Unstructured<'_>, record: &Record, now: UnixTime) -> Result<(u8, u64)> {
    let index = u.choose_index(record.credentials.len())?;
    let present = match record.credentials[index].factor {
        Factor::Hotp { next } => next,
        Factor::Totp { period, skew, .. } => period.step(now).saturating_add_signed(skew.into()),
    };
    let factor = match u.ratio(1, 8)? {
        true => u.arbitrary()?,
        false => present.saturating_add_signed(u.int_in_range(-24..=24)?),
    };
    Ok((u8::try_from(index + 1).expect("three credentials"), factor))
}

/// What must not change, or only in one direction.
struct Before {
    credentials: Vec<(CredentialId, Option<u64>, State)>,
    used: Vec<bool>,
    doors: Vec<Door>,
}

impl Before {
    fn of(record: &Record) -> Self {
        let credentials = record.credentials.iter().map(|c| (c.id.clone(), spent(c), c.state)).collect();
        Self { credentials, used: used(record), doors: record.doors.clone() }
    }

    fn check(&self, try_: &Try, verdict: &Verdict, kept: &Record, limits: Limits) {
        let moved: Vec<&Credential> = self.moved(kept);
        let scratch = used(kept).iter().zip(&self.used).filter(|(now, before)| now != before).count();
        assert!(used(kept).iter().zip(&self.used).all(|(now, before)| now >= before), "a scratch code came back");
        match verdict {
            Verdict::Accept(Accepted::Code { credential, .. }) => {
                assert!(matches!(moved.as_slice(), [one] if one.id == *credential), "{try_:?} spent nothing");
                assert!(try_.only.as_ref().is_none_or(|only| only == credential));
                assert_eq!(scratch, 0);
                self.check_code(try_, moved[0]);
            }
            Verdict::Accept(Accepted::Scratch { left }) => {
                assert_eq!((moved.len(), scratch, *left), (0, 1, kept.scratch_left()));
                assert!(try_.only.is_none() && try_.second.is_none());
            }
            Verdict::Refuse(refusal) => {
                assert_eq!((moved.len(), scratch), (0, 0), "{try_:?} was refused and spent something");
                self.check_doors(try_, *refusal, kept, limits);
            }
        }
    }

    /// The credentials that were used; the number of none goes back.
    fn moved<'a>(&self, kept: &'a Record) -> Vec<&'a Credential> {
        let pairs = self.credentials.iter().zip(&kept.credentials);
        let moved = pairs.filter(|((id, before, state), now)| {
            assert!(*id == now.id && *before <= spent(now) && *state == now.state, "a step or counter went back");
            *before != spent(now)
        });
        moved.map(|(_, now)| now).collect()
    }

    /// The code is the one of the last factor that is spent now.
    fn check_code(&self, try_: &Try, credential: &Credential) {
        let number = self.credentials.iter().position(|(id, ..)| *id == credential.id).expect("it is there");
        assert_eq!(credential.state, State::Active);
        let last = match credential.factor {
            Factor::Hotp { next } => next - 1,
            Factor::Totp { last_step, .. } => last_step.expect("just accepted"),
        };
        let typed = try_.second.as_ref().unwrap_or(&try_.typed);
        let Input::Digits(typed) = Input::parse(typed.as_bytes()) else { panic!("no code, and accepted") };
        assert_eq!(*typed, code_of(u8::try_from(number + 1).expect("three credentials"), last));
    }

    /// Only a wrong code is counted, and only once.
    fn check_doors(&self, try_: &Try, refusal: Refusal, kept: &Record, limits: Limits) {
        let sum = |doors: &[Door]| doors.iter().map(|door| door.failures).sum::<u32>();
        let (before, after) = (sum(&self.doors), sum(&kept.doors));
        // The end of a lock of half an hour forgets them all.
        let before = if limits == Limits::Pci && after < before { 0 } else { before };
        let scratch = matches!(Input::parse(try_.typed.as_bytes()), Input::Scratch(_));
        match refusal {
            // At a shut door a wrong scratch code counts for nothing.
            Refusal::Wrong if scratch => assert!(after == before || after == before + 1),
            Refusal::Wrong => assert_eq!(after, before + 1, "{try_:?} was not counted"),
            _ => assert_eq!(after, before, "{try_:?} was refused as {refusal:?}, and counted"),
        }
    }
}

fn spent(credential: &Credential) -> Option<u64> {
    match credential.factor {
        Factor::Hotp { next } => Some(next),
        Factor::Totp { last_step, .. } => last_step,
    }
}

fn used(record: &Record) -> Vec<bool> {
    record.scratch.iter().flat_map(|set| &set.codes).map(|code| code.used.is_some()).collect()
}
