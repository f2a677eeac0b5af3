//! Becoming what sshd would have run, in the way sshd would have run it
//! (session.c do_child in OpenSSH).

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Holds what the client asked for, when there is a forced command (sshd(8)).
pub const ORIGINAL_COMMAND: &str = "SSH_ORIGINAL_COMMAND";

/// Where distributions keep the SFTP server.
const SFTP_SERVERS: [&str; 5] = [
    "/usr/lib/openssh/sftp-server",
    "/usr/libexec/openssh/sftp-server",
    "/usr/libexec/sftp-server",
    "/usr/lib/ssh/sftp-server",
    "/usr/lib/sftp-server",
];

/// A program to become.
#[derive(Debug, PartialEq, Eq)]
pub struct Program {
    path: PathBuf,
    name: OsString,
    arguments: Vec<OsString>,
    keeps_request: bool,
}

/// What runs once the gate is open: the forced command behind `--`, or else
/// what the client asked for (`None`: a login shell) in the account's shell.
///
/// # Errors
/// A line for the person when that can't be run.
pub fn requested(inner: &[OsString], request: Option<&OsStr>, shell: &OsStr) -> Result<Program, String> {
    if let Some((path, arguments)) = inner.split_first() {
        let (name, arguments) = (path.clone(), arguments.to_vec());
        return Ok(Program { path: path.into(), name, arguments, keeps_request: true });
    }
    match request {
        Some(request) if first_word(request) == b"internal-sftp" => sftp_server(request, |path| path.is_file()),
        _ => in_shell(request, shell),
    }
}

fn in_shell(request: Option<&OsStr>, shell: &OsStr) -> Result<Program, String> {
    let shell = if shell.is_empty() { OsStr::new("/bin/sh") } else { shell };
    let path = PathBuf::from(shell);
    let base = path.file_name().filter(|_| path.is_absolute());
    let base = base.ok_or("ssh-otp: SHELL is not the path of a shell")?.to_owned();
    let (name, arguments) = match request {
        None => (with_dash(&base), vec![]),
        Some(request) => (base, vec!["-c".into(), request.to_owned()]),
    };
    Ok(Program { path, name, arguments, keeps_request: false })
}

/// A login shell finds a dash in front of its name.
fn with_dash(base: &OsStr) -> OsString {
    let mut name = OsString::from("-");
    name.push(base);
    name
}

/// sshd's own SFTP server can't be started from outside; the program can.
fn sftp_server(request: &OsStr, exists: impl Fn(&Path) -> bool) -> Result<Program, String> {
    let found = SFTP_SERVERS.iter().map(Path::new).find(|path| exists(path));
    let path = found.ok_or("ssh-otp: no sftp-server on this host")?.to_owned();
    let words = request.as_bytes().split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let arguments = words.skip(1).map(|word| OsString::from_vec(word.to_vec())).collect();
    Ok(Program { name: path.clone().into(), path, arguments, keeps_request: false })
}

/// Whether the client speaks SFTP, so that only an SFTP answer reaches it.
pub fn is_sftp(request: Option<&OsStr>) -> bool {
    let first = request.map(first_word).unwrap_or_default();
    first == b"internal-sftp" || first == b"sftp-server" || first.ends_with(b"/sftp-server")
}

fn first_word(request: &OsStr) -> &[u8] {
    request.as_bytes().split(|byte| matches!(byte, b' ' | b'\t')).next().unwrap_or_default()
}

impl Program {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Becomes it. Only the environment's two variables of ours are gone;
    /// directory, limits, umask and descriptors are as sshd left them, and
    /// `exec` resets what Rust does to SIGPIPE.
    ///
    /// Returns only when that failed.
    #[must_use]
    pub fn become_it(&self, code_variable: &str) -> io::Error {
        let mut command = Command::new(&self.path);
        command.arg0(&self.name).args(&self.arguments).env_remove(code_variable);
        if !self.keeps_request {
            command.env_remove(ORIGINAL_COMMAND);
        }
        command.exec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(request: Option<&[u8]>, shell: &str) -> Result<(String, String, Vec<Vec<u8>>), String> {
        let program = requested(&[], request.map(OsStr::from_bytes), OsStr::new(shell))?;
        assert!(!program.keeps_request);
        let arguments = program.arguments.into_iter().map(OsString::into_vec).collect();
        Ok((program.path.display().to_string(), program.name.into_string().unwrap(), arguments))
    }

    /// Request and SHELL; then the program, its name and its arguments.
    type Row = (Option<&'static [u8]>, &'static str, &'static str, &'static str, &'static [&'static [u8]]);

    #[test]
    fn as_sshd_would() {
        let table: [Row; 6] = [
            (None, "/bin/bash", "/bin/bash", "-bash", &[]),
            (None, "", "/bin/sh", "-sh", &[]),
            (Some(b""), "/bin/dash", "/bin/dash", "dash", &[b"-c", b""]),
            (Some(b"echo 'a  b'; x"), "/usr/bin/fish", "/usr/bin/fish", "fish", &[b"-c", b"echo 'a  b'; x"]),
            (Some(b"echo \xff\n"), "/bin/sh", "/bin/sh", "sh", &[b"-c", b"echo \xff\n"]),
            (
                Some(b"/usr/lib/openssh/sftp-server -e"),
                "/bin/sh",
                "/bin/sh",
                "sh",
                &[b"-c", b"/usr/lib/openssh/sftp-server -e"],
            ),
        ];
        for (request, shell, path, name, arguments) in table {
            let arguments: Vec<Vec<u8>> = arguments.iter().map(|a| a.to_vec()).collect();
            assert_eq!(planned(request, shell), Ok((path.into(), name.into(), arguments)), "{request:?}");
        }
        for shell in ["bash", "/", "../sh", "bin/sh"] {
            assert!(planned(None, shell).is_err(), "{shell}");
        }
    }

    #[test]
    fn internal_sftp_becomes_the_program() {
        let program = sftp_server(OsStr::new("internal-sftp  -l INFO"), |path| path.starts_with("/usr/libexec"));
        let program = program.unwrap();
        assert_eq!(program.path, Path::new("/usr/libexec/openssh/sftp-server"));
        assert_eq!(program.arguments, ["-l", "INFO"]);
        assert!(sftp_server(OsStr::new("internal-sftp"), |_| false).is_err());
    }

    #[test]
    fn another_forced_command_keeps_the_request() {
        let inner = ["rrsync".into(), "/srv".into()];
        let program = requested(&inner, Some(OsStr::new("rsync --server")), OsStr::new("/bin/sh")).unwrap();
        assert_eq!((program.path.as_path(), program.keeps_request), (Path::new("rrsync"), true));
        assert_eq!(program.arguments, ["/srv"]);
    }

    #[test]
    fn sftp_is_recognised() {
        for yes in ["internal-sftp", "internal-sftp -u 0", "/usr/lib/openssh/sftp-server", "/x/sftp-server -e"] {
            assert!(is_sftp(Some(OsStr::new(yes))), "{yes}");
        }
        for no in ["", "scp -t .", "echo /sftp-server", "internal-sftpx"] {
            assert!(!is_sftp(Some(OsStr::new(no))), "{no}");
        }
        assert!(!is_sftp(None));
    }
}
