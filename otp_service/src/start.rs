//! From the command line to a running verifier.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use listenfd::ListenFd;
use otp_store::{Journal, SealingKeys, SqliteStore, place};
use otp_wire::{Ask, Request, SERVICE_USER, frame};

use crate::access::{Export, Peer, Role, Rules};
use crate::account;
use crate::arguments::Arguments;
use crate::config::{self, Config};
use crate::delegate::Delegate;
use crate::service::{Service, Settings};
use crate::{Failure, harden, listen, stdio, upkeep};

/// Where the system keeps its store and its sealing keys by default.
const SYSTEM_STORE: &str = "/var/lib/oathgate/store.db";
const SYSTEM_KEYS: &str = "/etc/oathgate/keys";
/// Where a user does, below the home directory.
const USER_STORE: &str = ".local/share/oathgate/store.db";
const USER_KEYS: &str = ".config/oathgate/keys";

/// Everything that has to be known before the store is opened.
pub(crate) struct Plan {
    config: Config,
    pub(crate) store: PathBuf,
    pub(crate) keys: PathBuf,
    /// The user whose own store it is.
    user: bool,
}

/// Does what the command line says.
///
/// # Errors
/// When the verifier can't run as it should; it never runs otherwise.
pub fn start(arguments: &Arguments) -> Result<(), Failure> {
    harden::no_dumps()?;
    if arguments.stdio {
        harden::close_inherited()?;
        return once(&Plan::new(arguments)?);
    }
    let plan = Plan::new(arguments)?;
    match arguments {
        Arguments { init: true, .. } => init(&plan),
        Arguments { backup: true, .. } => upkeep::backup(&plan),
        Arguments { restore: true, .. } => upkeep::restore(&plan),
        Arguments { rotate: true, .. } => upkeep::rotate(&plan),
        Arguments { check: true, .. } => check(&plan),
        _ => serve(&plan, arguments),
    }
}

impl Plan {
    fn new(arguments: &Arguments) -> Result<Self, Failure> {
        let home = arguments.home.as_deref();
        let below = |system: &str, user: &str| home.map_or_else(|| PathBuf::from(system), |home| home.join(user));
        if home.is_some_and(|home| !home.is_absolute()) {
            return Err(Failure::at("--home", "not an absolute path"));
        }
        let path = arguments.config.clone().unwrap_or_else(|| below(config::SYSTEM, config::USER));
        let config = Config::load(&path)?;
        let choose = |argument: &Option<PathBuf>, setting: &Option<PathBuf>, or: PathBuf| {
            argument.clone().or_else(|| setting.clone()).unwrap_or(or)
        };
        Ok(Self {
            store: choose(&arguments.store, &config.store, below(SYSTEM_STORE, USER_STORE)),
            keys: choose(&arguments.keys, &config.keys, below(SYSTEM_KEYS, USER_KEYS)),
            user: arguments.user_store,
            config,
        })
    }

    pub(crate) fn folder(&self) -> &Path {
        self.store.parent().unwrap_or(Path::new("/"))
    }

    /// Loads the keys, gives up root's privileges, and opens the store.
    fn open(&self) -> Result<Service, Failure> {
        let keys = Arc::new(SealingKeys::load(&self.keys)?);
        harden::become_owner_of(self.folder())?;
        self.check_network()?;
        let store = SqliteStore::open(&self.store, Arc::clone(&keys), self.journal())?;
        Ok(Service::new(Box::new(store), keys, self.settings()?))
    }

    fn check_network(&self) -> Result<(), Failure> {
        if !self.config.network_store.unwrap_or(false) && place::is_on_network(self.folder())? {
            let what =
                "lies on a network file system; put the store elsewhere (store = \"…\"), or set network_store = true";
            return Err(Failure::at(self.folder().display(), what));
        }
        Ok(())
    }

    fn journal(&self) -> Journal {
        if self.user { Journal::Delete } else { Journal::Wal }
    }

    fn rules(&self) -> Rules {
        let export = if self.user { Export::OwnerWithCode } else { Export::Root };
        Rules {
            self_service: self.config.self_service.unwrap_or(self.user),
            export: self.config.export.unwrap_or(export),
        }
    }

    fn delegates(&self) -> Result<Vec<Delegate>, Failure> {
        let settings = self.config.delegate.as_deref().unwrap_or_default();
        if self.user && !settings.is_empty() {
            return Err(Failure::at("delegate", "a user's own store has none; remove [[delegate]]"));
        }
        settings.iter().map(Delegate::find).collect()
    }

    fn settings(&self) -> Result<Settings, Failure> {
        let keys_reader = self.config.keys_reader.as_deref().map(|name| {
            let unknown = || Failure::at("keys_reader", format!("there is no user {name:?}"));
            account::uid_of(name).map(|(uid, _)| uid.as_raw()).ok_or_else(unknown)
        });
        let name = || rustix::system::uname().nodename().to_string_lossy().into_owned();
        Ok(Settings {
            issuer: self.config.issuer.clone().unwrap_or_else(name),
            rules: self.rules(),
            self_enrol: self.config.self_enrol.unwrap_or(self.user),
            limits: self.config.profile.unwrap_or_default().limits(),
            place: self.store.display().to_string(),
            connection_grants: self.config.connection_grants.unwrap_or(true),
            keys_reader: keys_reader.transpose()?,
            delegates: self.delegates()?,
            syslog: true,
        })
    }
}

