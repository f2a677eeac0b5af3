//! The header gate, from answer to key, without any header.

mod common;

use common::{Fake, NOW, PIN, SECRET, at, enrolled, hotp, moment, shown, totp};
use luks_unlock::code::{FAR_STEPS, no_earlier};
use luks_unlock::failures::{ASIDE_SECONDS, MAX_FAILURES};
use luks_unlock::token::State;
use luks_unlock::{Moment, Refusal, StoreToken, Token, ready, unlock};

#[test]
fn the_pin_and_then_the_code() {
    let disk = Fake::of(&enrolled(totp(), NOW / 30));
    assert!(disk.opens(&at(NOW), NOW));
    assert_eq!(disk.writes.get(), 1, "used up before the key is given away");
    assert!(!disk.opens(&at(NOW), NOW), "once");
    assert!(disk.last().contains("already used; the next one comes in 30 s"), "{}", disk.last());
    assert!(disk.opens(&at(NOW + 30), NOW + 30));
    assert!(disk.last().contains("since the last unlock: 1"), "{}", disk.last());
    assert!(!disk.opens(&at(NOW), NOW + 30), "an older one");
}

#[test]
fn a_code_counts_for_three_steps() {
    for (off, right) in [(-60_i64, false), (-30, true), (0, true), (30, true), (60, false)] {
        let disk = Fake::of(&enrolled(totp(), 0));
        assert_eq!(disk.opens(&at(NOW.saturating_add_signed(off)), NOW), right, "{off} s");
    }
}

#[test]
fn a_counter_only_goes_on() {
    let disk = Fake::of(&enrolled(hotp(), 5));
    assert!(!disk.opens(&shown(4), NOW));
    assert!(disk.opens(&shown(7), NOW));
    assert!(!disk.opens(&shown(6), NOW) && !disk.opens(&shown(7), NOW));
    assert!(!disk.opens(&shown(19), NOW), "further than the look-ahead");
    assert!(disk.opens(&format!("{}{}", &*shown(60), &*shown(61)), NOW), "two in a row");
    assert!(disk.said.borrow().iter().any(|line| line.contains("Resynchronised")));
    assert!(!disk.opens(&shown(61), NOW));
    assert!(disk.opens(&shown(62), NOW));
}

#[test]
fn wrong_answers_are_counted_and_then_nothing_is_judged() {
    let wrong: [&[u8]; 5] = [b"wrong pin123456", b"", b"correct horse", b"correct horse12345", b"correct horse000000"];
    let disk = Fake::of(&enrolled(totp(), NOW / 30));
    for (count, answer) in (1..).zip(wrong) {
        let expected = if count < MAX_FAILURES { Refusal::Again } else { Refusal::Aside };
        assert_eq!(unlock(&disk, answer, &moment(NOW)).unwrap_err(), expected);
        assert_eq!(disk.now().failures.recent, count);
    }
    let texts = disk.said.borrow().clone();
    assert!(texts.iter().all(|text| text == &texts[0]), "all alike: {texts:?}");
    let before = disk.json.borrow().clone();
    assert_eq!(disk.answer(&at(NOW), NOW).unwrap_err(), Refusal::Aside, "not even a right one");
    assert_eq!(ready(&disk, &moment(NOW)), Err(Refusal::Aside));
    assert_eq!(*disk.json.borrow(), before, "nothing more is written");
    let restarted = Moment { now: NOW, floor: 0, boot: "two".to_owned() };
    assert_eq!(ready(&disk, &restarted), Ok(()));
    let later = NOW + ASIDE_SECONDS;
    assert!(disk.opens(&at(later), later));
    assert_eq!(disk.now().failures.recent, 0);
    assert!(disk.last().contains("since the last unlock: 5"));
}

#[test]
fn a_header_that_can_not_be_written_gives_no_key() {
    let disk = Fake::of(&enrolled(totp(), NOW / 30));
    disk.writable.set(false);
    for codes in [&*at(NOW), "000000"] {
        assert_eq!(disk.answer(codes, NOW).unwrap_err(), Refusal::Aside);
        assert!(disk.last().contains("can't be written"));
    }
    disk.writable.set(true);
    assert!(disk.opens(&at(NOW), NOW), "it was not used up");
}

