//! Where in sshd_config(5) something stands, so that a finding can name the
//! line to change. What holds, sshd itself says: see [`super::effective`].

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::pattern::matches;

/// Where sshd looks for what `Include` names without a leading slash.
const BASE: &str = "/etc/ssh";

/// The longest file that is read, in bytes, how deep files may include others,
/// and the most lines: sshd itself takes no deeper ones.
const MAX_FILE: u64 = 1024 * 1024;
const MAX_DEPTH: usize = 16;
const MAX_LINES: usize = 65_536;

/// One line of the settings.
#[derive(Debug, PartialEq, Eq)]
pub struct Setting {
    /// `FILE:LINE`.
    pub place: String,
    /// In small letters.
    pub keyword: String,
    /// What stands behind it.
    pub words: Vec<String>,
}

impl Setting {
    /// The file in which it stands.
    pub fn file(&self) -> &str {
        self.place.rsplit_once(':').map_or("", |(file, _)| file)
    }
}

/// The settings as they are written down.
#[derive(Debug, Default)]
pub struct Written {
    settings: Vec<Setting>,
    /// Files and folders that could not be read.
    pub unread: Vec<PathBuf>,
    file: PathBuf,
}

impl Written {
    /// Reads `path`, and whatever it includes.
    pub fn read(path: &Path) -> Self {
        let mut written = Self { file: path.to_owned(), ..Self::default() };
        written.add(path, 0);
        written
    }

    fn add(&mut self, path: &Path, depth: usize) {
        let Some(text) = text(path).filter(|_| depth < MAX_DEPTH) else { return self.unread.push(path.to_owned()) };
        for (number, line) in (1..).zip(text.lines()) {
            if self.settings.len() >= MAX_LINES {
                return;
            }
            let Some((keyword, words)) = setting(line) else { continue };
            if keyword == "include" {
                words.iter().for_each(|word| self.include(word, depth + 1));
            }
            self.settings.push(Setting { place: format!("{}:{number}", path.display()), keyword, words });
        }
    }

    /// The files that a word of `Include` stands for, in sshd's order.
    fn include(&mut self, word: &str, depth: usize) {
        let path = Path::new(BASE).join(word);
        let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
            return;
        };
        if !name.contains(['*', '?']) {
            return self.add(&path, depth);
        }
        match fitting(folder, name) {
            Ok(paths) => paths.iter().for_each(|path| self.add(path, depth)),
            Err(why) if why.kind() == io::ErrorKind::NotFound => {}
            // sshd that somebody else than root runs passes over it without a word.
            Err(_) => self.unread.push(folder.to_owned()),
        }
    }

    /// Every line, in sshd's order; what a line includes stands before it.
    pub fn settings(&self) -> &[Setting] {
        &self.settings
    }

    /// Every line of `keyword`.
    pub fn lines<'a>(&'a self, keyword: &'a str) -> impl Iterator<Item = &'a Setting> {
        self.settings.iter().filter(move |setting| setting.keyword == keyword)
    }

    /// The lines of `keyword`, or the file where none is: sshd's default holds then.
    pub fn place(&self, keyword: &str) -> String {
        let places: Vec<&str> = self.lines(keyword).map(|setting| setting.place.as_str()).collect();
        if places.is_empty() { self.file.display().to_string() } else { places.join(", ") }
    }
}

fn text(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MAX_FILE).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Keyword and words of a line; `None` where there is nothing in it.
fn setting(line: &str) -> Option<(String, Vec<String>)> {
    let mut words = line.split(|c: char| c.is_whitespace() || c == '=').map(|word| word.trim_matches('"'));
    let mut words = words.by_ref().filter(|word| !word.is_empty()).take_while(|word| !word.starts_with('#'));
    let keyword = words.next()?.to_ascii_lowercase();
    Some((keyword, words.map(str::to_owned).collect()))
}

/// The files in `folder` whose names fit.
fn fitting(folder: &Path, name: &str) -> io::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)?.filter_map(Result::ok);
    let fits = |path: &PathBuf| {
        let entry = path.file_name().and_then(|name| name.to_str());
        entry.is_some_and(|entry| !entry.starts_with('.') && matches(name, entry))
    };
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(fits).collect();
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_with_their_places() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("b.conf"), "acceptenv=B\n").unwrap();
        std::fs::write(path("a.conf"), "\n  AcceptEnv \"A\" C # D\n").unwrap();
        std::fs::write(path("c.not"), "AcceptEnv NOT\n").unwrap();
        let include = format!(
            "Include {}/*.conf {}/gone\n#AcceptEnv X\nAcceptEnv Z\n",
            folder.path().display(),
            folder.path().display()
        );
        std::fs::write(path("sshd_config"), include).unwrap();
        let written = Written::read(&path("sshd_config"));
        let words: Vec<_> = written.lines("acceptenv").flat_map(|setting| setting.words.clone()).collect();
        assert_eq!(words, ["A", "C", "B", "Z"]);
        let place = |name: &str, line| format!("{}:{line}", path(name).display());
        assert_eq!(
            written.place("acceptenv"),
            [place("a.conf", 2), place("b.conf", 1), place("sshd_config", 3)].join(", ")
        );
        assert_eq!(written.place("usepam"), path("sshd_config").display().to_string());
        assert_eq!(written.unread, [path("gone")]);
    }

    #[test]
    fn a_folder_that_cannot_be_listed_is_unread() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("plain"), "").unwrap();
        let place = folder.path().display();
        std::fs::write(path("sshd_config"), format!("Include {place}/gone/*.conf {place}/plain/*.conf\n")).unwrap();
        assert_eq!(Written::read(&path("sshd_config")).unread, [path("plain")]);
    }

    #[test]
    fn a_file_that_includes_itself_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sshd_config");
        std::fs::write(&path, format!("Include {}\n", path.display())).unwrap();
        assert_eq!(Written::read(&path).unread, [path]);
    }
}
