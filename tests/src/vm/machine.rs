//! On the host: QEMU, and what the guest says.

#![allow(clippy::expect_used)]

use std::ffi::OsString;
use std::fs::File;
use std::num::NonZero;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use oathgate_tests::process::Running;

use crate::console::{self, Attended};
use crate::inside::{ATTENDED, FAILED, PASSED};
use crate::scenario::{DISKS, INITRAMFS};

/// For a scenario with all its boots, where the host gives to others most of what there is.
const LIMIT: Duration = Duration::from_secs(1800);

/// Runs the scenarios, each in a guest of its own: one more than there are
/// processors at a time, for a guest waits now and then.
pub fn run_all(folder: &Path, names: &[&str]) -> ExitCode {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let waiting = Mutex::new(names.iter());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
    let runs = || std::iter::from_fn(next).filter(|name| !run(folder, name)).count() == 0;
    let passed: Vec<bool> = thread::scope(|scope| {
        let workers: Vec<_> = (0..=processors).map(|_| scope.spawn(runs)).collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or(false)).collect()
    });
    if passed.iter().all(|one| *one) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether a scenario passed; said in one line, or with all that the guest said.
fn run(folder: &Path, name: &str) -> bool {
    let begun = Instant::now();
    let disks = tempfile::tempdir_in(folder).expect("room on the disk");
    let machine = Machine { folder, disks: disks.path(), name, until: begun + LIMIT };
    machine.make_disks();
    let mut said = String::new();
    let mut next = machine.start(None, &mut said);
    while let Ok(Some(attended)) = next {
        next = machine.start(Some(&attended), &mut said);
    }
    // Kept, so that one can see where the time goes.
    std::fs::write(folder.join(format!("{name}.log")), &said).expect("room on the disk");
    let seconds = begun.elapsed().as_secs();
    let Err(why) = next else {
        println!("{name}: passed in {seconds} s");
        return true;
    };
    let late = if machine.left().is_zero() { ": out of time" } else { "" };
    println!("{name}: FAILED after {seconds} s{late}\n{said}{why}");
    println!("The guest's console: {}", machine.console_log());
    false
}

/// A guest that runs no scenario, with its console on this terminal.
pub fn shell(folder: &Path) -> ExitCode {
    let disks = tempfile::tempdir_in(folder).expect("room on the disk");
    let machine = Machine { folder, disks: disks.path(), name: "", until: Instant::now() };
    machine.make_disks();
    eprintln!("End it with Ctrl-A X. A scenario by hand: /usr/libexec/vm inside NAME");
    let mut command = Command::new("qemu-system-x86_64");
    command.args(machine.hardware(&folder.join("initrd.img"))).args(["-serial", "mon:stdio"]);
    let status = command.args(["-append", KERNEL]).status();
    ExitCode::from(u8::from(!status.is_ok_and(|status| status.success())))
}

/// There are no flaws of a real processor to work around. What the kernel would
/// measure against its timers takes seconds in emulation; so does it to translate
/// every program anew because it lies elsewhere in memory.
const KERNEL: &str = "root=/dev/vda rw console=ttyS0 mitigations=off nolapic_timer no_timer_check lpj=4000000 \
                      tsc=reliable init_on_alloc=0 cryptomgr.notests norandmaps nokaslr random.trust_cpu=on";

/// The second serial port, where the scenario is heard.
const SAYS: &str = "file:/dev/stdout";

/// A guest, with the disks that it keeps from one start to the next.
struct Machine<'a> {
    folder: &'a Path,
    disks: &'a Path,
    /// The scenario.
    name: &'a str,
    until: Instant,
}

