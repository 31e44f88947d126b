//! Datagrams go to what a rule for `udp://` names, from connected sockets, and to nobody else.

use std::net::UdpSocket;
use std::thread;

use secure_bun_tests::{Folder, JSON};
use serde_json::{Value, json};

use super::internet::{Internet, METADATA, OTHER_PUBLIC, PRIVATE, PUBLIC, PUBLIC_V6};
use super::native::{descriptors, inside, outside};

/// Sends to each place, by either API, and prints what came back, or why nothing did.
const SEND: &str = r#"
import dgram from "node:dgram";
const told = (error) => error.code ?? error.message;
async function byBun(hostname, port) {
  const answer = Promise.withResolvers();
  const handlers = { data: (_, data, from, address) => answer.resolve(`${data} from ${address}:${from}`), error: (_, error) => answer.reject(error) };
  const own = hostname.includes(":") ? "::" : "0.0.0.0";
  const socket = await Bun.udpSocket({ hostname: own, connect: { hostname, port }, socket: handlers });
  socket.send("hi");
  return answer.promise.finally(() => socket.close());
}
function byNode(hostname, port) {
  const answer = Promise.withResolvers();
  const socket = dgram.createSocket(hostname.includes(":") ? "udp6" : "udp4").on("error", answer.reject);
  socket.on("message", (data, from) => answer.resolve(`${data} from ${from.address}:${from.port}`));
  socket.connect(port, hostname, (error) => (error ? answer.reject(error) : socket.send("hi")));
  return answer.promise.finally(() => socket.close());
}
for (const place of process.argv.slice(2)) {
  const colon = place.lastIndexOf(":");
  for (const send of [byBun, byNode])
    console.log(await send(place.slice(0, colon), Number(place.slice(colon + 1))).catch(told));
}
"#;

fn internet(names: &Value) -> Internet {
    Internet::with(names).file("send.mjs", SEND).file("attack.py", include_str!("native/datagrams.py"))
}