/// Says whether a verifier could start, without starting one.
fn check(plan: &Plan) -> Result<(), Failure> {
    let keys = SealingKeys::load(&plan.keys)?;
    harden::become_owner_of(plan.folder())?;
    place::check_folder(plan.folder())?;
    place::check_file(&plan.store)?;
    plan.check_network()?;
    plan.settings()?;
    println!("settings, sealing keys and the store's place are as they should be");
    println!("store {}", plan.store.display());
    println!("keys {} (number {} seals)", plan.keys.display(), keys.current());
    Ok(())
}

/// Makes what is missing: folders, and a first sealing key.
fn init(plan: &Plan) -> Result<(), Failure> {
    if let Some(above) = plan.keys.parent().filter(|above| !plan.user && !above.exists()) {
        make_readable(above)?;
    }
    for folder in [&plan.keys, plan.folder()] {
        place::make_folder(folder)?;
    }
    if SealingKeys::load(&plan.keys).is_err() {
        let key = SealingKeys::create(&plan.keys)?;
        println!("made the sealing key {}; keep a copy of it apart from copies of the store", key.display());
    }
    if let (Some((uid, gid)), true) = (account::uid_of(SERVICE_USER), rustix::process::geteuid().is_root()) {
        let at = |why| Failure::at(plan.folder().display(), why);
        std::os::unix::fs::chown(plan.folder(), Some(uid.as_raw()), Some(gid.as_raw())).map_err(at)?;
    }
    harden::become_owner_of(plan.folder())?;
    if !plan.store.exists() {
        SqliteStore::create(&plan.store)?;
    }
    println!("ready: the store is {}", plan.store.display());
    Ok(())
}

/// Makes the folder of the settings and, below it, the keys. The service reads
/// the settings, and is not root; whatever the umask says, it must get there.
fn make_readable(folder: &Path) -> Result<(), Failure> {
    place::make_folder(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(0o755)).map_err(|why| Failure::at(folder.display(), why))
}

/// Answers one request of the caller's.
fn once(plan: &Plan) -> Result<(), Failure> {
    let line = stdio::read()?;
    // The effective uid: su is root's program, whoever calls it.
    let uid = rustix::process::geteuid();
    let peer = match (plan.user, uid.is_root()) {
        (true, _) => Peer { uid: uid.as_raw(), role: Role::Owner },
        (false, true) => Peer { uid: 0, role: Role::Root },
        (false, false) => return Err(Failure::at("--stdio", "only root may use the system's store this way")),
    };
    if plan.user {
        prepare_user_store(plan, &line)?;
    } else {
        harden::lift_limits()?;
    }
    match plan.open() {
        Ok(service) => stdio::answer(&service, peer, &line),
        Err(failure) => stdio::refuse(&line, failure),
    }
}

/// A user's first enrolment makes the user's store; there is nobody else to do
/// it. Half a store is not made whole: then something was lost.
fn prepare_user_store(plan: &Plan, line: &[u8]) -> Result<(), Failure> {
    let enrols =
        frame::decode::<Request>(line).is_ok_and(|request| matches!(request.ask, Ask::Enrol(_) | Ask::Import(_)));
    if !enrols || plan.store.exists() || plan.keys.exists() {
        return Ok(());
    }
    place::make_folder(plan.folder())?;
    place::make_folder(&plan.keys)?;
    SqliteStore::create(&plan.store)?;
    SealingKeys::create(&plan.keys)?;
    Ok(())
}

fn serve(plan: &Plan, arguments: &Arguments) -> Result<(), Failure> {
    let (root, public) = sockets(arguments)?;
    let service = Arc::new(plan.open()?);
    let other = Arc::clone(&service);
    let listening = thread::Builder::new()
        .name("public".to_owned())
        .spawn(move || listen::serve(public, listen::PUBLIC, other))
        .map_err(|why| Failure::at("thread", why))?;
    listen::serve(root, listen::ROOT, service)?;
    drop(listening);
    Ok(())
}

/// The sockets for root and for everybody: from systemd in this order
/// (sd_listen_fds(3), `Sockets=` in the unit), or made here.
fn sockets(arguments: &Arguments) -> Result<(UnixListener, UnixListener), Failure> {
    let mut given = ListenFd::from_env();
    if given.len() > 0 {
        let mut take = |index| given.take_unix_listener(index).map_err(|why| Failure::at("socket activation", why));
        return match (take(0)?, take(1)?) {
            (Some(root), Some(public)) => in_order(root, public),
            _ => Err(Failure::at("socket activation", "two sockets are needed: root's and everybody's")),
        };
    }
    Ok((listen::bind(&arguments.root_socket, 0o600)?, listen::bind(&arguments.public_socket, 0o666)?))
}

/// systemd may hand the two over in either order; their names tell.
fn in_order(first: UnixListener, second: UnixListener) -> Result<(UnixListener, UnixListener), Failure> {
    let is_root = |socket: &UnixListener| {
        let address = socket.local_addr().ok();
        address.and_then(|address| address.as_pathname().map(|path| path.ends_with("root"))).unwrap_or(false)
    };
    match (is_root(&first), is_root(&second)) {
        (true, false) => Ok((first, second)),
        (false, true) => Ok((second, first)),
        _ => Err(Failure::at("socket activation", "exactly one socket must be named …/root")),
    }
}
