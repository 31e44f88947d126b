//! Every way out that `preload/apis.json` lists, tried as often as there are answers: under bare Bun, where it works;
//! behind the guards, where a SecurityError says which permission is missing; with the guards left out, where the kernel
//! refuses by itself; and with a grant, where it works again. However a refusal is said, nothing happens outside.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, iter, thread};

use secure_bun_tests::{Command, Folder, JSON, debug_launcher, launcher};
use serde_json::{Value, json};

const TABLE: &str = include_str!("../../preload/apis.json");
/// Tries one act and returns how it went.
const ACT: &str = include_str!("act.ts");
/// Prints what it returned.
const CALLER: &str = "import act from './fn.ts'; console.log(JSON.stringify(await act())); process.exit();";
/// A worker that answers.
const WORKER: &str = "import { parentPort } from 'node:worker_threads'; parentPort.postMessage(1);";
/// A picture of one pixel, as BMP.
const PIXEL: &[u8] = b"BM\x3a\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\x18\0\0\0\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\0";
/// At a time. More of them would not be done sooner.
const THREADS: usize = 3;

/// A row of the table.
struct Row<'a>(&'a Value);

impl Row<'_> {
    fn text(&self, field: &str) -> Option<&str> {
        self.0.get(field).and_then(Value::as_str)
    }

    fn api(&self) -> &str {
        self.text("api").expect("a row names its API")
    }

    /// The policy under which it is allowed, where this version can grant it.
    fn grant(&self, outside: &str, port: u16) -> Option<Value> {
        match self.text("grant").or(self.text("permission"))? {
            permission @ ("read" | "write") => Some(json!({ permission: [outside] })),
            "workers" => Some(json!({ "workers": 2 })),
            "sys" => Some(json!({ "sys": true })),
            // By an address too: a program that connects to one did not ask for the name.
            "net" => Some(json!({ "net": [format!("localhost:{port}")] })),
            // At any port that is free: nobody outside is to connect.
            "listen" => Some(json!({ "listen": ["localhost:0"] })),
            "run" => Some(json!({ "run": ["/bin/true", "true", "sh"] })),
            _ => None,
        }
    }
}

/// Who runs the act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    BareBun,
    Guards,
    KernelAlone,
    GuardsThatGrant,
}

/// How an act went, and what was seen of it from outside.
struct Seen {
    /// What it told.
    told: Value,
    /// Connections that arrived.
    connections: usize,
    /// Whether a file changed.
    changed: bool,
}

impl Seen {
    fn worked(&self) -> bool {
        self.told["worked"] == true
    }

    fn acted(&self) -> bool {
        self.connections > 0 || self.changed
    }
}

/// Files that no policy grants, and a port where somebody listens.
struct Outside {
    folder: Folder,
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl Outside {
    fn new() -> Self {
        let folder = Folder::with("file.txt", "secret").file("module.ts", "export default 1").folder("sub");
        let folder = folder.file("data.json", "{}").file("data.toml", "").file("data.sqlite", "");
        let folder = folder.file("image.png", PIXEL).file("macro.ts", "export const one = () => 1");
        let folder = folder.file("tool", "#!/bin/sh\n");
        fs::set_permissions(folder.path("tool"), Permissions::from_mode(0o755)).expect("its mode can be set");
        symlink("file.txt", folder.path("link")).expect("a link");
        let connections = Arc::new(AtomicUsize::new(0));
        let port = listen(&connections);
        Self { folder, port, connections }
    }

    fn files(&self) -> BTreeMap<String, (Vec<u8>, u32)> {
        use std::os::unix::fs::MetadataExt;
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(self.folder.path("")).expect("it can be listed") {
            let entry = entry.expect("it can be listed");
            let meta = fs::symlink_metadata(entry.path()).expect("it is there");
            let contents = if meta.is_file() { fs::read(entry.path()).unwrap_or_default() } else { Vec::new() };
            files.insert(entry.file_name().to_string_lossy().into_owned(), (contents, meta.mode()));
        }
        files
    }
}

/// Counts who comes, by TCP and by UDP, at one port: whoever connects is sent away, and a DNS query is refused.
fn listen(connections: &Arc<AtomicUsize>) -> u16 {
    let (listener, socket) = iter::repeat_with(|| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it listens");
        UdpSocket::bind(address).map(|socket| (listener, socket))
    })
    .take(100)
    .find_map(Result::ok)
    .expect("a port is free for both");
    let port = listener.local_addr().expect("it listens").port();
    let counted = Arc::clone(connections);
    thread::spawn(move || {
        for stream in listener.incoming() {
            counted.fetch_add(1, Ordering::SeqCst);
            drop(stream);
        }
    });
    let counted = Arc::clone(connections);
    thread::spawn(move || {
        let mut message = [0; 512];
        while let Ok((length, sender)) = socket.recv_from(&mut message) {
            counted.fetch_add(1, Ordering::SeqCst);
            // An answer, and the code for a refusal.
            (message[2], message[3]) = (0x80, 5);
            let _gone = socket.send_to(&message[..length], sender);
        }
    });
    port
}

