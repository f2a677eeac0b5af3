//! How a table of test cases is run: by our module and a verifier whose clock the
//! case sets, and by the other module with libfaketime, where both are here.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use oathgate_tests::built::{bin, library};
use oathgate_tests::fake_verifier::{Act, FakeVerifier};
use oathgate_tests::process::run;
use oathgate_tests::sshd::id;
use otp_service::access::{Peer, Role};
use otp_service::service::{Service, Settings};
use otp_store::{Journal, SealingKeys, SqliteStore, place};
use otp_wire::frame;

const ROOT: Peer = Peer { uid: 0, role: Role::Root };

/// What a module says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// Come in.
    Yes,
    /// Asked, and then refused.
    No,
    /// Refused without having asked.
    Unasked,
}

/// One try.
pub struct Try<'a> {
    /// Seconds since 1970.
    pub at: u64,
    pub typed: &'a str,
    /// By the other module's own test.
    pub theirs: Said,
    pub ours: Said,
    /// Why these are not the same; empty where they are.
    pub because: &'a str,
}

/// The tries of one state, one after the other.
pub struct Case<'a> {
    pub name: &'a str,
    /// The other module's file.
    pub state: &'a str,
    /// Who tries; whoever runs the test if it is empty.
    pub user: &'a str,
    /// Options of the other module.
    pub options: &'a str,
    pub tries: &'a [Try<'a>],
}

/// A try at which both say the same.
pub fn same(at: u64, typed: &str, said: Said) -> Try<'_> {
    Try { at, typed, theirs: said, ours: said, because: "" }
}

/// A try at which they don't, and why.
pub fn other<'a>(at: u64, typed: &'a str, theirs: Said, ours: Said, because: &'a str) -> Try<'a> {
    Try { at, typed, theirs, ours, because }
}

impl Case<'_> {
    /// Runs it here, and there if it can be run there. `line` makes the other module's
    /// words in a stack from the path of its file.
    pub fn check(&self, module: &str, line: impl Fn(&Path) -> String) {
        let place = Place::new();
        let state = place.file("state", self.state);
        let ours = Ours::new(&place, &state);
        let theirs = Theirs::find(module).map(|clock| (clock, line(&state)));
        for Try { at, typed, theirs: expected, ours: own, because } in self.tries {
            let what = format!("{}, {typed:?} at {at}", self.name);
            assert_eq!(expected == own, because.is_empty(), "a difference has a reason: {what}");
            assert_eq!(ours.try_at(&place, self.user, typed, *at), *own, "ours: {what}");
            if let Some((clock, line)) = &theirs {
                let line = format!("{line} {}", self.options);
                assert_eq!(clock.try_at(&place, &line, self.user, typed, *at), *expected, "{module}: {what}");
            }
        }
    }
}

/// How many of two logins get in with one code, both held at the prompt: here, and there
/// if it can be tried there.
pub fn together(module: &str, state: &str, typed: &str, line: impl Fn(&Path) -> String) -> (usize, Option<usize>) {
    let place = Place::on_disk();
    let path = place.file("state", state);
    let ours = Ours::new(&place, &path);
    let logins = |line: &str| {
        let finished = run(place.host(line, "").args(["--threads", "2"]), format!("{typed}\n").as_bytes());
        finished.text().matches("result PAM_SUCCESS\n").count()
    };
    (logins(&ours.line()), crate::stage::installed(module).map(|_| logins(&line(&path))))
}

/// A folder of files and stacks.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self::below(&std::env::temp_dir())
    }

    /// Where an fsync takes its time.
    fn on_disk() -> Self {
        Self::below(Path::new(env!("CARGO_TARGET_TMPDIR")))
    }

    fn below(folder: &Path) -> Self {
        // Its real path: as root no link of somebody else's is followed.
        let folder = fs::canonicalize(folder).unwrap();
        Self(tempfile::tempdir_in(folder).unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// Who may answer the prompt of a stack with one line.
    fn host(&self, line: &str, user: &str) -> Command {
        self.file("su", &format!("auth required {line}\n"));
        let mut host = Command::new(env!("CARGO_BIN_EXE_pam_host"));
        let user = if user.is_empty() { id("-un") } else { user.to_owned() };
        host.arg(self.0.path()).args(["su", &user]);
        host
    }
}

fn said(host: &mut Command, typed: &str) -> Said {
    let text = run(host, format!("{typed}\n").as_bytes()).text();
    let asked = text.lines().any(|line| line.starts_with("Hidden ") || line.starts_with("Echoed "));
    match (text.contains("result PAM_SUCCESS\n"), asked) {
        (true, _) => Said::Yes,
        (false, true) => Said::No,
        (false, false) => Said::Unasked,
    }
}

/// Our module, asking a verifier that lives in this process, by a clock of its own.
struct Ours {
    clock: Arc<AtomicU64>,
    verifier: FakeVerifier,
}

impl Ours {
    /// After the file was imported.
    fn new(place: &Place, state: &Path) -> Self {
        let (service, clock) = (service(&place.path("store")), Arc::<AtomicU64>::default());
        let now = Arc::clone(&clock);
        let verifier = FakeVerifier::start(&place.path("socket"), move |request| {
            let line = frame::encode(request, frame::MAX_REQUEST).expect("it came as one");
            Act::Say(service.answer(ROOT, &line, now.load(Ordering::SeqCst)).expect("an answer").outcome)
        });
        let mut import = Command::new(bin("oathgate"));
        import.arg("--socket").arg(verifier.path()).arg("import").arg(state);
        let finished = run(import.args(["--allow-weak", "--account", &id("-un")]).env_clear(), b"");
        assert_eq!(finished.code(), Some(0), "{}", finished.stderr);
        Self { clock, verifier }
    }

    fn try_at(&self, place: &Place, user: &str, typed: &str, at: u64) -> Said {
        self.clock.store(at, Ordering::SeqCst);
        said(&mut place.host(&self.line(), user), typed)
    }

    fn line(&self) -> String {
        let module = library("libpam_oathgate.so");
        format!("{} socket={}", module.display(), self.verifier.path().display())
    }
}

fn service(folder: &Path) -> Service {
    let (keys, store) = (folder.join("keys"), folder.join("store.db"));
    [folder, &keys].iter().for_each(|folder| place::make_folder(folder).unwrap());
    SealingKeys::create(&keys).unwrap();
    let keys = Arc::new(SealingKeys::load(&keys).unwrap());
    SqliteStore::create(&store).unwrap();
    let store = SqliteStore::open(&store, Arc::clone(&keys), Journal::Wal).unwrap();
    Service::new(Box::new(store), keys, Settings::default())
}

/// The other module, under libfaketime.
struct Theirs(PathBuf);

impl Theirs {
    fn find(module: &str) -> Option<Self> {
        let installed = crate::stage::installed(module)?;
        let library = installed.ancestors().nth(2)?.join("faketime/libfaketime.so.1");
        if !library.exists() {
            eprintln!("skipped: no libfaketime for {module}");
            return None;
        }
        Some(Self(library))
    }

    fn try_at(&self, place: &Place, line: &str, user: &str, typed: &str, at: u64) -> Said {
        let mut host = place.host(line, user);
        host.env("LD_PRELOAD", &self.0).env("FAKETIME_FMT", "%s").env("FAKETIME", at.to_string()).env("TZ", "UTC");
        said(&mut host, typed)
    }
}