#[test]
fn a_granted_name_answers_from_the_address_that_was_asked_for() {
    let internet = internet(&json!({ "a.example": [[PUBLIC]], "b.example": [[OTHER_PUBLIC]] }));
    let words = ["send.mjs", "a.example:8125", "b.example:8125"];
    let outside = internet.outside(&words);
    assert_eq!(outside[0], "93.184.216.34 hi from 93.184.216.34:8125");
    assert_eq!(outside[2], "93.184.216.35 hi from 93.184.216.35:8125");
    let inside = internet.inside(&["--allow-net=udp://a.example:8125"], &words);
    let granted = "93.184.216.34 hi from 198.18.0.1:8125";
    assert_eq!(inside.lines(), [granted, granted, "ERR_ACCESS_DENIED", "ERR_ACCESS_DENIED"]);
    assert_eq!(inside.questions, ["a.example"]);
    let denial = inside.envelope.at("/denials/0");
    assert_eq!(denial["resource"], "udp://b.example:8125");
    assert_eq!(denial["fix"], r#"allow.net: ["udp://b.example:8125"]"#);
}

#[test]
fn addresses_blocks_and_names_below_a_suffix() {
    let internet = internet(&json!({ "x.b.example": [[PUBLIC]], "v6.b.example": [[PUBLIC_V6]] }));
    let places = ["93.184.216.35:8125", "2606:4700::1:8125", "10.0.0.5:8125", "x.b.example:8125", "v6.b.example:8125"];
    let words: Vec<&str> = ["send.mjs"].into_iter().chain(places).collect();
    let outside = internet.outside(&words);
    assert_eq!(outside.iter().filter(|line| line.contains(" hi from ")).count(), 8, "{outside:#?}");
    let grants = "udp://93.184.216.35:8125,udp://[2606:4700::/32]:8000-9000,udp://10.0.0.0/8:*,udp://*.b.example:8125";
    let inside = internet.inside(&[&format!("--allow-net={grants}")], &words);
    let lines = inside.lines();
    assert_eq!(lines[..6], outside[..6], "{lines:#?}");
    assert_eq!(lines[6], "93.184.216.34 hi from 198.18.0.1:8125");
    // A name without an IPv4 address has a stand-in all the same.
    assert_eq!(lines[8..], ["2606:4700::1 hi from 198.18.0.2:8125"; 2]);
    let nothing = internet.inside(&["--allow-net=udp://*:9"], &words);
    assert_eq!(nothing.lines(), vec!["ERR_ACCESS_DENIED"; 10]);
}

#[test]
fn a_rule_for_connections_is_none_for_datagrams_nor_the_other_way_round() {
    let internet = internet(&json!({ "a.example": [[PUBLIC]] }));
    let (get, send) = (["get.mjs", "http://a.example/"], ["send.mjs", "a.example:80", "a.example:8125"]);
    let refused = vec!["ERR_ACCESS_DENIED"; 4];
    assert_eq!(internet.inside(&["--allow-net=a.example:*"], &send).lines(), refused);
    assert_eq!(internet.inside(&["--allow-net"], &send).lines(), refused);
    let flags = ["--allow-net=udp://a.example:*"];
    let inside = internet.inside(&flags, &get);
    assert_eq!(inside.lines(), ["failed"]);
    // Nothing of ours in the program: the launcher says it.
    let internet = internet.file("ask.py", ASK);
    assert_eq!(internet.python_outside(&["ask.py", "a.example"]), ["connected", "sent"]);
    let inside = internet.python_inside(&flags, &["ask.py", "a.example"]);
    assert_eq!(inside.lines(), ["EACCES", "sent"]);
    assert_eq!(inside.refusals(), [("a.example:80", "default")]);
    let inside = internet.python_inside(&["--allow-net=a.example:80"], &["ask.py", "a.example"]);
    // As a resolver is answered that tries which addresses there is a way to, which is nothing to report.
    assert_eq!(inside.lines(), ["connected", "ENETUNREACH"]);
    assert_eq!(inside.refusals(), []);
    let inside = internet.python_inside(&["--allow-net=udp://a.example:1"], &["ask.py", "a.example"]);
    assert_eq!(inside.lines(), ["EACCES", "EACCES"]);
    assert_eq!(inside.refusals(), [("a.example:80", "default"), ("udp://a.example:8125", "default")]);
}

/// Connects by TCP and by UDP to a name.
const ASK: &str = r#"
import errno, socket, sys
for kind, port, done in [(socket.SOCK_STREAM, 80, "connected"), (socket.SOCK_DGRAM, 8125, "sent")]:
    with socket.socket(socket.AF_INET, kind) as asking:
        print(errno.errorcode.get(asking.connect_ex((sys.argv[1], port)), done))
"#;

#[test]
fn a_name_that_leads_home_is_refused_and_denials_win() {
    for address in ["127.0.0.1", PRIVATE, METADATA, "fd00::5"] {
        let internet = internet(&json!({ "rebind.example": [[address]] }));
        let words = ["attack.py", "connect:rebind.example:8125"];
        let outside = internet.python_outside(&words);
        if !address.contains(':') {
            assert_eq!(outside, [format!("connect:rebind.example:8125 {address} hello True")]);
        }
        let inside = internet.python_inside(&["--allow-net=udp://rebind.example:8125"], &words);
        assert_eq!(inside.lines(), ["connect:rebind.example:8125 EACCES"], "{address}");
        assert_eq!(inside.refusals(), [("udp://rebind.example:8125", "reserved")], "{address}");
        assert!(internet.datagrams().is_empty());
    }
    let internet = internet(&json!({ "a.example": [[PUBLIC]] }));
    let words = ["attack.py", "connect:a.example:8125", "connect:93.184.216.34:8125"];
    for denied in ["93.184.216.0/24", "udp://93.184.216.0/24:8125"] {
        let deny = format!("--deny-net={denied}");
        let inside = internet.python_inside(&["--allow-net=udp://*:8125", &deny], &words);
        assert_eq!(inside.lines(), ["connect:a.example:8125 EACCES", "connect:93.184.216.34:8125 EACCES"], "{denied}");
        assert!(inside.refusals().iter().all(|(_, rule)| rule.starts_with("deny.net ")), "{denied}");
    }
}

#[test]
fn native_code_reaches_the_peer_that_it_connected_to_and_nobody_else() {
    let internet = internet(&json!({ "a.example": [[PUBLIC]], "b.example": [[OTHER_PUBLIC]] }));
    let words = [
        "attack.py",
        "new:93.184.216.34:8125",
        "connect:93.184.216.34:8125",
        "sendto:93.184.216.35:8125",
        "sendto:10.0.0.5:8125",
        "new:93.184.216.34:8125",
        "connect:93.184.216.34:8125",
        "again:10.0.0.5:8125",
        "again:93.184.216.35:8125",
        "dissolve",
        "sendto:93.184.216.34:8125",
        "sendto:93.184.216.35:8125",
        "connect:2606:4700::1:8125",
        "sendto:fd00::5:8125",
    ];
    let outside = internet.python_outside(&words);
    assert_eq!(outside.iter().filter(|line| line.contains(" hello")).count(), 9, "{outside:#?}");
    // An answer from another than its peer is nothing that it hears.
    assert_eq!(internet.datagrams().len(), 12, "{outside:#?}");
    let flags = ["--allow-net=udp://93.184.216.34:8125,udp://93.184.216.35:8125,udp://[2606:4700::1]:8125"];
    let inside = internet.python_inside(&flags, &words);
    let expected = [
        "new:93.184.216.34:8125 ENETUNREACH",
        "connect:93.184.216.34:8125 93.184.216.34 hello True",
        "sendto:93.184.216.35:8125 ENETUNREACH",
        "sendto:10.0.0.5:8125 ENETUNREACH",
        // To an address that somebody is connected to: the launcher's socket there has another peer.
        "new:93.184.216.34:8125 timeout",
        "connect:93.184.216.34:8125 93.184.216.34 hello True",
        "again:10.0.0.5:8125 EACCES",
        "again:93.184.216.35:8125 93.184.216.35 hello True",
        "dissolve EDESTADDRREQ",
        "sendto:93.184.216.34:8125 timeout",
        "sendto:93.184.216.35:8125 ENETUNREACH",
        "connect:2606:4700::1:8125 2606:4700::1 hello True",
        "sendto:fd00::5:8125 ENETUNREACH",
    ];
    assert_eq!(inside.lines(), expected);
    let arrived = ["93.184.216.34 hello", "93.184.216.34 hello", "93.184.216.35 hello", "2606:4700::1 hello"];
    assert_eq!(internet.datagrams(), arrived);
    assert_eq!(inside.refusals(), [("udp://10.0.0.5:8125", "default")]);
}

/// A server of the host that sends back what it gets.
fn echo() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port of the loopback device");
    let port = socket.local_addr().expect("it is bound").port();
    // Ends with the test's process.
    thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let answer = [b"echo ", &buffer[..length]].concat();
            let _ = socket.send_to(&answer, from);
        }
    });
    port
}

