//! `export`: enrolled credentials with their secrets, in the forms of `convert`.

use otp_core::Secret;
use otp_import::entry::{Entry, Kind};
use otp_import::{Hash, Login, Parsed};
use otp_wire::Ask;
use otp_wire::message::{Export as ExportAsk, Exported, ImportedFactor, Outcome};
use otp_wire::syslog::escape;

use super::arguments::{Export, Target};
use super::select::Numbered;
use super::show::remark;
use crate::client::{Client, unexpected};
use crate::error::Failure;
use crate::output::Output;

/// Exports what was named, after a yes.
///
/// # Errors
/// When nobody says yes, the verifier refuses, or not all of it can stand in the form.
pub fn run(client: &Client, arguments: &Export, out: &mut Output) -> Result<(), Failure> {
    agreed(client, arguments)?;
    let exported = ask(client, arguments)?;
    let mut parsed = Parsed::default();
    parsed.format = "oathgate".to_owned();
    for credential in &exported {
        parsed.entries.push(entry(credential)?);
    }
    let entries: Vec<Numbered> = (1..).zip(&parsed.entries).collect();
    let written = super::write(&arguments.form, arguments.to, &parsed, &entries, out);
    for (credential, entry) in exported.iter().zip(&parsed.entries) {
        losses(credential, arguments.to)
            .iter()
            .for_each(|loss| remark("warning", &format!("{}: {loss}", entry.title())));
    }
    written
}

fn agreed(client: &Client, arguments: &Export) -> Result<(), Failure> {
    if arguments.yes {
        return Ok(());
    }
    let names = escape(&arguments.credentials.join(", "));
    let question =
        format!("This shows the secrets of {names}: whoever sees them can make the codes.\nGo on? (yes/no) ");
    match client.question(&question).as_deref() {
        Some("yes" | "y") => Ok(()),
        Some(_) => Err(Failure::no("cancelled; nothing was exported")),
        None => Err(Failure::usage("nobody said yes to showing secrets; nothing was exported")
            .hint("run it in a terminal, or add --yes")),
    }
}

/// One request for all of them, so that one code is enough; root needs none,
/// and may name credentials of several persons.
fn ask(client: &Client, arguments: &Export) -> Result<Vec<Exported>, Failure> {
    let account = client.scope(arguments.account.as_ref())?;
    let at_once = if client.root { 1 } else { arguments.credentials.len().max(1) };
    let mut all: Vec<Exported> = Vec::new();
    for names in arguments.credentials.chunks(at_once) {
        let ask = ExportAsk { account: account.clone(), credentials: names.to_vec() };
        match client.answer(Ask::Export(ask))? {
            Outcome::Exported(exported) => all.extend(exported),
            other => return Err(unexpected(&other)),
        }
    }
    Ok(all)
}

fn entry(exported: &Exported) -> Result<Entry, Failure> {
    let broken = || Failure::undecided("the verifier's answer makes no sense");
    let algorithm: otp_core::Algorithm = exported.algorithm.parse().map_err(|_| broken())?;
    let (kind, login) = match exported.factor {
        ImportedFactor::Hotp { next } => (Kind::Hotp { stored: next, next }, plain(exported)),
        ImportedFactor::Totp { period, last_step, skew, window } => {
            let used = last_step.map_or_else(Vec::new, |last| used(last, window));
            let login =
                Login { window: Some(window.saturating_mul(2).saturating_add(1)), skew, used, ..plain(exported) };
            (Kind::Totp { period: period.into() }, login)
        }
    };
    let user = exported.entries.first().map(|entry| entry.account.clone());
    // What was imported keeps the names that it came with.
    let (issuer, name) = match exported.display.as_deref() {
        None => (exported.issuer.as_str(), exported.label.as_str()),
        Some(display) => display.split_once(':').unwrap_or(("", display)),
    };
    let secret = Secret::from_base32(exported.secret.expose()).map_err(|_| broken())?;
    Ok(Entry {
        issuer: issuer.to_owned(),
        name: name.to_owned(),
        algorithm: Hash::from(algorithm),
        digits: exported.digits,
        login: Some(Box::new(Login { user, ..login })),
        ..Entry::new(kind, secret)
    })
}

/// As strict as it is here.
fn plain(exported: &Exported) -> Login {
    let (failures, seconds) = exported.rate;
    Login { rate: Some((failures.into(), seconds)), refuses_reuse: true, ..Login::default() }
}

