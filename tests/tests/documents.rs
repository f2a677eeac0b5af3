//! What is written about the programs, held against the programs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use oathgate_tests::built::{bin, library};
use oathgate_tests::fake_verifier::{Act, FakeVerifier};
use oathgate_tests::process::run;
use otp_wire::Outcome;

type Words = BTreeSet<String>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn said(program: &str, words: &[&str]) -> String {
    let finished = run(Command::new(bin(program)).args(words), b"");
    assert_eq!(finished.code(), Some(0), "{program} {words:?}: {}", finished.stderr);
    finished.text()
}

/// A man page's text without roff's escapes.
fn page(name: &str) -> String {
    plain(&read(Path::new("docs/man").join(name)))
}

fn plain(roff: &str) -> String {
    let pairs = [("\\-", "-"), ("\\~", " "), ("\\|", ""), ("\\&", ""), ("\\(dq", "\""), ("\\fR", ""), ("\\fP", "")];
    pairs.iter().fold(roff.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// A section of a man page, without its heading.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let start = page.find(&format!(".SH {heading}\n")).unwrap_or_else(|| panic!("no section {heading}"));
    let rest = &page[start + 5 + heading.len()..];
    &rest[..rest.find("\n.SH ").unwrap_or(rest.len())]
}

/// What stands behind each `.TP`, without the macro that sets its font.
fn tags(section: &str) -> Vec<String> {
    let lines: Vec<&str> = section.lines().collect();
    let tags = lines.windows(2).filter(|pair| matches!(pair[0], ".TP" | ".TQ")).map(|pair| pair[1]);
    tags.map(|tag| tag.split_once(' ').expect("a font and a tag").1.to_owned()).collect()
}

/// `--long` options in a text.
fn options(text: &str) -> Words {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let words = text.split(|c| !part(c)).filter(|word| word.len() > 3 && word.starts_with("--"));
    words.map(str::to_owned).collect()
}

/// The options that a help text lists, each at the head of a line of its own.
fn listed(help: &str) -> Words {
    let heads = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    heads.flat_map(|line| options(line.split("   ").next().unwrap_or_default())).collect()
}

#[test]
fn a_man_page_has_the_options_that_its_program_has() {
    for (program, name) in [("ssh-otp", "ssh-otp.1"), ("oathgated", "oathgated.8")] {
        let page = page(name);
        let described = tags(section(&page, "OPTIONS")).iter().flat_map(|tag| options(tag)).collect::<Words>();
        assert_eq!(described, listed(&said(program, &["--help"])), "{name}");
    }
}

/// The verbs with nothing below them, each as the words to type; `help` is clap's.
fn verbs(above: &[&str]) -> Vec<Vec<String>> {
    let help = said("oathgate", &[above, &["--help"]].concat());
    let Some((_, commands)) = help.split_once("Commands:\n") else {
        return vec![above.iter().map(|word| (*word).to_owned()).collect()];
    };
    let commands = commands.lines().take_while(|line| !line.is_empty());
    let names = commands.filter_map(|line| line.strip_prefix("  ")?.split(' ').next().filter(|name| !name.is_empty()));
    names.filter(|name| *name != "help").flat_map(|name| verbs(&[above, &[name]].concat())).collect()
}

fn strs(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

#[test]
fn man_pages_and_completions_of_oathgate_have_what_its_help_has() {
    let folder = tempfile::tempdir().unwrap();
    said("oathgate", &["man", folder.path().to_str().unwrap()]);
    let shells = ["bash", "zsh", "fish"].map(|shell| (shell, said("oathgate", &["completions", shell])));
    for verb in verbs(&[]) {
        let help = listed(&said("oathgate", &[&strs(&verb)[..], &["--help"]].concat()));
        let name = format!("oathgate-{}.1", verb.join("-"));
        let roff = plain(&fs::read_to_string(folder.path().join(&name)).expect(&name));
        // clap writes the font into the option's tag.
        assert_eq!(options(&roff.replace("\\fB", "").replace("\\fI", "")), help, "{name}");
        for (shell, script) in &shells {
            for word in help.iter().map(|option| option.trim_start_matches('-')).chain(strs(&verb)) {
                assert!(script.contains(word), "{word} of {verb:?} for {shell}");
            }
        }
    }
}

#[test]
fn the_page_of_the_module_has_the_options_that_it_knows() {
    let source = read("pam_module/src/options.rs");
    let set = &source[source.find("fn set(").unwrap()..source.find("\nfn split(").unwrap()];
    let known = |start: &str| -> Words {
        set.split(start).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
    };
    let page = page("pam_oathgate.8");
    let tags = tags(section(&page, "OPTIONS"));
    let described = tags.iter().map(|tag| tag.split(['=', ' ']).next().unwrap().to_owned()).collect::<Words>();
    assert_eq!(described, known("  (b\""), "names");
    for value in known("Some(b\"") {
        assert!(tags.iter().any(|tag| tag.split([' ', '{', '}', '|']).any(|word| word == value)), "{value}");
    }
}

#[test]
fn the_page_of_the_module_has_every_code_that_it_returns() {
    let source = read("pam_module/src/end.rs") + &read("pam_module/src/barrier.rs");
    let source = source.split("mod tests").next().unwrap().to_owned();
    let part = |c: char| c.is_ascii_uppercase() || c == '_';
    let codes = |text: &str| -> Words {
        text.split(|c| !part(c)).filter(|word| word.starts_with("PAM_")).map(str::to_owned).collect()
    };
    let page = page("pam_oathgate.8");
    let mut described = codes(section(&page, "RETURN VALUES"));
    for no_code in ["PAM_AUTHTOK", "PAM_SILENT"] {
        assert!(described.remove(no_code), "{no_code}");
    }
    let returned: Words = source
        .split("PamResultCode::")
        .skip(1)
        .flat_map(|rest| codes(rest.split([' ', ',', ')', '\n']).next().unwrap()))
        .collect();
    let mut expected = returned;
    expected.insert("PAM_ABORT".to_owned());
    assert_eq!(described, expected);
}

#[test]
fn the_page_of_the_settings_has_every_setting() {
    let source = read("otp_service/src/config.rs");
    let start = source.find("pub struct Config {").unwrap();
    let fields = source[start..].lines().take_while(|line| *line != "}");
    let fields: Words =
        fields.filter_map(|line| Some(line.strip_prefix("    pub ")?.split_once(':')?.0.to_owned())).collect();
    assert!(fields.len() > 5, "{fields:?}");
    let page = page("oathgate.toml.5");
    assert_eq!(tags(section(&page, "SETTINGS")).into_iter().collect::<Words>(), fields);
}

/// README.md, docs/*.md and the man pages, by name.
fn documents() -> Vec<(String, String)> {
    let mut found = vec![("README.md".to_owned(), read("README.md"))];
    for folder in ["docs", "docs/man"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.file_name().unwrap().to_string_lossy().into_owned(), text));
            }
        }
    }
    found
}