#[test]
fn a_clock_that_is_behind_asks_for_two_codes() {
    let wrong = 0;
    let disk = Fake::of(&enrolled(totp(), NOW / 30));
    assert_eq!(ready(&disk, &moment(wrong)), Ok(()));
    assert!(disk.last().contains("clock is behind"), "{}", disk.last());
    let truth = NOW + 100 * 86_400;
    assert!(!disk.opens(&at(truth), wrong));
    assert!(disk.last().contains("two codes in a row"));
    let two = format!("{}{}", &*at(truth), &*at(truth + 30));
    assert!(disk.opens(&two, wrong));
    let days = truth / 86_400;
    assert!(disk.said.borrow().iter().any(|line| line.contains(&format!("clock is wrong by {days} days"))));
    assert!(!disk.opens(&format!("{}{}", &*at(truth + 30), &*at(truth + 60)), wrong), "one of them is used");
    let later = truth + 60;
    assert!(disk.opens(&at(later), later), "the clock was set right");
}

#[test]
fn nothing_of_before_the_making_of_an_initramfs_counts() {
    let (wrong, floor) = (NOW + 86_400, NOW + 400 * 86_400);
    let tried = |codes: &str, now: u64| {
        let disk = Fake::of(&enrolled(totp(), NOW / 30));
        let moment = Moment { floor, ..moment(now) };
        assert_eq!(ready(&disk, &moment), Ok(()));
        let warned = disk.last().contains("clock is behind");
        (warned, unlock(&disk, format!("{PIN}{codes}").as_bytes(), &moment).is_ok())
    };
    let two = |time: u64| format!("{}{}", &*at(time), &*at(time + 30));
    assert_eq!(tried(&at(wrong), wrong), (true, false), "a code of the clock's");
    assert_eq!(tried(&two(wrong), wrong), (true, false), "two of them");
    assert_eq!(tried(&at(floor), wrong), (true, false), "a code of now");
    assert_eq!(tried(&two(floor), wrong), (true, true), "two of them");
    assert_eq!(tried(&at(floor), floor), (false, true), "the clock is right");
    assert_eq!(tried(&at(floor - 30), floor), (false, false), "shown before");
    let steps = |code, skew| no_earlier(&code, State { next: 7, skew }, 3000).next;
    assert_eq!([steps(totp(), 0), steps(totp(), -3), steps(hotp(), 0)], [100, 97, 7], "by the device's time");
}

#[test]
fn a_clock_that_is_hours_ahead_asks_for_two_codes() {
    let disk = Fake::of(&enrolled(totp(), NOW / 30));
    let ahead = NOW + 7 * 3600;
    assert!(!disk.opens(&at(NOW + 60), ahead));
    assert!(disk.opens(&format!("{}{}", &*at(NOW + 60), &*at(NOW + 90)), ahead));
    assert!(disk.opens(&at(NOW + 120), NOW + 120), "nothing was learned from it");
}

#[test]
fn a_device_that_is_off_is_followed() {
    let disk = Fake::of(&enrolled(totp(), NOW / 30));
    let device = |time: u64| at(time + 240);
    assert!(!disk.opens(&device(NOW), NOW));
    assert!(disk.opens(&format!("{}{}", &*device(NOW), &*device(NOW + 30)), NOW + 30));
    assert!(disk.said.borrow().iter().any(|line| line.contains("off by 8 codes")), "{:?}", disk.said.borrow());
    assert!(disk.opens(&device(NOW + 300), NOW + 300));
}

#[test]
fn two_codes_are_not_looked_for_without_end() {
    let (disk, from) = (Fake::of(&enrolled(totp(), NOW / 30)), NOW / 30);
    let pair = |step: u64| format!("{}{}", &*shown(step), &*shown(step + 1));
    assert!(!disk.opens(&pair(from + FAR_STEPS), 0));
    assert!(disk.opens(&pair(from + FAR_STEPS - 1), 0));
}

#[test]
fn a_changed_state_gives_no_key() {
    let disk = Fake::of(&enrolled(totp(), NOW / 30));
    assert!(disk.opens(&at(NOW), NOW));
    let json = disk.json.borrow().clone();
    let next = format!("\"next\":{}", NOW / 30 + 1);
    assert!(json.contains(&next), "{json}");
    for changed in [
        json.replace(&next, &format!("\"next\":{}", NOW / 30)),
        json.replace("\"skew\":0", "\"skew\":1"),
        json.replace("\"period\":30", "\"period\":60"),
        json.replace("\"SHA1\"", "\"SHA256\""),
    ] {
        assert_ne!(changed, json);
        let disk = Fake::text(changed);
        assert_eq!(disk.answer(&at(NOW), NOW).unwrap_err(), Refusal::Aside);
        assert!(disk.last().contains("somebody changed the header"), "{}", disk.last());
    }
    // The keyslots are libcryptsetup's to change, the failures have no mark.
    let slots = Fake::text(json.replace("\"keyslots\":[]", "\"keyslots\":[\"7\"]"));
    assert!(slots.opens(&at(NOW + 30), NOW + 30));
}

