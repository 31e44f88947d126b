//! Native code that does with its sockets what it likes, past everything in JavaScript and while the launcher acts on
//! them. Each act is tried outside as well.

use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixListener};
use std::process::Command;
use std::time::Duration;

use secure_bun_tests::{Folder, Running};
use snapbox::str;

use super::Server;
use super::listening::free_port;

/// The folder with a program of `native/`, compiled.
fn compiled(source: &str) -> Folder {
    let folder = Folder::with("attack.c", source);
    let output = Command::new("cc")
        .args(["-O1", "-pthread", "-o", "attack", "attack.c"])
        .current_dir(folder.path(""))
        .output()
        .unwrap_or_else(|error| panic!("these tests need a C compiler: cc: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    folder
}

/// `python3 attack.py WORDS…`, outside.
pub(crate) fn outside(folder: &Folder, words: &[&str]) -> secure_bun_tests::Command {
    folder.program("/usr/bin/env".as_ref()).words(["python3", "attack.py"]).words(words)
}

/// The same inside, under these flags.
pub(crate) fn inside(folder: &Folder, flags: &[&str], words: &[&str]) -> secure_bun_tests::Command {
    let command = folder.secure_bun(["spawn", "--allow-read=."]).words(flags);
    command.words(["--", "python3", "attack.py"]).words(words)
}

/// `O_NONBLOCK` belongs to the socket: another thread takes it off between the launcher's look and its call.
#[test]
fn a_connection_that_waits_keeps_no_other_waiting() {
    let folder = compiled(include_str!("native/blocking.c"));
    let program = folder.text("attack");
    assert_eq!(folder.program(program.as_ref()).prints(), "others are answered\n");
    let flags = ["spawn", "--allow-net=localhost:1", "--allow-run=./attack", "--allow-read=.", "--limit", "threads=64"];
    assert_eq!(folder.secure_bun(flags).words(["--", "./attack"]).prints(), "others are answered\n");
}

#[test]
fn an_address_that_changes_while_it_is_read() {
    let (granted, other) = (Server::new(), Server::new());
    let folder = compiled(include_str!("native/swap.c"));
    let ports = [granted.port().to_string(), other.port().to_string()];
    let program = folder.text("attack");
    assert_eq!(folder.program(program.as_ref()).words(&ports).prints(), "the other was reached\n");
    let grant = format!("--allow-net=localhost:{}", ports[0]);
    let flags = ["spawn", &grant, "--allow-run=./attack", "--allow-read=."];
    assert_eq!(folder.secure_bun(flags).words(["--", "./attack"]).words(&ports).prints(), "never the other\n");
}

#[test]
fn every_act_on_a_socket_leads_where_it_may() {
    let (granted, other) = (Server::new(), Server::new());
    let folder = Folder::with("attack.py", include_str!("native/acts.py"));
    let ports = [granted.port(), other.port(), free_port()].map(|port| port.to_string());
    let words = ports.each_ref().map(String::as_str);
    let reached = outside(&folder, &words).prints().matches("the other one\n").count();
    assert_eq!(reached, 8, "the acts that reach another server outside");
    let grants = [format!("--allow-net=localhost:{}", ports[0]), format!("--allow-listen=127.0.0.1:{}", ports[2])];
    inside(&folder, &grants.each_ref().map(String::as_str), &words).shows(str![[r#"
exit code 0
--- stdout
the granted server: the granted one
the other one: ECONNREFUSED
a connection is dissolved: EISCONN
and made again to the other: EISCONN
by a copy of a descriptor: the granted one
by a copy, the other: ECONNREFUSED
handed over: hello
handed over, to the other: EISCONN
data with the first packet: ENOTSUP
the same by a message: ENOTSUP
the same after a failure: ENOTSUP
connected with the first data: ENOPROTOOPT
data with another address: the granted one
bound, then connected: EISCONN
bound, with an address: EPIPE
bound twice: EINVAL
listening after the end: EACCES
connecting after the end: EISCONN
a length of 0: EINVAL
a length of 1: EINVAL
a length of 2: EINVAL
a length of 15: EINVAL
a length of 16: connected
a length of 128: connected
a length of 129: EINVAL
a length of 2147483648: EINVAL
a length of 4294967295: EINVAL
a length of 4294967312: connected
no address at all: EFAULT
one of the kernel's: EFAULT
no descriptor: EBADF
no socket: ENOTSOCK
port 0: ECONNREFUSED
another family: EACCES
overwritten while it waits: 0 wrong
and still the granted server: hello

"#]]);
}

#[test]
fn no_other_kind_of_socket() {
    let folder = Folder::with("attack.py", include_str!("native/families.py"));
    let printed = outside(&folder, &[]).prints();
    assert!(printed.starts_with("beyond: True\nmissing: []\npair 2: made\npair 5: made\n"), "{printed}");
    assert!(printed.ends_with("a listener of one's own: made\n"), "{printed}");
    inside(&folder, &["--allow-net=localhost:1"], &["strict"]).shows(str![[r#"
exit code 0
--- stdout
beyond: []
missing: []
mptcp 1: EAFNOSUPPORT
mptcp 2: EAFNOSUPPORT
sctp 1: EAFNOSUPPORT
sctp 2: EAFNOSUPPORT
udplite 1: EAFNOSUPPORT
udplite 2: EAFNOSUPPORT
icmp 1: EAFNOSUPPORT
icmp 2: EAFNOSUPPORT
pair 2: EAFNOSUPPORT
pair 5: EAFNOSUPPORT
io_uring: ENOSYS
a listener of one's own: EPERM

"#]]);
}

#[test]
fn no_unix_socket_of_the_host() {
    let folder = Folder::with("attack.py", include_str!("native/unix.py"));
    let _by_path = UnixListener::bind(folder.path("host.sock")).unwrap();
    let name = format!("secure-bun-test-{}", std::process::id());
    let _abstract = UnixListener::bind_addr(&UnixAddress::from_abstract_name(&name).unwrap()).unwrap();
    let path = folder.text("host.sock");
    let words = [&*path, &*name];
    let printed = outside(&folder, &words).prints();
    assert!(printed.starts_with("path: connected\nabstract: connected\nbound: connected\n"), "{printed}");
    let printed = inside(&folder, &["--allow-net=localhost:1"], &words).prints();
    assert_eq!(printed.lines().filter(|line| line.ends_with(": EACCES")).count(), 5, "{printed}");
}

#[test]
fn a_datagram_does_not_leave() {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    receiver.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let port = receiver.local_addr().unwrap().port().to_string();
    let program = "
import socket, sys
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
to = ('127.0.0.1', int(sys.argv[1]))
sender.sendto(b'sent', to)
try:
    connected = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    connected.connect(to)
    connected.send(b'sent')
    connected.send(b'sent')
except ConnectionRefusedError:
    print('refused')
";
    let folder = Folder::with("attack.py", program);
    let mut buffer = [0; 16];
    outside(&folder, &[&port]).prints();
    assert_eq!(receiver.recv(&mut buffer).unwrap(), 4);
    while receiver.recv(&mut buffer).is_ok() {}
    let grant = format!("--allow-net=localhost:{port}");
    assert_eq!(inside(&folder, &[&grant], &[&port]).prints(), "refused\n");
    assert!(receiver.recv(&mut buffer).is_err());
}

/// A port that nobody answers at: what waits there is as much as is kept waiting.
struct Hole {
    listener: TcpListener,
    _waiting: Vec<TcpStream>,
}

impl Hole {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let patience = Duration::from_millis(200);
        let mut waiting = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, patience) {
            waiting.push(stream);
        }
        Self { listener, _waiting: waiting }
    }

    fn port(&self) -> String {
        self.listener.local_addr().unwrap().port().to_string()
    }
}

/// Programs that a program starts, and threads of these.
#[test]
fn children_reach_what_their_parent_does() {
    let child = "
import errno, socket, sys, threading
def connect(port):
    with socket.socket() as connecting:
        print(errno.errorcode.get(connecting.connect_ex(('127.0.0.1', port)), 'connected'))
for port in map(int, sys.argv[1:]):
    connect(port)
    thread = threading.Thread(target=connect, args=[port])
    thread.start()
    thread.join()
";
    let parent = "
import subprocess, sys
subprocess.run(['python3', 'child.py', *sys.argv[1:]], check=True)
subprocess.run(['sh', '-c', 'python3 child.py \"$@\"', 'sh', *sys.argv[1:]], check=True)
";
    let (granted, other) = (Server::new(), Server::new());
    let folder = Folder::with("attack.py", parent).file("child.py", child);
    let ports = [granted.port().to_string(), other.port().to_string()];
    let words = ports.each_ref().map(String::as_str);
    assert_eq!(outside(&folder, &words).prints(), "connected\n".repeat(8));
    let grant = format!("--allow-net=localhost:{}", ports[0]);
    let flags = [&*grant, "--allow-run=sh,python3", "--limit", "threads=64,processes=16"];
    let each = "connected\nconnected\nECONNREFUSED\nECONNREFUSED\n";
    assert_eq!(inside(&folder, &flags, &words).prints(), each.repeat(2));
}

/// Some ask for the outcome of a connection by connecting again.
#[test]
fn connecting_again_tells_how_far_it_is() {
    let program = "
import errno, select, socket, sys
for port in map(int, sys.argv[1:]):
    connecting = socket.socket()
    connecting.setblocking(False)
    connecting.connect_ex(('127.0.0.1', port))
    select.select([], [connecting], [], 0.2)
    print(errno.errorcode.get(connecting.connect_ex(('127.0.0.1', port)), 'nothing'))
    connecting.close()
";
    let (hole, server) = (Hole::new(), Server::new());
    let folder = Folder::with("attack.py", program);
    let ports = [hole.port(), server.port().to_string()];
    let words = ports.each_ref().map(String::as_str);
    assert_eq!(outside(&folder, &words).prints(), "EALREADY\nnothing\n");
    let grant = format!("--allow-net=localhost:{},localhost:{}", ports[0], ports[1]);
    assert_eq!(inside(&folder, &[&grant], &words).prints(), "EALREADY\nEISCONN\n");
}

/// How many descriptors a launcher has.
pub(crate) fn descriptors(launcher: &Running) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", launcher.pid)).expect("it runs").count()
}

#[test]
fn thousands_of_connections_leave_nothing_in_the_launcher() {
    let (server, hole) = (Server::new(), Hole::new());
    let folder = Folder::with("attack.py", include_str!("native/many.py"));
    let (server, hole) = (server.port().to_string(), hole.port());
    let grant = format!("--allow-net=localhost:{server},localhost:{hole}");
    let words = [&*server, &*hole, "10"];
    let limits = ["--limit", "threads=64"];
    let mut running = inside(&folder, &[&grant, limits[0], limits[1]], &words).open_input().start();
    running.says("begins True\n");
    let before = descriptors(&running);
    running.tell("one after the other");
    for thousands in 1..=10 {
        running.says(&format!("True {thousands}\n"));
    }
    let after = descriptors(&running);
    assert!(after <= before + 2, "{before} descriptors, then {after}");
    running.tell("at once");
    running.says("at once 30\n");
    // Threads of it wait for ever; its end does not.
    assert_eq!(running.end().code(), 0);
}

#[test]
fn a_caller_that_is_killed_is_waited_for_no_longer() {
    let hole = Hole::new();
    let folder = Folder::with("attack.py", include_str!("native/killed.py"));
    let port = hole.port();
    let grant = format!("--allow-net=localhost:{port}");
    let flags = [&*grant, "--allow-run=sh", "--limit", "threads=64,processes=16"];
    let mut running = inside(&folder, &flags, &[&port, "1500"]).open_input().start();
    running.says("begins\n");
    let before = descriptors(&running);
    running.tell("go");
    running.says("ended\n");
    let now = descriptors(&running);
    assert!(now < before + 600, "{before} descriptors, then {now}");
    assert_eq!(running.end().code(), 0);
}

/// What another program gets of a connection is for the program to say, as it did before it connected.
#[test]
fn a_connection_passes_to_another_program_as_it_would_outside() {
    let server = Server::new();
    let source = "
import socket, subprocess, sys
for inheritable in [True, False]:
    connected = socket.socket()
    connected.set_inheritable(inheritable)
    connected.connect(('127.0.0.1', int(sys.argv[1])))
    look = f'import os; os.fstat({connected.fileno()})'
    child = subprocess.run(['python3', '-c', look], close_fds=False, stderr=subprocess.DEVNULL)
    print('passed on' if child.returncode == 0 else 'closed')";
    let folder = Folder::with("attack.py", source);
    let port = server.port().to_string();
    let expected = "passed on\nclosed\n";
    assert_eq!(outside(&folder, &[&port]).prints(), expected);
    let flags = [&format!("--allow-net=127.0.0.1:{port}"), "--allow-run=python3"];
    assert_eq!(inside(&folder, &flags, &[&port]).prints(), expected);
}