#[test]
fn localhost_is_this_machine_unless_the_program_is_nearer() {
    let port = echo().to_string();
    let program = "
import socket, sys
port = int(sys.argv[1])
def ask(place):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(5)
        asking.connect((place, port))
        try:
            asking.send(b'x')
            print(asking.recv(100).decode())
        except OSError as error:
            print(type(error).__name__)
ask('localhost')
ask('0.0.0.0')
own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
own.bind(('127.0.0.1', port))
asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asking.connect(('127.0.0.1', port))
asking.send(b'own')
own.settimeout(5)
print(own.recv(100).decode())
";
    let folder = Folder::with("attack.py", program);
    let grant = format!("--allow-net=udp://localhost:{port}");
    assert_eq!(inside(&folder, &[&grant], &[&port]).prints(), "echo x\necho x\nown\n");
    let other = "--allow-net=udp://localhost:1";
    assert_eq!(inside(&folder, &[other], &[&port]).prints(), "ConnectionRefusedError\nConnectionRefusedError\nown\n");
}

#[test]
fn thousands_of_datagrams_and_more_sockets_than_there_may_be() {
    let port = echo().to_string();
    let folder = Folder::with("attack.py", include_str!("native/flows.py"));
    let words = ["127.0.0.1", &port, "64"];
    let mut free = outside(&folder, &words).open_input().start();
    free.says("begins\n");
    free.tell("go");
    free.says("exchanged\n");
    free.tell("end");
    assert_eq!(free.end().code(), 0);
    let grant = format!("--allow-net=udp://localhost:{port}");
    let mut running = inside(&folder, &[&grant], &words).open_input().start();
    running.says("begins\n");
    let before = descriptors(&running);
    running.tell("go");
    running.says("exchanged\n");
    for _ in 0..5 {
        running.says("64 EAGAIN\n");
    }
    let after = descriptors(&running);
    assert!(after <= before + 2 * 64 + 8, "{before} descriptors, then {after}");
    running.tell("end");
    assert_eq!(running.end().code(), 0);
}

#[test]
fn what_is_not_granted_is_said_with_the_hosts_name() {
    let internet = internet(&json!({ "a.example": [[PUBLIC]] }));
    let command =
        internet.folder.secure_bun(["run", JSON, "--allow-net=udp://a.example:1", "send.mjs", "a.example:8125"]);
    let envelope = command.envelope();
    assert_eq!(envelope.at("/stdout"), "ERR_ACCESS_DENIED\nERR_ACCESS_DENIED\n");
    assert_eq!(envelope.at("/denials/0/resource"), "udp://a.example:8125");
    assert_eq!(envelope.at("/denials/0/count"), 2);
}