#[test]
fn a_token_of_the_store_has_nobody_to_ask_here() {
    let disk = Fake::text(StoreToken::new(1).to_json());
    assert_eq!(disk.answer(&at(NOW), NOW).unwrap_err(), Refusal::Aside);
    assert!(disk.last().contains("there is no verifier"), "{}", disk.last());
    assert_eq!(disk.writes.get(), 0, "nothing is written");
    let json = StoreToken::new(31).to_json();
    assert_eq!(StoreToken::parse(&json).unwrap().to_json(), json);
    for (from, to) in [("31", "32"), ("31", "x"), ("\"boot\":\"\"", "\"boot\":\"a b\""), ("store", "moon")] {
        assert!(StoreToken::parse(&json.replace(from, to)).is_err(), "{from} {to}");
    }
}

#[test]
fn tokens_that_are_not_usable_say_why() {
    let json = enrolled(totp(), NOW / 30).to_json().unwrap();
    let sealed = json.split("\"sealed\":\"").nth(1).unwrap().split('"').next().unwrap();
    let cases = [
        (json.replace("\"version\":1", "\"version\":2"), "newer oathgate"),
        (json.replace("\"version\":1", "\"version\":2,\"more\":{}"), "newer oathgate"),
        (json.replace("\"version\":1", "\"version\":0"), "damaged"),
        (json.replace("\"header\"", "\"store\""), "damaged"),
        (json.replace("\"header\"", "\"moon\""), "damaged"),
        (json.replace("\"type\":\"oathgate\"", "\"type\":\"systemd-tpm2\""), "not oathgate's"),
        (r#"{"type":"luks2-keyring","keyslots":["0"],"key_description":"x"}"#.to_owned(), "not oathgate's"),
        (json.replace("\"version\":1", "\"version\":1,\"debug\":true"), "damaged"),
        (json.replace("\"digits\":6", "\"digits\":9"), "6, 7 or 8 digits"),
        (json.replace("\"period\":30", "\"period\":0"), "period"),
        (json.replace(",\"period\":30", ""), "period"),
        (json.replace("\"memory\":8", "\"memory\":4294967295"), "Argon2id"),
        (json.replace("\"passes\":1", "\"passes\":0"), "Argon2id"),
        (json.replace("\"keyslots\":[]", "\"keyslots\":[\"32\"]"), "keyslots"),
        (json.replace(sealed, "!"), "damaged"),
        (json.replace(sealed, &"A".repeat(3000)), "damaged"),
        (json.replace(sealed, &"A".repeat(5000)), "more than 4096 bytes"),
        (json[..json.len() / 2].to_owned(), "damaged"),
        ("[\"oathgate\",[\"1\"],1,\"header\"]".to_owned(), "not a JSON object"),
        ("[".repeat(4000), "damaged"),
        (String::new(), "damaged"),
    ];
    for (json, why) in cases {
        let disk = Fake::text(json.clone());
        assert_eq!(disk.answer(&at(NOW), NOW).unwrap_err(), Refusal::Aside, "{json}");
        assert!(disk.last().contains(why), "{json}: {}", disk.last());
        assert_eq!(disk.said.borrow().len(), 1, "one line");
        assert_eq!(disk.writes.get(), 0, "nothing is written");
    }
    // Short or damaged, what is sealed opens with no PIN.
    for broken in [json.replace(sealed, ""), json.replace(sealed, "AAAA"), json.replace(&sealed[..4], "AAAA")] {
        assert_eq!(Fake::text(broken).answer(&at(NOW), NOW).unwrap_err(), Refusal::Again);
    }
}

#[test]
fn a_token_holds_and_shows_no_secret() {
    let token = enrolled(totp(), NOW / 30);
    let json = token.to_json().unwrap();
    assert!(json.len() < 800, "{} bytes", json.len());
    assert_eq!(Token::parse(&json).unwrap(), token);
    let disk = Fake::of(&token);
    let code = at(NOW);
    let opened = disk.answer(&code, NOW).unwrap();
    let shown = format!("{opened:?} {token:?} {json} {:?}", disk.said.borrow());
    let secrets = [PIN, std::str::from_utf8(SECRET).unwrap(), "the key of a keyslot", "GEZDGNBVGY", "[49, 50, 51"];
    for secret in secrets {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}