impl Machine<'_> {
    fn make_disks(&self) {
        for (name, size) in DISKS {
            let file = File::create(self.disks.join(name));
            file.and_then(|file| file.set_len(size << 20)).expect("room on the disk");
        }
    }

    fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// Starts it, and waits until it has passed or wants somebody at its
    /// console at another start. Whatever it says is added to `said`.
    fn start(&self, attended: Option<&Attended>, said: &mut String) -> Result<Option<Attended>, String> {
        let (mut guest, typed) = match attended {
            None => (Running::start(&mut self.alone()), Ok(())),
            Some(attended) => console::converse(&mut self.attended(attended), attended, self.left()),
        };
        let verdict = typed.and_then(|()| self.verdict(&mut guest));
        said.push_str(&guest.stdout.so_far());
        verdict.map_err(|why| format!("{why}\n{}", guest.stderr.so_far()))
    }

    fn verdict(&self, guest: &mut Running) -> Result<Option<Attended>, String> {
        match guest.stdout.wait_for_any(&[PASSED, FAILED, ATTENDED], self.left()) {
            Ok((0, _)) => Ok(None),
            Ok((1, _)) => Err("the scenario failed".to_owned()),
            Ok(_) => {
                let wanted = guest.stdout.wait_for("\n", self.left())?;
                guest.wait(self.left());
                serde_json::from_str(&wanted).map(Some).map_err(|error| format!("{wanted}: {error}"))
            }
            Err(_) => Err("the guest ended without a verdict".to_owned()),
        }
    }

    /// The system of the image. The guest's time is what it computes, not what
    /// passes here: no deadline of its programs is missed because this machine is
    /// busy. Idling takes as long as here: it may be a disk that is waited for.
    fn alone(&self) -> Command {
        let mut command = self.qemu(&self.folder.join("initrd.img"), "");
        command.args(["-icount", "shift=0,sleep=on", "-rtc", "clock=vm"]);
        command.args(["-serial", &format!("file:{}", self.console_log()), "-serial", SAYS]);
        command
    }

    /// The system on the encrypted disk, by the initramfs that the guest has made
    /// for it. While it waits for somebody to type, its time passes as it does here.
    fn attended(&self, attended: &Attended) -> Command {
        let mut command = self.qemu(&self.disks.join(INITRAMFS), "root=/dev/mapper/root");
        command.args(["-icount", "shift=0,sleep=on", "-rtc", &format!("clock=vm,base={}", attended.clock)]);
        command.args(console::port(&self.console_log())).args(["-serial", SAYS]);
        command
    }

    fn console_log(&self) -> String {
        self.folder.join(format!("{}.console", self.name)).display().to_string()
    }

    /// It ends with us, however we end.
    fn qemu(&self, initramfs: &Path, more: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "qemu-system-x86_64"]).args(self.hardware(initramfs));
        let name = self.name;
        let kernel = format!("{KERNEL} quiet scenario={name} systemd.mask=serial-getty@ttyS0.service {more}");
        command.args(["-append", &kernel]);
        command
    }

    /// A processor of a named model: what `max` emulates differs between versions of
    /// QEMU. It has random numbers, for which the kernel would have to wait.
    fn hardware(&self, initramfs: &Path) -> Vec<OsString> {
        let mut words: Vec<OsString> =
            ["-accel", "tcg", "-machine", "q35", "-cpu", "Westmere,+rdrand", "-m", "512"].map(Into::into).into();
        words.extend(["-nodefaults", "-no-user-config", "-display", "none"].map(Into::into));
        words.extend(["-device", "virtio-rng-pci"].map(Into::into));
        words.extend(["-kernel".into(), self.folder.join("vmlinuz").into(), "-initrd".into(), initramfs.into()]);
        // The image stays as it is: what a guest writes is gone with it.
        words.extend(drive("root", &self.folder.join("root.img"), "snapshot=on"));
        words.extend(drive("payload", &self.folder.join("payload.tar"), "readonly=on"));
        words.extend(drive("encrypted-image", &self.folder.join("encrypted.img"), "readonly=on"));
        for (name, _) in DISKS {
            words.extend(drive(name, &self.disks.join(name), "discard=unmap"));
        }
        words
    }
}

/// A disk of the guest's; nothing on it must outlive the host.
fn drive(name: &str, path: &Path, more: &str) -> [OsString; 4] {
    let drive = format!("if=none,id={name},format=raw,cache=unsafe,file={},{more}", path.display());
    let device = format!("virtio-blk-pci,drive={name},serial={name}");
    ["-drive", &drive, "-device", &device].map(Into::into)
}
