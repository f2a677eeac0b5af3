//! The files of /etc/pam.d: read, replaced and put back.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use super::stack::{self, Module, Stack};
use crate::doctor::pam::stack::Stack as Services;
use crate::error::Failure;

/// Stands behind the name of what was there before. No service is called so.
const BEFORE: &str = ".before-oathgate";
/// The largest file in bytes that is taken for a stack.
const MAX_STACK: u64 = 1024 * 1024;

/// A file in which a module is to be replaced, or was.
#[derive(Debug)]
pub struct Found {
    /// Where it is.
    pub path: PathBuf,
    /// With our module in the other one's place.
    pub stack: Stack,
}

/// The files that name the module.
///
/// # Errors
/// When one is not understood, or can't be read.
pub fn find(folder: &Path, module: Module) -> Result<Vec<Found>, Failure> {
    let stacks: Vec<PathBuf> = files(folder)?.into_iter().filter(|path| !is_aside(path)).collect();
    let (asked, mut found) = (asked_by_sshd(folder, &stacks), Vec::new());
    for path in stacks {
        let sshd = asked.contains(&path);
        found.extend(translated(&path, module, sshd)?.map(|stack| Found { path, stack }));
    }
    Ok(found)
}

/// Those of the stacks by which sshd asks: its own, what these include, and what distributions include there.
fn asked_by_sshd(folder: &Path, stacks: &[PathBuf]) -> HashSet<PathBuf> {
    let own = stacks.iter().map(|path| name(path)).filter(|name| name.starts_with("sshd"));
    let reached = own.flat_map(|service| Services::in_folder(folder, &service).files);
    let reached: HashSet<PathBuf> = reached.map(|path| same(&path)).collect();
    let usual = |path: &Path| ["sshd", "common-"].iter().any(|start| name(path).starts_with(start));
    let is = |path: &&PathBuf| usual(path) || name(path).ends_with("-auth") || reached.contains(&same(path));
    stacks.iter().filter(is).cloned().collect()
}