/// What is to be typed: indented lines and `…` of Markdown, .EX of roff.
fn code((name, text): &(String, String)) -> Vec<String> {
    if !name.ends_with(".md") {
        let text = plain(text);
        let blocks = text.split("\n.EX\n").skip(1).map(|rest| rest.split("\n.EE").next().unwrap());
        return blocks.flat_map(str::lines).map(str::to_owned).collect();
    }
    let indented = text.lines().filter_map(|line| line.strip_prefix("    ")).map(str::to_owned);
    let inline = text.replace('\n', " ");
    indented.chain(inline.split('`').skip(1).step_by(2).map(str::to_owned)).collect()
}

/// The calls of `program` in a line, without comments and without who calls.
fn calls(line: &str, program: &str) -> Vec<Vec<String>> {
    let line = line.split(" #").next().unwrap().split("   ").next().unwrap();
    let mut found = Vec::new();
    for command in line.split(['"', ';']).flat_map(|part| part.split("&&")) {
        let mut words =
            command.split_whitespace().skip_while(|word| matches!(*word, "sudo" | "exec" | "-u" | "deploy"));
        let own = |word: &str| word == program || word.ends_with(&format!("/{program}"));
        if words.next().is_some_and(own) {
            found.push(words.filter(|word| *word != "&").map(filled_in).collect());
        }
    }
    found
}

/// A word that parses in the place of one that people fill in.
fn filled_in(word: &str) -> String {
    match word {
        "SHELL" => "bash".to_owned(),
        _ if word.starts_with("SHA256:") => format!("SHA256:{}", "A".repeat(43)),
        _ => word.to_owned(),
    }
}

/// Whether a help text is about a verb that stands in `words`.
fn is_verb(words: &[String], help: &str) -> bool {
    let usage = help.lines().find_map(|line| line.strip_prefix("Usage: oathgate ")).expect("a usage");
    let mut path = usage.split(' ').take_while(|word| !word.starts_with(['[', '<'])).peekable();
    path.peek().is_some() && path.all(|word| words.iter().any(|own| own == word))
}

