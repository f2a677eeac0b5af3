//! What holds for every answer and every token.

mod common;

use common::{Fake, NOW, PIN, at, enrolled, hotp, moment, shown, totp};
use luks_unlock::token::MAX_TOKEN;
use luks_unlock::{Token, unlock};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Each code opens at most once, and no older one after it.
    #[test]
    fn a_step_is_accepted_once(steps in prop::collection::vec((0_u64..6, 0_u64..6), 1..12)) {
        let disk = Fake::of(&enrolled(totp(), NOW / 30));
        let mut last = NOW / 30 - 1;
        for (device, machine) in steps {
            let (device, machine) = (NOW + device * 30, NOW + machine * 30);
            // The limit on wrong answers is another test's.
            let mut token = disk.now();
            token.failures = Default::default();
            *disk.json.borrow_mut() = token.to_json().unwrap();
            let fresh = device / 30 > last && device.abs_diff(machine) <= 30;
            prop_assert_eq!(disk.opens(&at(device), machine), fresh);
            last = if fresh { device / 30 } else { last };
        }
    }

    /// A counter never goes back.
    #[test]
    fn a_counter_is_accepted_once(counters in prop::collection::vec(0_u64..30, 1..12)) {
        let disk = Fake::of(&enrolled(hotp(), 3));
        let mut next = 3;
        for counter in counters {
            let mut token = disk.now();
            token.failures = Default::default();
            *disk.json.borrow_mut() = token.to_json().unwrap();
            let fresh = (next..=next + 10).contains(&counter);
            prop_assert_eq!(disk.opens(&shown(counter), NOW), fresh);
            next = if fresh { counter + 1 } else { next };
            prop_assert_eq!(disk.now().state.next, next);
        }
    }

    /// No answer but the right one opens, and none panics.
    #[test]
    fn other_answers_do_not_open(answer in prop::collection::vec(any::<u8>(), 0..600)) {
        let disk = Fake::of(&enrolled(totp(), NOW / 30));
        prop_assert!(unlock(&disk, &answer, &moment(NOW)).is_err());
    }

    /// One byte more, less or other is not the answer.
    #[test]
    fn nearly_right_does_not_open(place in 0_usize..PIN.len() + 6, byte in any::<u8>()) {
        let disk = Fake::of(&enrolled(totp(), NOW / 30));
        let mut answer = format!("{PIN}{}", &*at(NOW)).into_bytes();
        prop_assume!(answer[place] != byte);
        answer[place] = byte;
        prop_assert!(unlock(&disk, &answer, &moment(NOW)).is_err());
    }

    /// A token that was changed anywhere opens nothing, unless in its failures or keyslots.
    #[test]
    fn a_changed_token_does_not_open(place in 0_usize..1000, byte in b' '..b'~') {
        let token = enrolled(totp(), NOW / 30);
        let mut json = token.to_json().unwrap().into_bytes();
        let place = place % json.len();
        prop_assume!(json[place] != byte);
        json[place] = byte;
        let changed = String::from_utf8(json).unwrap();
        let same = Token::parse(&changed).is_ok_and(|mut read| {
            (read.failures, read.keyslots) = (token.failures.clone(), token.keyslots.clone());
            read == token
        });
        prop_assert!(same || !Fake::text(changed).opens(&at(NOW), NOW));
    }

    /// Parsing is total, and what was read is written as it was.
    #[test]
    fn any_text_is_read_or_refused(text in ".{0,200}") {
        if let Ok(token) = Token::parse(&text) {
            let json = token.to_json().unwrap();
            prop_assert!(json.len() <= MAX_TOKEN);
            prop_assert_eq!(Token::parse(&json).unwrap(), token);
        }
    }
}
