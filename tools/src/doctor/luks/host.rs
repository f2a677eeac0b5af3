//! What has to be installed so that somebody asks for a code.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use luks_unlock::order::Plugin;
use luks_unlock::token::Gate;

use super::line::Told;
use crate::doctor::finding::{Finding, State};
use crate::luks::crypttab::{KEY_SERVICE, KEYSCRIPT};

/// What enables the socket of the key service.
const ENABLED: [&str; 2] = ["etc/systemd/system/sockets.target.wants", "usr/lib/systemd/system/sockets.target.wants"];
const SOCKET: &str = "oathgate-disk-key.socket";
const HELPER: &str = "/usr/libexec/oathgate/oathgate-luks";
const HOOK: &str = "/usr/share/initramfs-tools/hooks/oathgate";
const LISTS: &str = "/usr/bin/lsinitramfs";
/// The longest listing of an initramfs, in bytes.
const MAX_LISTING: u64 = 16 << 20;
/// Copies of headers, as `oathgate luks` names them.
const COPIES: &str = "var/backups";

/// The machine, seen from its root folder.
pub struct Host(PathBuf);

impl Host {
    /// This machine.
    pub fn look() -> Self {
        Self("/".into())
    }

    #[cfg(test)]
    pub fn below(root: &Path) -> Self {
        Self(root.to_owned())
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.join(path.trim_start_matches('/'))
    }

    /// Judges what the lines of all volumes need.
    pub fn judge(&self, lines: &[Told]) -> Vec<Finding> {
        let mut findings = Vec::new();
        if lines.iter().any(|told| told.gate == Gate::Store) {
            findings.extend(self.key_service());
        }
        if lines.iter().any(Told::by_keyscript) {
            findings.extend(self.keyscript());
        }
        findings
    }

    fn key_service(&self) -> Option<Finding> {
        let run = format!("systemctl enable --now {SOCKET}");
        if !self.path("run/systemd/system").is_dir() {
            return Some(Finding::warning("systemd does not run: nobody asks for codes at boot"));
        }
        if !ENABLED.iter().any(|folder| self.path(folder).join(SOCKET).exists()) {
            return Some(Finding::bad(format!("{SOCKET} is not enabled: nobody asks for codes at boot")).run(run));
        }
        let listens = self.path(KEY_SERVICE).exists();
        (!listens).then(|| Finding::warning(format!("nobody listens at {KEY_SERVICE} now")).run(run))
    }

    fn keyscript(&self) -> Vec<Finding> {
        let missing = [KEYSCRIPT, HELPER, HOOK].into_iter().filter(|path| !self.path(path).is_file());
        let line =
            |path| format!("crypttab names our keyscript, but {path} is missing: the next initramfs asks for no code");
        let findings: Vec<Finding> = missing
            .map(|path| Finding::bad(line(path)).run("install oathgate again, then update-initramfs -u"))
            .collect();
        if findings.is_empty() { self.initramfs().into_iter().collect() } else { findings }
    }

    /// Whether the initramfs of this kernel has what the hook copies.
    fn initramfs(&self) -> Option<Finding> {
        let kernel = rustix::system::uname().release().to_string_lossy().into_owned();
        let image = self.path(&format!("boot/initrd.img-{kernel}"));
        let named = image.display();
        let listing = match list(&self.path(LISTS), &image) {
            Ok(listing) => listing,
            Err(why) => return Some(Finding::unseen(format!("{named} can't be looked into: {why}"))),
        };
        let has =
            |path: &str| listing.lines().any(|line| path.trim_start_matches('/') == line.trim_start_matches("./"));
        let lacks = [KEYSCRIPT, HELPER].into_iter().find(|path| !has(path));
        let stale = || newer(&self.path(HELPER), &image) || newer(&self.path(KEYSCRIPT), &image);
        let finding = match lacks {
            Some(path) => Finding::bad(format!("{named} lacks {path}: no code is asked for at boot")),
            None if stale() => Finding::warning(format!("{named} is older than what is installed")),
            None => return None,
        };
        Some(finding.run("update-initramfs -u"))
    }

    /// Copies of a header from before a change.
    pub fn copies(&self, uuid: &str) -> Vec<Finding> {
        let entries = fs::read_dir(self.path(COPIES)).into_iter().flatten().flatten();
        let start = format!("oathgate-luks-{uuid}-");
        let ours = |name: &str| name.starts_with(&start) && name.ends_with(".header");
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| ours(name));
        let mut copies: Vec<PathBuf> = names.map(|name| self.path(COPIES).join(name)).collect();
        copies.sort();
        let line = |file: &Path| {
            format!("{} is older than the header: what opened the disk then opens this copy", file.display())
        };
        copies.iter().map(|file| Finding::warning(line(file)).run(format!("shred -u {}", file.display()))).collect()
    }
}

/// The names in an initramfs.
fn list(program: &Path, image: &Path) -> Result<String, String> {
    fs::File::open(image).map_err(|error| error.to_string())?;
    let failed = |error: std::io::Error| format!("{}: {error}", program.display());
    // A script, which finds its programs by PATH.
    let mut command = Command::new(program);
    command.arg(image).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").stdin(Stdio::null());
    let mut listing = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().map_err(failed)?;
    let mut text = String::new();
    let read = listing.stdout.take().map_or(Ok(0), |out| out.take(MAX_LISTING).read_to_string(&mut text));
    let status = listing.wait().map_err(failed)?;
    read.map_err(failed)?;
    if status.success() { Ok(text) } else { Err(format!("{} fails", program.display())) }
}

fn newer(file: &Path, than: &Path) -> bool {
    let changed = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    changed(file).zip(changed(than)).is_some_and(|(file, than)| file > than)
}

/// Whether one of these mappings carries the root file system.
pub fn is_root(names: &[String]) -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mut sources = mounts.lines().filter_map(|line| line.split_once(" / ")).map(|(source, _)| source);
    let device = sources.next_back().and_then(|source| fs::canonicalize(source).ok());
    device.as_deref().and_then(Path::file_name).is_some_and(|block| stands_on(Path::new(block), names, LAYERS))
}

/// Block devices on top of each other that are looked through.
const LAYERS: u8 = 8;

/// Whether a block device is one of these mappings, or stands on one (LVM, RAID).
fn stands_on(block: &Path, names: &[String], layers: u8) -> bool {
    let folder = Path::new("/sys/class/block").join(block);
    let name = fs::read_to_string(folder.join("dm/name")).unwrap_or_default();
    let below = || fs::read_dir(folder.join("slaves")).into_iter().flatten().flatten();
    let deeper = layers.checked_sub(1);
    names.iter().any(|each| each == name.trim())
        || deeper.is_some_and(|layers| below().any(|entry| stands_on(Path::new(&entry.file_name()), names, layers)))
}

/// Judges the plugin that libcryptsetup loads.
pub fn plugin(plugin: &Plugin) -> Finding {
    let (path, ours) = (&plugin.path, env!("CARGO_PKG_VERSION"));
    match &plugin.version {
        Ok(version) if version == ours => {
            Finding::new(State::Good, format!("the plugin is where cryptsetup looks: {path}"))
        }
        Ok(version) => Finding::bad(format!("the plugin {path} is of version {version}, this oathgate of {ours}"))
            .run("install both from one release"),
        Err(why) => Finding::bad(format!("cryptsetup and systemd load no plugin, and ask for no code: {why}"))
            .run(format!("install oathgate again, with {path}")),
    }
}