/// Here a step counts only after the last one, elsewhere each used step is
/// named: all that can still lie in the other's window.
fn used(last: u64, window: u8) -> Vec<u64> {
    (last.saturating_sub(2 * u64::from(window))..=last).collect()
}

/// What a verifier that reads the form would do otherwise than this one.
fn losses(exported: &Exported, to: Target) -> Vec<String> {
    if !matches!(to, Target::Libpam | Target::UsersOath) {
        return vec![];
    }
    let mut losses = Vec::new();
    let mut accounts: Vec<&str> = exported.entries.iter().map(|entry| entry.account.as_str()).collect();
    accounts.dedup();
    match accounts.as_slice() {
        [] => losses.push("it counts for nobody here; there it will".to_owned()),
        [_] => {}
        [first, ..] => losses.push(format!("it counts for {} here, there for {first} alone", accounts.join(", "))),
    }
    if !exported.entries.is_empty() && exported.entries.iter().all(|entry| entry.key.is_some()) {
        losses.push("it counts with an SSH key here, there with any login".to_owned());
    }
    if exported.scratch_left > 0 {
        losses.push("scratch codes stay here: only their hashes are known".to_owned());
    }
    if exported.barred {
        losses.push("codes of the future were used while the clock was wrong; there they count again".to_owned());
    }
    losses
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use otp_wire::SecretText;

    use super::*;
    use crate::cli::{Cli, Verb};
    use crate::error::Exit;
    use crate::output::Style;
    use crate::testing::{KEY, Script, Typist, owner};

    fn arguments(words: &[&str]) -> Export {
        match Cli::parse_from([&["oathgate", "export"], words].concat()).verb {
            Verb::Export(arguments) => arguments,
            other => panic!("{other:?}"),
        }
    }

    fn exported() -> Exported {
        Exported {
            owner: "alice".to_owned(),
            credential: "aaaaaaaa".to_owned(),
            label: "laptop".to_owned(),
            display: None,
            issuer: "host".to_owned(),
            secret: SecretText::new("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").unwrap(),
            algorithm: "SHA1".to_owned(),
            digits: 6,
            factor: ImportedFactor::Totp { period: 30, last_step: Some(1000), skew: -2, window: 1 },
            barred: true,
            entries: owner().entries.into_iter().filter(|entry| entry.key.as_deref() == Some(KEY)).collect(),
            scratch_left: 8,
            rate: (3, 30),
        }
    }

    #[test]
    fn only_a_yes_is_a_yes() {
        for (typed, exit) in
            [(Some("no"), Exit::No), (Some(""), Exit::No), (Some("^C"), Exit::Usage), (None, Exit::Usage)]
        {
            let (script, typist) = (Script::of([]), Typist::of(typed.as_slice()));
            let mut text = Vec::new();
            let out = &mut Output::to(&mut text, Style::default());
            let failure = run(&Client::of(&script, &typist), &arguments(&["laptop", "--to", "uri"]), out).unwrap_err();
            assert_eq!((failure.exit, script.asked().len()), (exit, 0), "{typed:?}");
        }
    }

    #[test]
    fn one_request_names_all_of_them() {
        let (script, typist) = (Script::of([Outcome::Exported(vec![exported()])]), Typist::of(&["yes"]));
        let client = Client::of(&script, &typist);
        assert_eq!(ask(&client, &arguments(&["laptop", "phone", "--to", "uri"])).unwrap().len(), 1);
        let expected = serde_json::json!({"account": "alice", "credentials": ["laptop", "phone"]});
        assert_eq!(script.asked()[0]["ask"]["export"], expected);
    }

    #[test]
    fn a_state_file_refuses_what_was_used_here() {
        let entry = entry(&exported()).unwrap();
        let written = otp_import::write::libpam(&[&entry]);
        let state = written.texts[0].as_str();
        assert!(state.contains("DISALLOW_REUSE 998 999 1000\n"), "all that its window may still reach: {state}");
        assert!(state.contains("WINDOW_SIZE 3\n") && state.contains("TIME_SKEW -2\n"), "{state}");
        assert_eq!((entry.issuer.as_str(), entry.name.as_str()), ("host", "laptop"));
    }

    #[test]
    fn losses_are_for_verifiers_only() {
        assert_eq!(losses(&exported(), Target::Libpam).len(), 3);
        assert!(losses(&exported(), Target::Qr).is_empty());
        let imported = Exported { display: Some("Firm:ann".to_owned()), ..exported() };
        assert_eq!(entry(&imported).unwrap().title(), "Firm:ann");
    }
}
