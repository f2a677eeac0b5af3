//! What the line that `ssh install` writes closes, and what is open without it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;
use std::time::Duration;

use oathgate_tests::process::{Finished, PATIENCE, Running, run};
use oathgate_tests::sshd::Client;

use crate::world::World;

const FORWARDING: &str = "TCP and unix sockets can be forwarded";

/// Two servers behind the firewall, which greet whoever comes: by TCP, and at a
/// unix socket.
struct Inside {
    address: SocketAddr,
    path: String,
}

impl Inside {
    fn new(world: &World) -> Self {
        let path = world.folder().join("inside").display().to_string();
        let (tcp, unix) = (TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap(), UnixListener::bind(&path).unwrap());
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
        std::fs::set_permissions(&path, mode).unwrap();
        let address = tcp.local_addr().unwrap();
        // They end with the test's process.
        thread::spawn(move || tcp.incoming().flatten().for_each(|mut peer| drop(peer.write_all(b"around"))));
        thread::spawn(move || unix.incoming().flatten().for_each(|mut peer| drop(peer.write_all(b"around"))));
        Self { address, path }
    }
}

fn greeting(mut stream: impl Read) -> String {
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text);
    text
}

/// Runs `ssh -N` with a listening option, waits until it listens, and hands over to `look`.
fn listening(client: &Client, option: &[&str], look: impl Fn() -> String) -> String {
    let client = client.clone().option("LogLevel=DEBUG1");
    let ssh = Running::start(&mut client.ssh(&[&["-N"], option].concat(), None));
    ssh.stderr.expect("Entering interactive session", PATIENCE);
    look()
}

/// -W, -L to TCP and to a unix socket, -D: what the greeting was through each.
fn local(world: &World, client: &Client, inside: &Inside, round: &str) -> Vec<String> {
    let own = world.folder().join(format!("own-{round}"));
    let through = |to: &str| {
        let _ = std::fs::remove_file(&own);
        listening(client, &["-L", &format!("{}:{to}", own.display())], || greeting(UnixStream::connect(&own).unwrap()))
    };
    let target = inside.address.to_string();
    let direct = run(&mut client.ssh(&["-W", &target], None), b"");
    vec![direct.text(), through(&target), through(&inside.path), dynamic(client, inside)]
}

/// SOCKS 4, which every ssh -D speaks.
fn dynamic(client: &Client, inside: &Inside) -> String {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    listening(client, &["-D", &free.to_string()], || {
        let mut proxy = TcpStream::connect(free).unwrap();
        let [high, low] = inside.address.port().to_be_bytes();
        proxy.write_all(&[4, 1, high, low, 127, 0, 0, 1, 0]).unwrap();
        let mut answer = vec![];
        let _ = proxy.read_to_end(&mut answer);
        String::from_utf8_lossy(answer.get(8..).unwrap_or_default()).into_owned()
    })
}

/// Whether the server listens for the client.
fn remote(client: &Client, option: &str) -> bool {
    let client = client.clone().option("ExitOnForwardFailure=yes").option("LogLevel=DEBUG1");
    let ssh = Running::start(&mut client.ssh(&["-N", "-R", option], None));
    let said = ssh
        .stderr
        .wait_for_any(&["remote forward success", "remote forward failure", "remote port forwarding failed"], PATIENCE);
    said.unwrap().0 == 0
}

#[test]
fn forwarding_is_closed_by_the_line_that_install_writes() {
    let Some(world) = World::gated("/bin/sh", &[]) else { return };
    let inside = Inside::new(&world);
    let back = world.home().join("back").display().to_string();
    let to = inside.address.to_string();
    let remotes = [format!("0:{to}"), format!("{back}:{to}"), "0".to_owned()];
    let client = world.client();
    assert_eq!(local(&world, &client, &inside, "closed"), [""; 4]);
    assert_eq!(remotes.each_ref().map(|option| remote(&client, option)), [false; 3]);
    // The command alone closes none of it, and doctor says so.
    world.write(".ssh/authorized_keys", &world.line(""));
    assert_eq!(local(&world, &client, &inside, "open"), ["around"; 4]);
    assert_eq!(remotes.each_ref().map(|option| remote(&client, option)), [true; 3]);
    world.named(FORWARDING, ".ssh/authorized_keys:1");
    // What was asked for is open without a code.
    world.write(".ssh/authorized_keys", &world.line("restrict,pty,port-forwarding,"));
    assert_eq!(local(&world, &client, &inside, "asked"), ["around"; 4]);
    world.named(FORWARDING, ".ssh/authorized_keys:1");
}

