//! A screen locker's way: a program without rights asks for its own user.

use oathgate_tests::process::{Finished, run};

use crate::system::{HOST, PASSWORD, System, of};

/// Authenticates `user` in a program of ann's.
fn unlock(user: &str, answers: &[&str]) -> Finished {
    let lines: String = answers.iter().map(|answer| format!("{answer}\n")).collect();
    run(&mut of("ann", &[HOST, "/etc/pam.d", "lock", user, "--all"]), lines.as_bytes())
}

#[test]
fn a_person_unlocks_with_a_code_of_their_own() {
    let Some(system) = System::enter("lock::a_person_unlocks_with_a_code_of_their_own") else { return };
    system.stack("lock", "auth required MODULE");
    let (ann, bob) = (system.enrol("ann"), system.enrol("bob"));
    let open = "Hidden \"Verification code: \"\nresult PAM_SUCCESS\nsetcred PAM_SUCCESS\naccount PAM_SUCCESS\n";
    assert_eq!(unlock("ann", &[&ann.code(0)]).text(), open);
    // The own uid is told why.
    let again = unlock("ann", &[&ann.code(0)]).text();
    assert!(again.contains("already used") && again.contains("result PAM_AUTH_ERR"), "{again}");
    // Nobody else's account can be asked for, with whatever code.
    let foreign = unlock("bob", &[&bob.code(0)]).text();
    assert!(foreign.starts_with("result PAM_AUTHINFO_UNAVAIL\n"), "{foreign}");
    assert!(system.decided().iter().all(|(account, _, _, peer)| account == "ann" && *peer == 60001));

    // Beside the password, which a program without rights can check for its own user.
    system.stack("lock", "auth required pam_unix.so nodelay\nauth required MODULE");
    assert!(unlock("ann", &[PASSWORD, &ann.code(1)]).text().contains("result PAM_SUCCESS"));
    assert!(unlock("ann", &["wrong horse", &ann.code(2)]).text().contains("result PAM_AUTH_ERR"));
}

#[test]
fn without_a_verifier_the_screen_stays_locked() {
    let Some(mut system) = System::enter("lock::without_a_verifier_the_screen_stays_locked") else { return };
    system.stack("lock", "auth required MODULE nullok");
    let ann = system.enrol("ann");
    system.service.stop();
    assert!(unlock("ann", &[&ann.code(0)]).text().starts_with("result PAM_AUTHINFO_UNAVAIL\n"));
    system.service.resume();
    assert!(unlock("ann", &[&ann.code(0)]).text().contains("result PAM_SUCCESS"));
}
