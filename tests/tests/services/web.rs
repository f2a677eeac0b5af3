//! nginx, whose workers run as www-data and ask for others as a delegate.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::thread;

use base64ct::{Base64, Encoding};
use oathgate_tests::process::{PATIENCE, Running};

use rustix::process::{Pid, Signal, kill_process};

use crate::system::{PASSWORD, System, has};

const DELEGATE: &str = "[[delegate]]\nuser = \"www-data\"\nservice = \"nginx\"\ngroup = \"web\"\n";

const OURS: &str = "auth required MODULE";

/// Each asks PAM and waits.
const WORKERS: usize = 4;

/// Nothing is written down.
const CONFIG: &str = "\
load_module NGINX_MODULE;
user www-data;
worker_processes WORKERS;
daemon off;
pid /run/nginx.pid;
error_log stderr notice;
events { }
http {
    access_log off;
    client_body_temp_path /run/web-body;
    proxy_temp_path /run/web-proxy;
    fastcgi_temp_path /run/web-fastcgi;
    uwsgi_temp_path /run/web-uwsgi;
    scgi_temp_path /run/web-scgi;
    server {
        listen 127.0.0.1:PORT;
        root /run/www;
        location / {
            auth_pam \"private\";
            auth_pam_service_name \"nginx\";
        }
    }
}
";

const NGINX_MODULE: &str = "/usr/lib/nginx/modules/ngx_http_auth_pam_module.so";

/// A system in which nginx asks the module, with these settings of the verifier's.
fn system(test: &str, settings: &str, auth: &str) -> Option<System> {
    let there = has(NGINX_MODULE, "libnginx-mod-http-auth-pam");
    let system = there.then(|| System::with(&format!("web::{test}"), settings)).flatten()?;
    system.stack("nginx", auth);
    Some(system)
}

struct Web {
    port: u16,
    server: Running,
}

impl Web {
    /// Somebody may take a free port before nginx does: then another one.
    fn start() -> Self {
        fs::create_dir("/run/www").unwrap();
        fs::write("/run/www/page", "the page\n").unwrap();
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).unwrap().port();
            let config = CONFIG.replace("PORT", &port.to_string()).replace("WORKERS", &WORKERS.to_string());
            fs::write("/run/nginx.conf", config.replace("NGINX_MODULE", NGINX_MODULE)).unwrap();
            let server = Running::start(Command::new("nginx").args(["-c", "/run/nginx.conf", "-e", "stderr"]));
            if (0..WORKERS).all(|_| server.stderr.wait_for("start worker process ", PATIENCE).is_ok()) {
                return Self { port, server };
            }
        }
        panic!("nginx does not start");
    }

    /// Fetches the page; the status.
    fn get(&self, login: Option<(&str, &str)>) -> u16 {
        let authorization = login.map_or(String::new(), |(user, password)| {
            let credentials = Base64::encode_string(format!("{user}:{password}").as_bytes());
            format!("Authorization: Basic {credentials}\r\n")
        });
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET /page HTTP/1.0\r\n{authorization}\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("{answer:?} {}", self.server.stderr.so_far()));
        assert_eq!(status == 200, answer.ends_with("\r\n\r\nthe page\n"), "{answer}");
        status
    }
}

/// Killed, it would leave its worker behind.
impl Drop for Web {
    fn drop(&mut self) {
        let master = Pid::from_raw(self.server.pid().cast_signed()).unwrap();
        kill_process(master, Signal::TERM).unwrap();
        self.server.wait(PATIENCE);
    }
}

#[test]
fn a_code_opens_a_page_once() {
    let Some(system) = system("a_code_opens_a_page_once", DELEGATE, OURS) else { return };
    let [ann, carl, root] = ["ann", "carl", "root"].map(|account| system.enrol(account));
    let web = Web::start();
    assert_eq!(web.get(None), 401);
    assert_eq!(web.get(Some(("ann", &ann.wrong_code()))), 401);
    assert_eq!(web.get(Some(("ann", &ann.code(0)))), 200);
    // A browser sends it with every request, and it counts once.
    assert_eq!(web.get(Some(("ann", &ann.code(0)))), 401);
    assert_eq!(web.get(Some(("ann", &ann.code(1)))), 200);
    assert_eq!(web.get(Some(("carl", &carl.code(0)))), 401, "not in the group");
    assert_eq!(web.get(Some(("root", &root.code(0)))), 401, "never");
    assert_eq!(web.get(Some(("no-such-account", "123456"))), 401);
    assert_eq!(web.get(Some(("ann", &ann.scratch(0)))), 200);
    let accepted = |peer| system.decided().into_iter().filter(move |row| row.2 && row.3 == peer).count();
    assert_eq!(accepted(33), 3, "{:?}", system.decided());
}

#[test]
fn password_and_code_in_one() {
    let auth = "auth required MODULE forward_pass\nauth required pam_unix.so use_first_pass nodelay";
    let Some(system) = system("password_and_code_in_one", DELEGATE, auth) else { return };
    let ann = system.enrol("ann");
    let web = Web::start();
    for (password, code, expected) in [
        (PASSWORD, ann.code(0), 200),
        (PASSWORD, ann.code(0), 401),
        ("wrong horse", ann.code(1), 401),
        (PASSWORD, String::new(), 401),
        ("", ann.code(2), 401),
        (PASSWORD, ann.code(3), 200),
    ] {
        assert_eq!(web.get(Some(("ann", &format!("{password}{code}")))), expected);
    }
}

#[test]
fn one_code_in_eight_requests_opens_one_page() {
    let Some(system) = system("one_code_in_eight_requests_opens_one_page", DELEGATE, OURS) else { return };
    let ann = system.enrol("ann");
    let web = Web::start();
    for round in 0..5 {
        let code = ann.code(round);
        let statuses: Vec<u16> = thread::scope(|scope| {
            let requests: Vec<_> = (0..8).map(|_| scope.spawn(|| web.get(Some(("ann", &code))))).collect();
            requests.into_iter().map(|request| request.join().unwrap()).collect()
        });
        let opened = statuses.iter().filter(|status| **status == 200).count();
        assert_eq!(opened, 1, "{statuses:?}, round {round}");
    }
}

#[test]
fn who_is_no_delegate_is_believed_nothing() {
    let elsewhere = DELEGATE.replace("nginx", "apache2");
    // With nullok, what can't be decided must still shut people out.
    let auth = "auth required MODULE nullok\nauth required pam_permit.so";
    let Some(system) = system("who_is_no_delegate_is_believed_nothing", &elsewhere, auth) else { return };
    let ann = system.enrol("ann");
    let web = Web::start();
    for (user, password) in [("ann", ann.code(0)), ("bob", "123456".to_owned())] {
        assert_eq!(web.get(Some((user, &password))), 401, "{user}");
    }
    assert_eq!(system.decided().len(), 0, "nothing was judged");
}