/// A file by one name, whatever way led to it.
fn same(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// Files that were replaced, by what was kept of them.
#[derive(Debug, Default)]
pub struct Replaced {
    /// Those that are as they were written.
    pub found: Vec<Found>,
    /// Those that were edited since.
    pub edited: Vec<PathBuf>,
    /// Those that are gone: their service was removed, and is not brought back.
    pub gone: Vec<PathBuf>,
}

/// The files that were replaced: those of these names, or whatever was kept.
///
/// # Errors
/// When one can't be read.
pub fn replaced(folder: &Path, module: Module, names: Option<&[String]>) -> Result<Replaced, Failure> {
    let mut replaced = Replaced::default();
    let asked = |path: &Path| names.is_none_or(|names| names.contains(&name(path)));
    for kept in files(folder)? {
        let Some(path) = kept.to_str().and_then(|path| path.strip_suffix(BEFORE)).map(PathBuf::from) else { continue };
        if !asked(&path) {
            continue;
        }
        // Whether sshd asked by it then, nobody knows any more.
        let Some(stack) = translated_as(&kept, module, false)? else { continue };
        if !path.exists() {
            replaced.gone.push(path);
            continue;
        }
        let text = read(&path)?;
        let for_sshd = translated_as(&kept, module, true)?.filter(|stack| stack.text == text);
        match for_sshd.or(Some(stack).filter(|stack| stack.text == text)) {
            Some(stack) => replaced.found.push(Found { path, stack }),
            None => replaced.edited.push(path),
        }
    }
    Ok(replaced)
}

/// A file's name in its folder.
pub fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Puts the new texts in place, all of them or none, and keeps what was there.
///
/// # Errors
/// When one can't be written; then those before it are put back.
pub fn replace(found: &[Found]) -> Result<(), Failure> {
    for (number, one) in found.iter().enumerate() {
        if let Err(why) = replace_one(one) {
            let before = found.get(..number).unwrap_or_default();
            put_back(before)?;
            return Err(Failure::undecided(format!("{}: {why}; no stack was changed", one.path.display())));
        }
    }
    Ok(())
}

/// Puts back what was there before.
///
/// # Errors
/// When that can't be done; the file is named.
pub fn put_back(found: &[Found]) -> Result<(), Failure> {
    for one in found {
        fs::rename(before(&one.path), &one.path)
            .map_err(|why| Failure::undecided(format!("{}: can't be put back: {why}", one.path.display())))?;
        sync(&one.path).map_err(Failure::undecided)?;
    }
    Ok(())
}

fn replace_one(found: &Found) -> io::Result<()> {
    let (path, metadata) = (&found.path, fs::symlink_metadata(&found.path)?);
    let new = beside(path, ".oathgate-new");
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    let done = file
        .write_all(found.stack.text.as_bytes())
        .and_then(|()| fchown(&file, Some(metadata.uid()), Some(metadata.gid())))
        .and_then(|()| file.set_permissions(fs::Permissions::from_mode(metadata.mode() & 0o7777)))
        .and_then(|()| file.sync_all())
        // Fails where something is kept already: that would be lost.
        .and_then(|()| fs::hard_link(path, before(path)))
        .and_then(|()| fs::rename(&new, path).inspect_err(|_| drop(fs::remove_file(before(path)))));
    match done {
        Ok(()) => sync(path).inspect_err(|_| drop(fs::rename(before(path), path))),
        Err(why) => {
            let _ = fs::remove_file(&new);
            Err(why)
        }
    }
}

/// Makes it last that `path` was renamed, made or removed.
///
/// # Errors
/// When its folder can't be written.
pub fn sync(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

/// Where what was there before is kept.
pub fn before(path: &Path) -> PathBuf {
    beside(path, BEFORE)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// What editors and packages put aside; no service is called so.
fn is_aside(path: &Path) -> bool {
    let name = name(path);
    name.starts_with('.') || name.ends_with('~') || name.ends_with(BEFORE) || name.contains(".dpkg-")
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |why: io::Error| Failure::undecided(format!("{}: {why}", folder.display()));
    let entries = fs::read_dir(folder).map_err(failed)?.collect::<io::Result<Vec<_>>>().map_err(failed)?;
    let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    paths.sort();
    Ok(paths)
}

fn translated(path: &Path, module: Module, sshd: bool) -> Result<Option<Stack>, Failure> {
    let stack = translated_as(path, module, sshd)?;
    if stack.is_some() && path.is_symlink() {
        return Err(Failure::no(format!("{}: a symbolic link; nothing was changed", path.display()))
            .hint("another program writes it (authselect, a package); tell that one"));
    }
    Ok(stack)
}

/// The text at `path`, translated.
fn translated_as(path: &Path, module: Module, sshd: bool) -> Result<Option<Stack>, Failure> {
    stack::translate(&read(path)?, module, sshd).map_err(|why| {
        Failure::no(format!("{}, {why}", path.display()))
            .hint("nothing was changed; see pam_oathgate(8) for the options")
    })
}

fn read(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MAX_STACK).read_to_string(&mut text));
    match read {
        Err(why) => Err(Failure::undecided(format!("{}: {why}", path.display()))),
        Ok(length) if length as u64 == MAX_STACK => Err(Failure::no(format!("{}: 1 MB or more", path.display()))),
        Ok(_) => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THEIRS: &str = "auth required pam_google_authenticator.so nullok\n";
    const OURS: &str = "auth required pam_oathgate.so nullok\n";

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        files.iter().for_each(|(name, text)| fs::write(folder.path().join(name), text).unwrap());
        folder
    }

    fn texts(folder: &Path) -> Vec<(String, String)> {
        let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        files(folder).unwrap().iter().map(|path| (name(path), read(path).unwrap())).collect()
    }

    #[test]
    fn stacks_are_replaced_and_put_back_to_the_letter() {
        let folder = folder(&[("su", THEIRS), ("cron", "auth required pam_unix.so\n"), ("su.dpkg-old", THEIRS)]);
        fs::set_permissions(folder.path().join("su"), fs::Permissions::from_mode(0o640)).unwrap();
        let (before, module) = (texts(folder.path()), Module::GoogleAuthenticator);
        let found = find(folder.path(), module).unwrap();
        assert_eq!(found.len(), 1);
        replace(&found).unwrap();
        assert_eq!(read(&folder.path().join("su")).unwrap(), OURS);
        assert_eq!(fs::metadata(folder.path().join("su")).unwrap().mode() & 0o777, 0o640);
        assert_eq!(read(&folder.path().join("su.before-oathgate")).unwrap(), THEIRS);
        assert!(find(folder.path(), module).unwrap().is_empty(), "what is kept is no stack");
        put_back(&replaced(folder.path(), module, None).unwrap().found).unwrap();
        assert_eq!(texts(folder.path()), before);
    }

    #[test]
    fn what_was_changed_since_is_not_put_back() {
        let folder = folder(&[("su", "auth required pam_oathgate.so\n"), ("su.before-oathgate", THEIRS)]);
        let since = replaced(folder.path(), Module::GoogleAuthenticator, None).unwrap();
        assert_eq!((since.found.len(), since.edited), (0, vec![folder.path().join("su")]));
        assert!(replaced(folder.path(), Module::PamOath, None).unwrap().edited.is_empty(), "another module's");
    }

    #[test]
    fn a_service_that_was_purged_stops_nobody_else() {
        let folder =
            folder(&[("su", OURS), ("su.before-oathgate", THEIRS), ("login", OURS), ("login.before-oathgate", THEIRS)]);
        fs::remove_file(folder.path().join("login")).unwrap();
        let since = replaced(folder.path(), Module::GoogleAuthenticator, None).unwrap();
        assert_eq!((since.edited.len(), &since.gone), (0, &vec![folder.path().join("login")]));
        put_back(&since.found).unwrap();
        assert_eq!(read(&folder.path().join("su")).unwrap(), THEIRS);
        assert!(!folder.path().join("login").exists(), "it is not brought back");
    }

    #[test]
    fn whatever_sshd_includes_is_sshds() {
        let folder = folder(&[
            ("sshd", "@include second-factor\nauth include outer\n"),
            ("outer", "auth substack inner # a comment\n"),
            ("second-factor", THEIRS),
            ("inner", THEIRS),
            ("sudo", "@include cron\n"),
            ("cron", THEIRS),
        ]);
        let module = Module::GoogleAuthenticator;
        let found = find(folder.path(), module).unwrap();
        let open = |found: &Found| (name(&found.path), found.stack.text.contains("require_publickey=no"));
        let expected = [("cron", false), ("inner", true), ("second-factor", true)];
        let open: Vec<_> = found.iter().map(open).collect();
        assert_eq!(open, expected.map(|(name, open)| (name.to_owned(), open)));
        replace(&found).unwrap();
        // What includes them may be another by then.
        fs::remove_file(folder.path().join("sshd")).unwrap();
        assert_eq!(replaced(folder.path(), module, None).unwrap().found.len(), 3);
    }

    #[test]
    fn all_of_them_or_none() {
        // A back-up of the second one is there already.
        let folder = folder(&[("login", THEIRS), ("su", THEIRS), ("su.before-oathgate", "old\n")]);
        let before = texts(folder.path());
        let found = find(folder.path(), Module::GoogleAuthenticator).unwrap();
        assert_eq!(found.len(), 2);
        replace(&found).unwrap_err();
        assert_eq!(texts(folder.path()), before);
    }

    #[test]
    fn links_and_what_is_not_understood_are_named() {
        let folder = folder(&[("su", "auth required pam_google_authenticator.so user=root\n")]);
        let failure = find(folder.path(), Module::GoogleAuthenticator).unwrap_err();
        assert!(failure.what.contains("su, line 1: user="), "{}", failure.what);
        fs::write(folder.path().join("elsewhere~"), THEIRS).unwrap();
        fs::remove_file(folder.path().join("su")).unwrap();
        std::os::unix::fs::symlink("elsewhere~", folder.path().join("su")).unwrap();
        let failure = find(folder.path(), Module::GoogleAuthenticator).unwrap_err();
        assert!(failure.what.contains("symbolic link"), "{}", failure.what);
    }
}