#[test]
fn every_command_line_that_is_shown_is_understood() {
    let mut shown = 0;
    for document in documents() {
        for line in code(&document) {
            for mut words in calls(&line, "oathgate").into_iter().filter(|words| !words.is_empty()) {
                shown += 1;
                words.push("--help".to_owned());
                let finished = run(Command::new(bin("oathgate")).args(&words), b"");
                assert_eq!(finished.code(), Some(0), "{}: {line}: {}", document.0, finished.stderr);
                assert!(words.len() == 1 || is_verb(&words, &finished.text()), "{}: {line}", document.0);
            }
            for mut words in calls(&line, "ssh-otp") {
                shown += 1;
                words.truncate(words.iter().position(|word| word == "--").unwrap_or(words.len()));
                words.push("--help".to_owned());
                said("ssh-otp", &strs(&words));
            }
            for words in calls(&line, "oathgated") {
                shown += 1;
                let known = listed(&said("oathgated", &["--help"]));
                assert!(options(&words.join(" ")).is_subset(&known), "{}: {line}", document.0);
            }
        }
    }
    assert!(shown > 40, "only {shown} were found");
}

/// The source of a test that is called `suite::module::name`, wherever its suite is.
fn has_test(called: &str) -> bool {
    let words: Vec<&str> = called.split("::").collect();
    let (name, file) = words.split_last().unwrap();
    let crates = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path());
    let sources = crates.flat_map(|folder| [folder.join("tests"), folder.join("tests/tests")]);
    sources
        .map(|folder| folder.join(file.join("/")).with_extension("rs"))
        .any(|path| fs::read_to_string(path).is_ok_and(|source| source.contains(&format!("#[test]\nfn {name}()"))))
}

#[test]
fn each_line_of_the_comparison_is_shown_by_tests() {
    let readme = read("README.md");
    let (_, section) = readme.split_once("### Compared\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows: Vec<&str> = section.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| |")).collect();
    assert!(rows.len() > 10, "{}", rows.len());
    for row in rows {
        let fields: Vec<&str> = row.trim_matches('|').split('|').collect();
        let named: Vec<&str> = fields[4].split('`').skip(1).step_by(2).collect();
        assert!(fields.len() == 5 && !named.is_empty(), "{row}");
        named.iter().for_each(|called| assert!(has_test(called), "{called} is no test: {row}"));
    }
}

#[test]
fn every_verb_is_shown_somewhere() {
    let documents = documents();
    let lines = documents.iter().filter(|(name, _)| name.ends_with(".md")).flat_map(code);
    let shown: Vec<String> = lines
        .flat_map(|line| calls(&line, "oathgate"))
        .map(|words| words.into_iter().filter(|word| word != "--user-store").collect::<Vec<_>>().join(" ") + " ")
        .collect();
    for verb in verbs(&[]) {
        let verb = verb.join(" ") + " ";
        assert!(shown.iter().any(|line| line.starts_with(&verb)), "oathgate {verb}is in no document");
    }
}

#[test]
fn the_module_takes_the_lines_that_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let _verifier = FakeVerifier::start(&socket, |_| Act::Say(Outcome::Pass {}));
    let module = library("libpam_oathgate.so");
    let mut shown = 0;
    for document in documents() {
        let lines = code(&document);
        let options = lines.iter().filter_map(|line| Some(line.split_once("pam_oathgate.so")?.1));
        for options in options.filter(|rest| rest.is_empty() || rest.starts_with(' ')) {
            shown += 1;
            let via = format!("socket={}", socket.display());
            let options: Vec<&str> = options.split_whitespace().filter(|word| *word != "verifier=spawn").collect();
            let stack = format!("auth required {} {via} {}\n", module.display(), options.join(" "));
            fs::write(folder.path().join("su"), stack).unwrap();
            let finished =
                run(Command::new(env!("CARGO_BIN_EXE_pam_host")).arg(folder.path()).args(["su", "alice"]), b"");
            // With forward_pass somebody is asked for the password first.
            assert!(finished.text().ends_with("result PAM_SUCCESS\n"), "{}: {options:?}", document.0);
        }
    }
    assert!(shown > 5, "only {shown} were found");
}

