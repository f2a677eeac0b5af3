//! What is understood, and what is refused.

use std::ffi::CString;

use super::*;

fn parse(args: &[&str]) -> Result<Options, OptionError> {
    let args: Vec<CString> = args.iter().map(|arg| CString::new(*arg).unwrap()).collect();
    let args: Vec<&CStr> = args.iter().map(CString::as_c_str).collect();
    Options::parse(&args)
}

#[test]
fn every_option_is_read() {
    let default = Options::default();
    assert_eq!(parse(&[]), Ok(default.clone()));
    let with = |change: fn(&mut Options)| {
        let mut options = Options::default();
        change(&mut options);
        Ok(options)
    };
    assert_eq!(parse(&["nullok"]), with(|options| options.nullok = Nullok::On));
    assert_eq!(parse(&["nullok_until=1970-02-01"]), with(|options| options.nullok = Nullok::Until(31)));
    assert_eq!(parse(&["debug"]), with(|options| options.debug = true));
    assert_eq!(parse(&["nodelay"]), with(|options| options.nodelay = true));
    assert_eq!(parse(&["echo_verification_code"]), with(|options| options.echo = true));
    assert_eq!(parse(&["forward_pass"]), with(|options| options.forward_pass = true));
    assert_eq!(parse(&["try_first_pass"]), with(|options| options.first_pass = FirstPass::Try));
    assert_eq!(parse(&["use_first_pass"]), with(|options| options.first_pass = FirstPass::Use));
    assert_eq!(
        parse(&["authtok_prompt=Your = c\u{f6}de: "]),
        with(|options| options.prompt = Some("Your = c\u{f6}de: ".into()))
    );
    assert_eq!(parse(&["grace_period=86400"]), with(|options| options.terms.grace = Some(86_400)));
    assert_eq!(parse(&["digits=8"]), with(|options| options.terms.digits = Some(8)));
    assert_eq!(parse(&["window=20"]), with(|options| options.terms.window = Some(20)));
    for (word, require_publickey) in [("auto", Require::Auto), ("yes", Require::Yes), ("no", Require::No)] {
        let expected = Options { require_publickey, ..default.clone() };
        assert_eq!(parse(&[&format!("require_publickey={word}")]), Ok(expected));
    }
    for (word, via) in [
        ("verifier=socket", Via::Service),
        ("verifier=spawn", Via::Spawn),
        ("socket=/run/x y=z", Via::Socket("/run/x y=z".into())),
    ] {
        assert_eq!(parse(&[word]), Ok(Options { via, ..default.clone() }));
    }
}

#[test]
fn what_cannot_be_obeyed_is_an_error() {
    let long_path = format!("socket=/{}", "x".repeat(107));
    let long = "x".repeat(100_000);
    for (args, why) in [
        (&["windw=20"][..], "unknown"),
        (&[""], "unknown"),
        (&["=", "x"], "unknown"),
        (&["NULLOK"], "unknown"),
        (&["null_ok"], "unknown"),
        (&["debug "], "unknown"),
        (&["secret=/home/${USER}"], "oathgate enrol"),
        (&["usersfile=/etc/users.oath"], "oathgate enrol"),
        (&["allow_readonly"], "leave it out"),
        (&["no_increment_hotp"], "always so"),
        (&["alwaysok"], "lets everybody in"),
        (&["debug", "echo_verification_code=yes"], "no value"),
        (&["forward_pass="], "no value"),
        (&["use_first_pass=no"], "no value"),
        (&["forward_pass", "echo_verification_code"], "show the password"),
        (&["use_first_pass", "try_first_pass"], "not both"),
        (&["nullok", "nullok_until=2031-01-31"], "not both"),
        (&["nullok_until"], "2031-01-31"),
        (&["nullok_until="], "2031-01-31"),
        (&["nullok_until=31.1.2031"], "2031-01-31"),
        (&["nullok_until=2031-02-29"], "2031-01-31"),
        (&["nullok_until=tomorrow"], "2031-01-31"),
        (&["authtok_prompt"], "in brackets"),
        (&["authtok_prompt="], "in brackets"),
        (&["authtok_prompt=a\nb"], "in brackets"),
        (&["authtok_prompt=\u{1b}[8m"], "in brackets"),
        (&["[authtok_prompt=Your", "code:", "]"], "unknown"),
        (&["grace_period"], "seconds"),
        (&["grace_period=0"], "seconds"),
        (&["grace_period=86401"], "seconds"),
        (&["grace_period=1h"], "seconds"),
        (&["grace_period=-1"], "seconds"),
        (&["grace_period=99999999999999999999"], "seconds"),
        (&["digits=5"], "6, 7 or 8"),
        (&["digits=06 "], "6, 7 or 8"),
        (&["digits"], "6, 7 or 8"),
        (&["window="], "0 to 255"),
        (&["window=256"], "0 to 255"),
        (&["window=+1"], "0 to 255"),
        (&["nouserok"], "nullok"),
        (&["nullok", "nullok"], "twice"),
        (&["socket=/a", "socket=/b"], "twice"),
        (&["verifier=spawn", "verifier=spawn"], "twice"),
        (&["nullok=yes"], "no value"),
        (&["debug="], "no value"),
        (&["socket"], "PATH"),
        (&["socket="], "absolute"),
        (&["socket=run/x"], "absolute"),
        (&[&long_path], "107"),
        (&["verifier"], "spawn"),
        (&["verifier="], "spawn"),
        (&["verifier=Spawn"], "spawn"),
        (&["socket=/a", "verifier=spawn"], "not both"),
        (&["verifier=socket", "socket=/a"], "not both"),
        (&["require_publickey"], "auto"),
        (&["require_publickey=maybe"], "auto"),
        (&[&long], "256"),
    ] {
        let error = parse(args).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
        assert!(error.len() < 200, "{error}");
    }
}

#[test]
fn an_error_stays_on_its_line() {
    let error = Options::parse(&[c"x\nroot logged in\xff"]).unwrap_err().to_string();
    assert!(!error.contains('\n'), "{error}");
}