fn try_once(row: &Row<'_>, by: By) -> Seen {
    let outside = Outside::new();
    let path = outside.folder.text("");
    let source = ACT
        .replace("[OUTSIDE]", &path)
        .replace("12345", &outside.port.to_string())
        .replace("return ACT", &format!("return ({})", row.text("act").expect("it has an act")));
    let policy = match by {
        By::GuardsThatGrant => row.grant(&path, outside.port).expect("it can be granted"),
        _ => json!({}),
    };
    let folder = Folder::with("fn.ts", source).package().file("outside.ts", CALLER).file("worker.ts", WORKER);
    let folder = folder.file("p.json", policy.to_string());
    let before = outside.files();
    let told = match by {
        By::BareBun => folder.bun(["run", "outside.ts"]).prints().parse().expect("it prints JSON"),
        By::Guards | By::GuardsThatGrant => told(sandboxed(&folder, launcher())),
        By::KernelAlone => told(sandboxed(&folder, debug_launcher()).env("SECURE_BUN_TEST_NO_GUARDS", "1")),
    };
    let changed = before != outside.files();
    Seen { told, connections: outside.connections.load(Ordering::SeqCst), changed }
}

fn sandboxed(folder: &Folder, launcher: &Path) -> Command {
    folder.program(launcher).words(["run", JSON, "--policy", "p.json", "fn.ts"])
}

/// What the act told; where it took the process along, how that ended.
fn told(command: Command) -> Value {
    let envelope = command.envelope();
    match envelope.json.get("result") {
        Some(result) if !result.is_null() => result.clone(),
        _ => json!({ "worked": false, "style": "end", "name": envelope.json.pointer("/error/name"),
            "code": envelope.json.pointer("/error/code"), "message": envelope.json.pointer("/error/message") }),
    }
}

/// What is wrong with a row, if anything.
fn faults(row: &Row<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    let mut expect = |holds: bool, by: By, what: &str, seen: &Seen| {
        if !holds {
            let Seen { told, connections, changed } = seen;
            faults
                .push(format!("{}: {by:?}: {what}: {told}, {connections} connections, changed: {changed}", row.api()));
        }
    };
    let bare = try_once(row, By::BareBun);
    expect(bare.worked() || bare.acted(), By::BareBun, "shows nothing, it fails outside as well", &bare);

    let alone = try_once(row, By::KernelAlone);
    let error = ["code", "name"].iter().find_map(|field| alone.told[field].as_str());
    // What shows outside is not there though nothing failed: `no error`.
    let answer = if alone.worked() && !bare.acted() { "works" } else { error.unwrap_or("no error") };
    expect(Some(answer) == row.text("kernel"), By::KernelAlone, "does not answer as the table says", &alone);
    expect(!alone.acted(), By::KernelAlone, "it has happened", &alone);

    let guarded = try_once(row, By::Guards);
    if row.text("policy") == Some("guarded") {
        let said = ["name", "code", "permission", "style"].map(|field| guarded.told[field].as_str());
        let expected = [Some("SecurityError"), Some("ERR_ACCESS_DENIED"), row.text("permission"), row.text("style")];
        expect(said == expected, By::Guards, "does not refuse as the table says", &guarded);
    } else {
        let same = guarded.told["code"] == alone.told["code"] && guarded.told["name"] == alone.told["name"];
        expect(same, By::Guards, "does not answer as the kernel alone", &guarded);
    }
    expect(!guarded.acted(), By::Guards, "it has happened", &guarded);

    if row.text("policy") == Some("guarded") && row.0["grant"] != false && row.grant("", 0).is_some() {
        let granted = try_once(row, By::GuardsThatGrant);
        // Some only reach a server that sends them away.
        let works = if bare.worked() { granted.worked() } else { granted.acted() };
        expect(works, By::GuardsThatGrant, "is refused, though it is granted", &granted);
    }
    faults
}

#[test]
fn each_is_refused_alike_with_guards_and_without() {
    let table: Value = TABLE.parse().expect("the table is JSON");
    let only = std::env::var("SECURE_BUN_TEST_API").ok();
    let rows: Vec<Row<'_>> = (table["apis"].as_array().expect("it has rows").iter().map(Row))
        .filter(|row| row.text("act").is_some() && only.as_deref().is_none_or(|only| row.api().contains(only)))
        .collect();
    assert!(only.is_some() || rows.len() > 100, "{} rows with an act", rows.len());
    let next = AtomicUsize::new(0);
    let all = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(row) = rows.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let faults = faults(row);
                    all.lock().expect("no test thread panics").extend(faults);
                }
            });
        }
    });
    let faults = all.into_inner().expect("no test thread panics");
    assert!(faults.is_empty(), "{} of {} rows:\n{}", faults.len(), rows.len(), faults.join("\n"));
}

#[test]
fn a_release_build_does_not_leave_out_the_guards() {
    let source = "export default () => typeof SecurityError";
    let folder = Folder::with("fn.ts", source).package().file("p.json", "{}");
    let asked = |launcher| sandboxed(&folder, launcher).env("SECURE_BUN_TEST_NO_GUARDS", "1").envelope();
    assert_eq!(asked(debug_launcher()).result(), "undefined");
    assert_eq!(asked(launcher()).result(), "function");
}
