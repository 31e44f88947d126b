//! Servers, each with its own folder and ports, ended with the test.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use secure_bun_tests::{Folder, PATIENCE, is_root};

use super::program;

/// A running server.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    /// Goes away after it. Holds what it says, too.
    folder: Folder,
}

/// What a server says: a file of its folder.
const SAYS: &str = "says";

impl Drop for Server {
    fn drop(&mut self) {
        // At once, and its children with it.
        let _ = kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGQUIT);
        let _ = self.child.wait();
        if std::thread::panicking() {
            let said = fs::read_to_string(self.folder.path(SAYS)).unwrap_or_default();
            eprintln!("the server at port {} said:\n{said}", self.port);
        }
    }
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

/// Whether something listens there.
fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// Starts a server, and waits until it serves.
fn start(mut command: Command, port: u16, folder: Folder, serves: impl Fn(u16) -> bool) -> Server {
    let says = fs::File::create(folder.path(SAYS)).expect("a file");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(says);
    let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut running = Server { child, port, folder };
    let began = Instant::now();
    while !serves(port) {
        let ended = running.child.try_wait().expect("it is a child");
        assert!(ended.is_none() && began.elapsed() < PATIENCE, "{command:?} does not serve: {ended:?}");
        // There is no event to wait for.
        std::thread::sleep(Duration::from_millis(20));
    }
    running
}

pub(crate) fn redis() -> Server {
    let port = free_port();
    let folder = Folder::new();
    let mut command = Command::new(program(&["/usr/bin/redis-server"]));
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir", &folder.text("")]);
    start(command, port, folder, listens)
}

/// As another user where the tests run as root, whom PostgreSQL refuses.
fn as_user(program: &Path, folder: &Folder) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program).current_dir(folder.path(""));
    command
}

fn postgres_program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found = versions.map(|version| version.path().join("bin").join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("these tests need PostgreSQL: scripts/services installs it"))
}

pub(crate) fn postgres() -> Server {
    let port = free_port();
    let folder = Folder::new().folder("data").open_to_all();
    let data = folder.path("data");
    if is_root() {
        std::os::unix::fs::chown(&data, Some(65534), Some(65534)).expect("we are root");
    }
    let made = as_user(&postgres_program("initdb"), &folder)
        .args(["--no-sync", "--auth=trust", "--username=test", "--encoding=UTF8", "--no-locale", "-D"])
        .arg(&data)
        .output()
        .expect("it runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut command = as_user(&postgres_program("postgres"), &folder);
    command.args(["-F", "-h", "127.0.0.1", "-k", "", "-p", &port.to_string(), "-D"]).arg(&data);
    // It listens before it has started, and ends the connections of those who come then.
    start(command, port, folder, |port| {
        let asked = Command::new(postgres_program("pg_isready"))
            .args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()])
            .status();
        asked.expect("it runs").success()
    })
}

/// Serves a page over HTTP/1 and HTTP/2 with TLS, by a certificate for `localhost`. Gives its authority.
pub(crate) fn nginx() -> (Server, String) {
    let port = free_port();
    let folder = Folder::with("www/index.html", "a page\n");
    let (key, cert) = (folder.text("key.pem"), folder.text("cert.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", &key, "-out", &cert])
        .output()
        .expect("these tests need openssl");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let root = folder.text("");
    // Its workers keep its user; as root that is nobody, who may not read the folder.
    let user = if is_root() { "user root;" } else { "" };
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {root}/{kind};"))
        .concat();
    let text = format!(
        "daemon off; {user} worker_processes 1; pid {root}/nginx.pid; error_log stderr;
        events {{ worker_connections 64; }}
        http {{
            access_log off; {temporary}
            server {{
                listen 127.0.0.1:{port} ssl http2; ssl_certificate {cert}; ssl_certificate_key {key};
                root {root}/www;
            }}
        }}"
    );
    let authority = fs::read_to_string(&cert).expect("it was made");
    let folder = folder.file("nginx.conf", text);
    let mut command = Command::new(program(&["/usr/sbin/nginx"]));
    command.args(["-e", "stderr", "-p", &root, "-c", &folder.text("nginx.conf")]);
    (start(command, port, folder, listens), authority)
}