/// Where `make install` is to find what was built.
fn out(folder: &Path) {
    for program in
        ["oathgate", "ssh-otp", "oathgated", "oathgate-import", "oathgate-keys", "oathgate-disk-key", "oathgate-luks"]
    {
        symlink(bin(program), folder.join(program)).unwrap();
    }
    for name in ["libpam_oathgate.so", "liboathgate_token.so"] {
        symlink(library(name), folder.join(name)).unwrap();
    }
}

/// `make install` of what was built into a folder.
fn installed(built: &Path, into: &Path, prefix: &str) {
    let mut make = Command::new("sh");
    make.args(["-c", "umask 077; exec \"$@\"", "sh", "make", "-C"]).arg(root()).arg("install");
    make.arg(format!("OUT={}", built.display())).arg(format!("DESTDIR={}", into.display()));
    let made = run(make.arg(format!("PREFIX={prefix}")), b"");
    assert_eq!(made.code(), Some(0), "{}", made.stderr);
}

#[test]
fn the_initramfs_finds_its_pieces_whatever_the_prefix_is() {
    let (built, machine) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    out(built.path());
    installed(built.path(), machine.path(), "/usr/local");
    let pieces =
        ["libexec/oathgate/luks-keyscript", "libexec/oathgate/oathgate-luks", "share/initramfs-tools/hooks/oathgate"];
    // The other one is the one that oathgate finds beside itself.
    for piece in pieces.into_iter().chain(["local/bin/oathgate", "local/libexec/oathgate/oathgate-luks"]) {
        let metadata = fs::metadata(machine.path().join("usr").join(piece)).expect(piece);
        assert_eq!(metadata.permissions().mode() & 0o777, 0o755, "{piece}");
    }
}

#[test]
fn installed_pages_are_readable_and_sound() {
    let (built, machine) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    out(built.path());
    installed(built.path(), machine.path(), "/usr");
    for (path, mode) in [
        ("bin/oathgate", 0o755),
        ("bin/ssh-otp", 0o755),
        ("libexec/oathgate/oathgated", 0o755),
        ("libexec/oathgate/oathgate-import", 0o755),
        ("libexec/oathgate/oathgate-keys", 0o755),
        ("libexec/oathgate/oathgate-disk-key", 0o755),
        ("lib/systemd/system/oathgate-disk-key.socket", 0o644),
        ("lib/systemd/system/oathgate-disk-key@.service", 0o644),
        ("libexec/oathgate/oathgate-luks", 0o755),
        ("libexec/oathgate/luks-keyscript", 0o755),
        ("share/initramfs-tools/hooks/oathgate", 0o755),
        ("lib/systemd/system/oathgated.service", 0o644),
        ("lib/systemd/system/oathgated.socket", 0o644),
        ("lib/systemd/system/oathgate-trial.service", 0o644),
        ("lib/systemd/system/multi-user.target.wants/oathgate-trial.service", 0o644),
        ("lib/systemd/system/oathgated-root.socket", 0o644),
        ("lib/sysusers.d/oathgate.conf", 0o644),
        ("share/man/man1/ssh-otp.1", 0o644),
        ("share/man/man5/oathgate.toml.5", 0o644),
        ("share/man/man8/oathgated.8", 0o644),
        ("share/man/man8/pam_oathgate.8", 0o644),
        ("share/bash-completion/completions/oathgate", 0o644),
        ("share/zsh/vendor-completions/_oathgate", 0o644),
        ("share/fish/vendor_completions.d/oathgate.fish", 0o644),
    ] {
        let metadata = fs::metadata(machine.path().join("usr").join(path)).expect(path);
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "{path}");
    }
    let man = machine.path().join("usr/share/man");
    for verb in verbs(&[]) {
        assert!(man.join(format!("man1/oathgate-{}.1", verb.join("-"))).is_file(), "{verb:?}");
    }
    let pages = ["man1", "man5", "man7", "man8"].map(|folder| fs::read_dir(man.join(folder)).unwrap());
    for page in pages.into_iter().flatten().map(|entry| entry.unwrap()) {
        assert_eq!(page.metadata().unwrap().permissions().mode() & 0o777, 0o644, "{page:?}");
        let mut shown = Command::new("man");
        shown.args(["-l", "--warnings", "-E", "UTF-8"]).arg(page.path()).env("MANROFFOPT", "").env("MANPAGER", "cat");
        let finished = run(&mut shown, b"");
        assert_eq!((finished.code(), finished.stderr.as_str()), (Some(0), ""), "{page:?}");
    }
}
