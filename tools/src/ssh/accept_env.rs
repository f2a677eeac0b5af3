//! What sshd lets clients put into the environment. It starts the login shell
//! with that before any forced command runs: a client that may set BASH_ENV
//! never meets the gate.

use std::path::{Path, PathBuf};

use crate::error::Failure;

/// Refuses where clients may set more than a locale.
///
/// # Errors
/// When the settings at `path` let them.
pub fn check(path: &Path) -> Result<(), Failure> {
    let Some(text) = read(path) else { return Ok(()) };
    let mut bad = dangerous(&text);
    for included in includes(&text, path) {
        bad.extend(read(&included).iter().flat_map(|text| dangerous(text)));
    }
    if bad.is_empty() {
        return Ok(());
    }
    Err(Failure::no(format!("sshd here takes {} from clients, and so the code could be bypassed", bad.join(", ")))
        .hint("have the administrator reduce AcceptEnv to LANG LC_*, and PermitUserEnvironment to no; or use the PAM module"))
}

/// Settings that can't be read can't be judged; logins go by them all the same.
fn read(path: &Path) -> Option<String> {
    let text = std::fs::read(path).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// Keyword and arguments of each line (sshd_config(5)); within Match blocks too.
fn settings(text: &str) -> impl Iterator<Item = (String, Vec<&str>)> {
    text.lines().filter_map(|line| {
        let line = line.trim();
        let (keyword, rest) = line.split_once(|c: char| c.is_whitespace() || c == '=')?;
        let words = rest.split(|c: char| c.is_whitespace() || c == '=').map(|word| word.trim_matches('"'));
        let words = words.filter(|word| !word.is_empty()).take_while(|word| !word.starts_with('#'));
        (!keyword.starts_with('#')).then(|| (keyword.to_ascii_lowercase(), words.collect()))
    })
}

fn dangerous(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (keyword, words) in settings(text) {
        match keyword.as_str() {
            "acceptenv" => found.extend(words.iter().filter(|word| !is_harmless(word)).map(|&word| word.to_owned())),
            "permituserenvironment" if words.first() != Some(&"no") => found.push("PermitUserEnvironment".to_owned()),
            _ => {}
        }
    }
    found
}

/// Whether what fits `pattern` of AcceptEnv changes nothing that a shell runs.
pub fn is_harmless(pattern: &str) -> bool {
    matches!(pattern, "LANG" | "LANGUAGE" | "COLORTERM" | "NO_COLOR") || pattern.starts_with("LC_")
}

/// The files of `Include` lines with names or `folder/*.ending`.
fn includes(text: &str, path: &Path) -> Vec<PathBuf> {
    let base = path.parent().unwrap_or(Path::new("/"));
    let mut found = Vec::new();
    for (_, words) in settings(text).filter(|(keyword, _)| keyword == "include") {
        for word in words {
            let path = base.join(word);
            match path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix('*')) {
                None => found.push(path),
                Some(ending) => found.extend(ending_in(path.parent().unwrap_or(base), ending)),
            }
        }
    }
    found
}

fn ending_in(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries.map(|entry| entry.path()).filter(|path| path.to_string_lossy().ends_with(ending)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_is_harmless_and_all_else_is_not() {
        assert!(dangerous("AcceptEnv LANG LC_* COLORTERM NO_COLOR\n#AcceptEnv *\nPermitUserEnvironment no").is_empty());
        assert!(dangerous("acceptenv=LC_ALL LC_OTP # LD_PRELOAD\n").is_empty());
        for (text, name) in [
            ("AcceptEnv *", "*"),
            ("  ACCEPTENV\tLANG BASH_ENV", "BASH_ENV"),
            ("Match User bob\n  AcceptEnv \"LD_*\"", "LD_*"),
            ("AcceptEnv=L*", "L*"),
            ("PermitUserEnvironment yes", "PermitUserEnvironment"),
            ("PermitUserEnvironment BASH_ENV", "PermitUserEnvironment"),
        ] {
            assert_eq!(dangerous(text), [name], "{text}");
        }
    }

    #[test]
    fn included_files_count() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("sshd_config");
        std::fs::create_dir(folder.path().join("d")).unwrap();
        std::fs::write(&config, "Include d/*.conf\nInclude extra\n").unwrap();
        assert!(check(&config).is_ok());
        std::fs::write(folder.path().join("d/a.conf"), "AcceptEnv FOO\n").unwrap();
        std::fs::write(folder.path().join("extra"), "AcceptEnv BAR\n").unwrap();
        std::fs::write(folder.path().join("d/not"), "AcceptEnv NOT\n").unwrap();
        let failure = check(&config).unwrap_err();
        assert!(failure.what.contains("FOO, BAR") && !failure.what.contains("NOT"), "{failure:?}");
        assert!(check(&folder.path().join("missing")).is_ok());
    }
}
