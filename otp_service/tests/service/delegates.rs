//! A system account asks for others.

use otp_service::delegate::{Delegate, Setting};
use otp_wire::message::{CredentialName, OwnerName, Reason, Resync, Selection};
use otp_wire::{Ask, Login, Outcome, SecretText};

use otp_service::access::{Peer, Role};

use crate::world::*;

/// A web server's uid on Debian.
const WEB: Peer = Peer { uid: 33, role: Role::Account };
const SERVICE: &str = "nginx";

/// The web server asks for members of `daemon`, where [`ACCOUNT`] is.
fn world() -> World {
    let (user, service, group) = ("www-data".to_owned(), SERVICE.to_owned(), ACCOUNT.to_owned());
    World::with_delegates(vec![Delegate::find(&Setting { user, service, group }).unwrap()])
}

/// A login at the web server's.
fn web(account: &str) -> Login {
    Login { service: SERVICE.to_owned(), ..login(account, &[]) }
}

fn reason(outcome: &Outcome) -> Option<Reason> {
    if let Outcome::Refused { reason, .. } = outcome { Some(*reason) } else { None }
}

#[test]
fn a_delegate_asks_for_members_under_its_service_name() {
    let world = world();
    let device = world.enrol(ACCOUNT, ACCOUNT, None);
    assert!(matches!(world.ask(WEB, Ask::Begin(web(ACCOUNT))), Outcome::Ask { label: None, line: None }));
    let wrong = world.verify(WEB, web(ACCOUNT), "000000");
    let Outcome::Refused { line, .. } = &wrong else { panic!("{wrong:?}") };
    assert_eq!(line, "", "who comes by the web has proven nothing");
    assert!(is_accepted(&world.verify(WEB, web(ACCOUNT), &code(&device, 0))));
    assert_eq!(reason(&world.verify(WEB, web(ACCOUNT), &code(&device, 0))), Some(Reason::Replayed));
    // What is accepted there is spent everywhere.
    assert_eq!(reason(&world.verify(ROOT, login(ACCOUNT, &[]), &code(&device, 0))), Some(Reason::Replayed));
}

#[test]
fn it_asks_nothing_else() {
    let world = world();
    let device = world.enrol(ACCOUNT, ACCOUNT, None);
    let account = ACCOUNT.to_owned();
    let codes = [code(&device, 3), code(&device, 4)].map(|code| SecretText::typed(code.as_bytes()));
    for ask in [
        Ask::List(Selection { account: Some(account.clone()), ..Selection::default() }),
        Ask::Resync(Resync { login: web(ACCOUNT), codes, credential: None }),
        Ask::ScratchNew(OwnerName { account: account.clone(), owner: None }),
        Ask::Revoke(CredentialName { account: Some(account), credential: device.credential.clone() }),
        Ask::Begin(login(ACCOUNT, &[])),
        verify(login(ACCOUNT, &[]), &code(&device, 0)),
        // Keys and connections are sshd's to name.
        Ask::Begin(Login { keys: vec![key(1).to_string()], ..web(ACCOUNT) }),
        verify(Login { connection: Some("1 2 3".to_owned()), ..web(ACCOUNT) }, &code(&device, 0)),
    ] {
        let verb = ask.verb();
        let outcome = world.ask(WEB, ask);
        assert!(is_turned_away(&outcome), "{verb}: {outcome:?}");
    }
    // Nobody else is a delegate by the name of its service.
    let stranger = Peer { uid: 2, role: Role::Account };
    assert!(is_turned_away(&world.verify(stranger, web(ACCOUNT), &code(&device, 0))));
    assert!(is_accepted(&world.verify(WEB, web(ACCOUNT), &code(&device, 0))), "nothing of that spent it");
}

#[test]
fn who_is_no_member_is_as_unknown_as_nobody() {
    let world = world();
    for account in ["root", "bin", "www-data"] {
        let device = world.enrol(account, account, None);
        refused(&world, account, &code(&device, 0));
        assert!(is_accepted(&world.verify(ROOT, web(account), &code(&device, 0))), "{account}: it wasn't spent");
    }
    for account in ["no-such-account", "../daemon", ""] {
        refused(&world, account, "123456");
    }
}

fn refused(world: &World, account: &str, code: &str) {
    for outcome in [world.ask(WEB, Ask::Begin(web(account))), world.verify(WEB, web(account), code)] {
        assert_eq!(reason(&outcome), Some(Reason::NotEnrolled), "{account}");
    }
}

/// A member without a credential is left to `nullok`; nobody else is.
#[test]
fn only_a_member_can_be_absent() {
    let world = world();
    assert!(matches!(world.ask(WEB, Ask::Begin(web(ACCOUNT))), Outcome::Absent { .. }));
    assert_eq!(reason(&world.ask(WEB, Ask::Begin(web("bin")))), Some(Reason::NotEnrolled));
}

#[test]
fn guesses_by_the_web_shut_the_webs_door_alone() {
    let world = world();
    let device = world.enrol(ACCOUNT, ACCOUNT, None);
    for _ in 0..3 {
        let _ = world.verify(WEB, web(ACCOUNT), "000000");
    }
    assert_eq!(reason(&world.verify(WEB, web(ACCOUNT), &code(&device, 0))), Some(Reason::Throttled));
    assert!(is_accepted(&world.verify(OWN, web(ACCOUNT), &code(&device, 0))), "the account's own uid");
    assert!(is_accepted(&world.verify(ROOT, login(ACCOUNT, &[]), &code(&device, 1))), "root's front ends");
}
