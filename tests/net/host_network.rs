//! Without namespaces, sockets are those of the host's network. The launcher answers for each, as it does elsewhere, and
//! nothing is inside that is not outside. Each act is tried without a sandbox as well.

use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixListener};
use std::time::Duration;

use secure_bun_tests::{Command, Folder, JSON, is_root, native};
use serde_json::json;
use snapbox::str;

use super::Server;
use super::clients::CLIENTS;
use super::internet::{Internet, PRIVATE, PUBLIC};
use super::listening::{SERVER, ask, free_port};

pub(crate) const WITHOUT: &str = env!("CARGO_BIN_EXE_without");
pub(crate) const POLICY: &str = r#"{"kernel": {"require": ["landlock"]}}"#;

/// What containers lack: namespaces; then what is for processes with CAP_SYS_PTRACE alone.
const LACKS: [&str; 2] = ["namespaces", "namespaces-and-copies-of-descriptors"];

/// What Docker leaves to root.
const CAPABILITIES: &str = "-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,+net_bind_service,\
                            +net_raw,+sys_chroot,+mknod,+audit_write,+setfcap";

/// The ways to start a command as in a container.
fn containers() -> Vec<Vec<&'static str>> {
    let mut ways: Vec<Vec<&str>> = LACKS.iter().map(|lack| vec![WITHOUT, *lack]).collect();
    if is_root() {
        let with_less = |way: &Vec<&'static str>| [&["setpriv", "--bounding-set", CAPABILITIES][..], way].concat();
        ways.extend(ways.iter().map(with_less).collect::<Vec<_>>());
    }
    ways
}

fn within(command: Command, way: &[&str]) -> Command {
    command.started_by("/usr/bin/env".as_ref(), way)
}

#[test]
fn every_client_reaches_what_is_granted() {
    let server = Server::new();
    let port = server.port().to_string();
    let folder = Folder::with("main.mjs", CLIENTS).file("p.json", POLICY).open_to_all();
    let outside = folder.bun(["run", "main.mjs", &port]).prints();
    let grant = format!("--allow-net=localhost:{port}");
    for way in containers() {
        let words = ["run", "--quiet", "--policy", "p.json", &grant, "main.mjs", &port];
        assert_eq!(within(folder.secure_bun(words), &way).prints(), outside, "{way:?}");
    }
}

#[test]
fn a_granted_port_is_reached_and_no_other_is_listened_at() {
    for way in containers() {
        let port = free_port();
        let folder = Folder::with("main.mjs", SERVER).file("p.json", POLICY).open_to_all();
        let grant = format!("--allow-listen=127.0.0.2:{port}");
        let number = port.to_string();
        let words = ["run", "--quiet", "--policy", "p.json", &grant, "main.mjs", "0.0.0.0", &number];
        let running = within(folder.secure_bun(words), &way).open_input().start();
        running.says(&format!("listening {port}\n"));
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
        assert_eq!(ask((Ipv4Addr::new(127, 0, 0, 2), port).into()).unwrap(), "hello from inside");
        assert_eq!(running.end().code(), 0, "{way:?}");
    }
}