/// A session that shows what of the client's it can reach. The gate is left out
/// of the line: what is forwarded does not depend on the command.
fn reaches(world: &World, options: &str) -> Finished {
    let socket = world.folder().join("agent");
    let _ = std::fs::remove_file(&socket);
    let mut agent = std::process::Command::new("ssh-agent");
    let running = Running::start(agent.arg("-D").arg("-a").arg(&socket));
    running.stdout.expect("SSH_AUTH_SOCK=", PATIENCE);
    let line = format!(
        "{options}command=\"echo agent:${{SSH_AUTH_SOCK:-none}} x11:${{DISPLAY:-none}}\" {}\n",
        world.key.public
    );
    world.write(".ssh/authorized_keys", &line);
    let agent = format!("IdentityAgent={}", socket.display());
    let client = world.client().option(&agent).option("ForwardAgent=yes").option("ForwardX11=yes");
    run(client.ssh(&["-T"], None).env("DISPLAY", "localhost:77"), b"")
}

#[test]
fn agent_and_x11_are_closed_by_the_line_that_install_writes() {
    let Some(world) = World::gated("/bin/sh", &[]) else { return };
    assert_eq!(reaches(&world, "restrict,pty,").text(), "agent:none x11:none\n");
    let open = reaches(&world, "").text();
    assert!(!open.contains("agent:none"), "{open}");
    let xauth = std::path::Path::new("/usr/bin/xauth").exists();
    assert!(!xauth || !open.contains("x11:none"), "{open}");
    world.write(".ssh/authorized_keys", &world.line("restrict,pty,agent-forwarding,"));
    let (_, findings) = world.doctor();
    assert!(findings.iter().any(|finding| finding["line"].as_str().unwrap().contains("agent or X11")), "{findings:#?}");
}

/// Whether a tun device is forwarded; none where this machine has no such thing.
fn tunnels(client: &Client) -> Option<bool> {
    let client = client.clone().option("LogLevel=DEBUG1");
    let ssh = Running::start(&mut client.ssh(&["-N", "-w", "any:any"], None));
    let words = [
        "tunnel forward established",
        "open failed",
        "Tunnel device open failed",
        "Tunnel forwarding failed",
        "failed to open tunnel",
    ];
    match ssh.stderr.wait_for_any(&words, PATIENCE) {
        Ok((0, _)) => Some(true),
        Ok((1, _)) => Some(false),
        _ => None,
    }
}

/// `restrict` does not close tun devices: the server's setting does, as it is by default.
#[test]
fn tun_is_closed_by_default_and_doctor_names_a_server_that_opens_it() {
    for (setting, expected) in [("PermitTunnel no", false), ("PermitTunnel yes", true)] {
        let Some(world) = World::root(&[setting]) else { return };
        match tunnels(&world.client()) {
            None => eprintln!("skipped: no tun devices here"),
            open => assert_eq!(open, Some(expected), "{setting}"),
        }
        let (_, findings) = world.doctor();
        let named = findings.iter().any(|finding| finding["line"].as_str().unwrap().contains("tun devices"));
        assert_eq!(named, expected, "{findings:#?}");
    }
}

#[test]
fn a_session_without_a_command_gets_nothing() {
    let Some(world) = World::gated("/bin/sh", &[]) else { return };
    let ssh = Running::start(&mut world.client().option("LogLevel=DEBUG1").ssh(&["-N"], None));
    ssh.stderr.expect("Entering interactive session", PATIENCE);
    drop(ssh);
    for subsystem in ["sftp", "nothing"] {
        let finished = run(&mut world.client().ssh(&["-T", "-s"], Some(subsystem.as_ref())), b"");
        assert_ne!(finished.code(), Some(0), "{subsystem}");
        assert!(finished.took < Duration::from_secs(20));
    }
}