/// There is no loopback device of the sandbox's own, where that would need no grant.
#[test]
fn a_server_of_ones_own_needs_a_grant() {
    let folder = Folder::with("main.ts", "Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response() });");
    let folder = folder.file("p.json", POLICY).open_to_all();
    let words = ["run", "--quiet", "--policy", "p.json", "--allow-listen=127.0.0.1:1", "main.ts"];
    within(folder.secure_bun(words), &[WITHOUT, "namespaces"]).shows(str![[r#"
exit code 1
--- stderr
1 | Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response() });
        ^
SecurityError: listening on "127.0.0.1:0" is not allowed: no rule of the policy grants it. To allow it: allow.listen: ["127.0.0.1:0"]
 permission: "listen",
   resource: "127.0.0.1:0",
       rule: "default",
        fix: "allow.listen: [\"127.0.0.1:0\"]",
       docs: "https://github.com/secure-bun/secure-bun/blob/main/docs/errors/ERR_ACCESS_DENIED.md",
       code: "ERR_ACCESS_DENIED"

      at [FOLDER]/main.ts:1:5

Bun v1.4.5 (Linux x64)

"#]]);
}

#[test]
fn the_report_says_which_network_it_is() {
    let folder = Folder::with("main.ts", "1").file("p.json", POLICY).open_to_all();
    let words = ["run", "--quiet", JSON, "--policy", "p.json", "--allow-net=localhost:1", "main.ts"];
    let envelope = within(folder.secure_bun(words), &[WITHOUT, "namespaces"]).envelope();
    assert_eq!(envelope.at("/sandbox/layers/network"), "broker-host-network");
    assert_eq!(envelope.at("/sandbox/layers/namespaces"), &json!([]));
    assert_eq!(envelope.at("/sandbox/status"), "partial");
}

#[test]
fn names_are_found_if_granted_and_of_others_nobody_is_asked() {
    for lack in LACKS {
        let internet =
            Internet::with(&json!({ "a.example": [[PUBLIC]], "b.example": [[PUBLIC]], "home.example": [[PRIVATE]] }));
        let resolve = "const { promises } = require('node:dns');
            for (const name of process.argv.slice(2))
              console.log(await promises.resolve4(name).then((found) => found.length, (error) => error.code));";
        let internet = internet.file("p.json", POLICY).file("resolve.mjs", resolve);
        let words = ["get.mjs", "http://a.example/", "http://b.example/", "http://home.example/"];
        assert_eq!(internet.outside(&words)[1], format!("{PUBLIC} b.example /"));
        let flags = ["--quiet", "--policy", "p.json", "--allow-net=a.example:80,home.example:80"];
        let inside = internet.inside_lacking(lack, &flags, &words);
        assert_eq!(inside.lines(), ["93.184.216.34 a.example /", "failed", "failed"], "{lack}");
        assert_eq!(inside.refusals(), [("home.example:80", "reserved")]);
        assert_eq!(inside.questions, ["a.example", "home.example"]);

        let words = ["resolve.mjs", "a.example", "b.example"];
        assert_eq!(internet.outside(&words), ["1", "1"]);
        let inside = internet.inside_lacking(lack, &flags, &words);
        assert_eq!(inside.lines(), ["1", "ERR_ACCESS_DENIED"], "{lack}");
    }
}

/// A folder with native code, and a server of each kind.
struct Attacked {
    folder: Folder,
    granted: Server,
    other: Server,
    datagrams: UdpSocket,
    _by_path: UnixListener,
    _abstract: UnixListener,
    path: String,
}

impl Attacked {
    fn with(program: &str) -> Self {
        let folder = native(Folder::with("main.ts", program).file("p.json", POLICY)).open_to_all();
        let path = folder.text("host.sock");
        let by_path = UnixListener::bind(&path).unwrap();
        let abstract_name = UnixAddress::from_abstract_name(&path).unwrap();
        let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
        datagrams.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        Self {
            folder,
            granted: Server::new(),
            other: Server::at("0.0.0.0:0"),
            datagrams,
            _by_path: by_path,
            _abstract: UnixListener::bind_addr(&abstract_name).unwrap(),
            path,
        }
    }

    fn words(&self) -> [String; 5] {
        let datagrams = self.datagrams.local_addr().unwrap().port();
        let [granted, other, free, datagrams] =
            [self.granted.port(), self.other.port(), free_port(), datagrams].map(|port| port.to_string());
        [granted, other, free, datagrams, self.path.clone()]
    }

    fn inside(&self, words: &[String; 5]) -> Command {
        let [granted, _, free, ..] = words;
        let grants = [format!("--allow-net=localhost:{granted}"), format!("--allow-listen=127.0.0.1:{free}")];
        let flags = ["run", "--quiet", "--policy", "p.json", "--allow-ffi", "--allow-workers=1"];
        self.folder.secure_bun(flags).words(&grants).word("main.ts").words(words)
    }
}

#[test]
fn every_act_of_native_code_leads_where_it_may() {
    let attacked = Attacked::with(include_str!("host_network/acts.ts"));
    let words = attacked.words();
    let outside = attacked.folder.bun(["main.ts"]).words(&words).prints();
    assert_eq!(outside.lines().filter(|line| line.ends_with(": the other one")).count(), 2, "{outside}");
    assert!(outside.lines().filter(|line| line.ends_with(": done")).count() >= 15, "{outside}");
    let mut byte = [0];
    assert_eq!(attacked.datagrams.recv(&mut byte).unwrap(), 1);

    let words = attacked.words();
    within(attacked.inside(&words), &[WITHOUT, "namespaces"]).shows(str![[r#"
exit code 0
--- stdout
the granted server: the granted one
the other one: ECONNREFUSED
another address of the machine: ECONNREFUSED
a connection is dissolved: EISCONN
and made again to the other: EISCONN
by a copy of a descriptor: the granted one
by a copy, the other: ECONNREFUSED
data with the first packet: EOPNOTSUPP
data without a connection: EPIPE
connected with the first data: ENOPROTOOPT
listening nowhere in particular: EACCES
listening at a port that is not granted: EACCES
listening at all addresses of it: EACCES
bound to the granted port: done
listening there: done
connected to itself: done
listening with a connection: EACCES
a datagram: EAFNOSUPPORT
a datagram of the newer kind: EAFNOSUPPORT
a raw socket: EAFNOSUPPORT
a route: EAFNOSUPPORT
packets: EAFNOSUPPORT
a virtual machine: EAFNOSUPPORT
a unix socket by its path: EACCES
an abstract one: EACCES
a unix socket of one's own: EACCES
a length that is none: EINVAL
no socket: EBADF

"#]]);
    let words = attacked.words();
    within(attacked.inside(&words), &[WITHOUT, "namespaces-and-copies-of-descriptors"]).shows(str![[r#"
exit code 0
--- stdout
the granted server: the granted one
the other one: ECONNREFUSED
another address of the machine: ECONNREFUSED
a connection is dissolved: EACCES
and made again to the other: ECONNREFUSED
by a copy of a descriptor: the granted one
by a copy, the other: ECONNREFUSED
data with the first packet: EOPNOTSUPP
data without a connection: EPIPE
connected with the first data: ENOPROTOOPT
listening nowhere in particular: EACCES
listening at a port that is not granted: EACCES
listening at all addresses of it: EACCES
bound to the granted port: done
listening there: done
connected to itself: done
listening with a connection: EACCES
a datagram: EAFNOSUPPORT
a datagram of the newer kind: EAFNOSUPPORT
a raw socket: EAFNOSUPPORT
a route: EAFNOSUPPORT
packets: EAFNOSUPPORT
a virtual machine: EAFNOSUPPORT
a unix socket by its path: EACCES
an abstract one: EACCES
a unix socket of one's own: EACCES
a length that is none: EINVAL
no socket: EBADF

"#]]);
    assert!(attacked.datagrams.recv(&mut byte).is_err());
}

#[test]
fn an_address_that_changes_while_it_is_read() {
    let attacked = Attacked::with(include_str!("host_network/swap.ts"));
    let words = attacked.words();
    let outside = attacked.folder.bun(["main.ts"]).words(&words).prints();
    assert_eq!(outside, "the other was reached\n");
    for lack in LACKS {
        assert_eq!(within(attacked.inside(&words), &[WITHOUT, lack]).prints(), "never the other\n", "{lack}");
    }
}

#[test]
fn granted_unix_sockets_and_urls() {
    let server = Server::new();
    let port = server.port().to_string();
    let folder = Folder::with(
        "main.mjs",
        "const [port, unix] = process.argv.slice(2);
        console.log(await (await fetch(`http://localhost:${port}/`)).text());
        const { connect } = await import('node:net');
        const socket = connect(unix, () => console.log('connected'));
        await new Promise((done) => socket.on('connect', done).on('error', done)).then((error) => error && console.log(error));
        process.exit();",
    );
    let folder = folder.open_to_all();
    let path = folder.text("host.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    let policy = json!({
        "kernel": { "require": ["landlock"] },
        "net": [format!("unix:{path}")],
        "fetch": [{ "url": format!("http://localhost:{port}/*") }],
    });
    let folder = folder.file("p.json", policy.to_string());
    for way in containers() {
        let words = ["run", "--quiet", "--policy", "p.json", "main.mjs", &port, &path];
        assert_eq!(within(folder.secure_bun(words), &way).prints(), "hello from outside\nconnected\n", "{way:?}");
    }
}

#[test]
fn granted_datagrams_need_a_namespace() {
    let folder = Folder::with("main.mjs", "console.log('ran')").file("p.json", POLICY).open_to_all();
    let words = ["run", "--quiet", "--policy", "p.json", "--allow-net=udp://a.example:53", "main.mjs"];
    assert_eq!(folder.secure_bun(words).prints(), "ran\n");
    for way in containers() {
        let ended = within(folder.secure_bun(words), &way).end();
        assert_eq!(ended.code(), 125, "{way:?}: {ended}");
        assert_eq!(ended.stdout(), "");
        let reason = "allow.net \"udp://a.example:53\" (--allow-net=udp://a.example:53) needs namespaces, which this host does not give";
        assert!(ended.stderr().contains(reason), "{way:?}: {ended}");
    }
}
