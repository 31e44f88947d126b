//! The fork engine attacked by native code in one of its children, while another call runs, its server lives, and further
//! children wait. The launcher is a debug build that leaves out the guards: the kernel alone answers.

use std::fs;
use std::path::Path;

use secure_bun_tests::{Folder, Machine, bun, count_in_memory, debug_launcher, native_source};
use serde_json::{Value, json};

use super::client::{Client, until};

/// Reaches for another process by every way there is; the crate of the fork server tries it outside of a sandbox.
const REACH: &str = include_str!("../../launcher/forkserver/tests/modules/attack.ts");

/// What an expression gives, or the code of what it throws after a `!`. `told` is what it is to look for.
const ACT: &str = "
    const Code = (async () => {}).constructor as any;
    export default async (expression: string, told?: string) => {
        try {
            const raw = await import('node:fs');
            const names = ['call', 'text', 'open', 'ptr', 'dlopen', 'raw', 'told'];
            const act = new Code(...names, `return ${expression}`);
            return await act(call, text, open, ptr, dlopen, raw, told);
        } catch (error: any) {
            return '!' + (error.code ?? error.name);
        }
    };";

/// Waits until it is let go, and remembers what it was told.
const VICTIM: &str = "
    import { existsSync } from 'node:fs';
    export default async (told: string, go: string) => {
        while (!existsSync(go)) await Bun.sleep(5);
        return `honest ${told.length}`;
    };";

/// A service with a call under way, which is another tenant's.
struct Scene {
    folder: Folder,
    client: Client,
    /// The call that is under way.
    victim: Value,
    /// What it was told.
    told: String,
    /// Its number out here.
    pid: i32,
}

impl Scene {
    fn new() -> Self {
        let outside = "import act from './act.ts';
            console.log(JSON.stringify((await act(process.argv[2], process.argv[3])) ?? null));";
        let folder = Folder::with("act.ts", native_source() + ACT).file("outside.ts", outside);
        let folder = folder.file("reach.ts", REACH).package().folder("go").folder("temporary").open_to_all();
        let policy = json!({
            "extends": "function",
            "allow": { "eval": true, "read": [folder.text("go")] },
            "limits": { "wall_ms": 60_000, "threads": 40 },
        });
        let folder = folder.file("p.json", policy.to_string());
        let words = ["serve", "--policy", "p.json", "--engine", "fork"];
        let command = folder.program(debug_launcher()).words(words).env("SECURE_BUN_TEST_NO_GUARDS", "1");
        let mut client = Client::of(command.env("TMPDIR", folder.path("temporary")));
        let told = format!("told-{}", fastrand::u64(1 << 60..));
        let call = json!({ "source": VICTIM, "args": [told, folder.text("go/now")], "env": { "TOLD": told } });
        let victim = client.send("call", call);
        let launcher = client.running.pid.as_raw();
        let mut knows = None;
        until("the victim runs", || {
            knows = Machine::below(launcher).into_iter().find(|pid| count_in_memory(*pid, &told).unwrap_or(0) > 0);
            knows.is_some()
        });
        Self { folder, client, victim, told, pid: knows.expect("it was found") }
    }

    /// What an expression gives without any sandbox.
    #[track_caller]
    fn outside(&self, expression: &str) -> Value {
        let printed = self.folder.bun(["run", "outside.ts", expression, &self.told]).prints();
        printed.parse().unwrap_or_else(|error| panic!("{error}: {printed}"))
    }

    /// What it gives in a call.
    #[track_caller]
    fn inside(&mut self, expression: &str) -> Value {
        self.client.result(self.act(expression))
    }

    fn act(&self, expression: &str) -> Value {
        json!({ "source": native_source() + ACT, "args": [expression, self.told] })
    }

    /// Each works outside, and fails inside with this.
    #[track_caller]
    fn refuses(&mut self, acts: &[(String, Value)]) {
        for (act, refusal) in acts {
            let outside = self.outside(act);
            let works = outside.as_i64().map_or(outside.is_string() && !is_refusal(&outside), |number| number >= 0);
            assert!(works, "{act} shows nothing, it fails outside as well: {outside}");
            assert_eq!(&self.inside(act), refusal, "{act}");
        }
    }

    /// The call that was under way has its own answer, the server serves, and nothing has gone.
    #[track_caller]
    fn ends_well(mut self) {
        fs::write(self.folder.path("go/now"), "").expect("the folder is ours");
        let answer = self.client.answer(&self.victim);
        let honest = format!("honest {}", self.told.len());
        assert_eq!(answer["result"]["result"], honest, "{answer}");
        assert_eq!(self.inside("1 + 1"), 2);
        let stats = self.client.ask("stats", json!({}));
        // One server from the beginning to the end, and no program but its children.
        assert_eq!(stats["result"]["programs"]["fork"]["server"], 1, "{stats}");
        assert_eq!(stats["result"]["programs"]["spawn"]["busy"], 0, "{stats}");
        self.client.end();
    }
}

fn is_refusal(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.starts_with('!'))
}

fn errno(act: impl Into<String>, errno: i32) -> (String, Value) {
    (act.into(), json!(-errno))
}

/// The last number in what the kernel says of a process: as those nearest to it see it.
fn number_inside(pid: i32) -> u32 {
    let numbers = status(pid, "NSpid:");
    numbers.split_whitespace().last().and_then(|number| number.parse().ok()).expect("it has a number")
}

fn status(pid: i32, field: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it is there");
    status.lines().find_map(|line| line.strip_prefix(field)).expect("it says so").trim().to_owned()
}

#[test]
fn a_sibling_the_server_and_the_init_are_out_of_reach() {
    let mut scene = Scene::new();
    let server: i32 = status(scene.pid, "PPid:").parse().expect("a number");
    let descriptor = 0;
    // The control: without a sandbox, one Bun reaches another by all of these.
    let other = scene.folder.bun(["-e", "console.log('here'); await Bun.stdin.text()"]).open_input().start();
    other.says("here");
    let printed = scene.folder.bun(["reach.ts", &other.pid.to_string(), &descriptor.to_string()]).prints();
    other.end();
    let outside: Value = printed.parse().expect("it prints JSON");
    let acts = outside.as_object().expect("an object");
    for (act, verdict) in acts {
        assert_eq!(verdict, "works", "{act}");
    }
    let ahead = Machine::children(server).into_iter().max().expect("there are children");
    for target in [number_inside(scene.pid), number_inside(ahead), number_inside(server), 1] {
        let inside = scene.client.result(json!({ "source": REACH, "args": [target, descriptor] }));
        assert_eq!(inside.as_object().map(serde_json::Map::len), Some(acts.len()));
        for (act, verdict) in inside.as_object().expect("an object") {
            // In /proc there is nobody else; the other calls are refused before the kernel looks for whom.
            let expected = if act.contains("/proc") { "ENOENT" } else { "EPERM" };
            assert_eq!(verdict, expected, "{act} of {target}");
        }
    }
    scene.ends_well();
}

#[test]
fn no_process_is_started_and_none_is_confined_or_limited() {
    let mut scene = Scene::new();
    let fork = |flags: i32| {
        let (clone, exit) = (libc::SYS_clone, libc::SYS_exit_group);
        format!("((pid) => (pid === 0 ? call({exit}, 0) : pid))(call({clone}, {}, 0, 0, 0, 0))", flags | libc::SIGCHLD)
    };
    let limit =
        format!("call({}, 0, {}, new BigUint64Array([64n, 1024n]), 0)", libc::SYS_prlimit64, libc::RLIMIT_NOFILE);
    let spawn = format!(
        "(({{ error, status }}) => (error ? '!' + error.code : status))(
            process.getBuiltinModule('node:child_process').spawnSync('{}', ['--version']))",
        bun().display()
    );
    scene.refuses(&[
        errno(fork(0), libc::EPERM),
        errno(fork(libc::CLONE_NEWUSER), libc::EPERM),
        errno(format!("call({}, {})", libc::SYS_unshare, libc::CLONE_FS), libc::EPERM),
        (spawn, json!("!EPERM")),
        errno(limit, libc::EPERM),
        errno(format!("call({}, 2, 0, new Uint32Array([0x7fff0000]))", libc::SYS_seccomp), libc::EPERM),
        errno(format!("call({}, 0, 0, 1)", libc::SYS_landlock_create_ruleset), libc::EPERM),
        errno(format!("call({}, {}, 0)", libc::SYS_prctl, libc::PR_SET_PDEATHSIG), libc::EPERM),
        errno(format!("call({}, {}, 1)", libc::SYS_prctl, libc::PR_SET_CHILD_SUBREAPER), libc::EPERM),
        errno(format!("call({}, {}, 1)", libc::SYS_prctl, libc::PR_SET_DUMPABLE), libc::EPERM),
        errno(format!("call({}, 0, 0)", libc::SYS_setpgid), libc::EPERM),
        errno(format!("call({}, 0, 0, 1)", libc::SYS_setpriority), libc::EPERM),
    ]);
    // It would take the place of the program that says how it went: outside, nothing is said, and all is well.
    let exec = format!("call({}, text('/bin/true'), 0, 0)", libc::SYS_execve);
    let replaced = scene.folder.bun(["run", "outside.ts", &exec]).end();
    assert_eq!((replaced.code(), replaced.stdout().as_str()), (0, ""), "{replaced}");
    let exec = format!("call({}, text('/run/secure-bun/bin/bun'), 0, 0)", libc::SYS_execve);
    assert_eq!(scene.inside(&exec), -libc::EACCES);
    scene.ends_well();
}

#[test]
fn nothing_is_sent_and_nobody_is_connected_to() {
    let mut scene = Scene::new();
    let socket = |family: i32| format!("call({}, {family}, {}, 0)", libc::SYS_socket, libc::SOCK_DGRAM);
    // A descriptor in a message.
    let pair = format!("call({}, {}, {}, 0, pair)", libc::SYS_socketpair, libc::AF_UNIX, libc::SOCK_STREAM);
    let message = |act: i64| {
        format!(
            "(() => {{
                const pair = new Int32Array(2), byte = new Uint8Array(1), rights = new Uint8Array(24);
                if ({pair} < 0) return NaN;
                new DataView(rights.buffer).setBigUint64(0, 20n, true);
                new DataView(rights.buffer).setInt32(8, {}, true);
                new DataView(rights.buffer).setInt32(12, {}, true);
                const iov = new BigUint64Array([BigInt(ptr(byte)), 1n]);
                const header = [0n, 0n, BigInt(ptr(iov)), 1n, BigInt(ptr(rights)), 24n, 0n];
                if ({act} === {}) call({}, pair[0], byte, 1, 0, 0, 0);
                return call({act}, pair[{act} === {} ? 1 : 0], new BigUint64Array(header), 0);
            }})()",
            libc::SOL_SOCKET,
            libc::SCM_RIGHTS,
            libc::SYS_recvmsg,
            libc::SYS_sendto,
            libc::SYS_recvmsg,
        )
    };
    scene.refuses(&[
        errno(socket(libc::AF_UNIX), libc::EAFNOSUPPORT),
        errno(socket(libc::AF_INET), libc::EAFNOSUPPORT),
        errno(socket(libc::AF_NETLINK), libc::EAFNOSUPPORT),
        errno(message(libc::SYS_sendmsg), libc::EPERM),
        errno(message(libc::SYS_recvmsg), libc::EPERM),
    ]);
    scene.ends_well();
}

/// The descriptors of a server and of siblings have low numbers. They are not there under these, nor under any other.
#[test]
fn every_descriptor_is_its_own() {
    let mut scene = Scene::new();
    let descriptors = "raw.readdirSync('/proc/self/fd').map((name) => {
        try { return raw.readlinkSync('/proc/self/fd/' + name).replace(/:.*/, ''); } catch { return 'closed'; }
    })";
    let kinds = scene.inside(&format!("{descriptors}.join()"));
    assert_eq!(kinds, "/dev/null,pipe,pipe,socket,anon_inode,anon_inode,closed");
    let write = format!(
        "Array.from({{ length: 4096 }}, (_, number) => number)
            .filter((number) => number > 3 && call({}, number, text('SB1 0123'), 8) >= 0).join()",
        libc::SYS_write
    );
    // The counter of its own queue of events.
    assert_eq!(scene.inside(&write), "5");
    scene.ends_well();
}

#[test]
fn nobody_answers_for_another() {
    let mut scene = Scene::new();
    let guessed = "raw.writeSync(3, 'SB1 0123456789abcdef0123456789abcdef result 8\\n\"forged\"\\n')";
    for act in [guessed, "raw.writeSync(3, 'SB1 '.repeat(10000))"] {
        let broken = scene.client.call(scene.act(&format!("({act}, Bun.sleep(60_000))")));
        assert_eq!(broken["error"]["code"], "ERR_CHANNEL_BROKEN", "{broken}");
        assert_eq!(broken["exit"]["signal"], "SIGKILL", "{broken}");
    }
    // Unheard.
    let closed = scene.client.call(scene.act("raw.closeSync(3)"));
    assert_eq!(closed["error"]["code"], "ERR_FUNCTION_EXITED", "{closed}");
    // When it has answered, nothing of it runs any more.
    let late = format!(
        "(setInterval(() => {guessed}), setImmediate(() => {guessed}), process.on('exit', () => {guessed}),
            queueMicrotask(function again() {{ Promise.resolve().then(again); }}), 'answered')"
    );
    for _ in 0..10 {
        assert_eq!(scene.inside(&late), "answered");
    }
    scene.ends_well();
}

#[test]
fn nothing_is_kept_for_the_next_child() {
    let mut scene = Scene::new();
    // Made, and taken away again.
    let made = |path: &str| {
        let flags = libc::O_CREAT | libc::O_WRONLY;
        format!("((made) => (made < 0 ? made : (raw.unlinkSync('{path}'), 0)))(open('{path}', {flags}))")
    };
    let shared = format!(
        "((made) => (made < 0 ? made : call({}, made, {}, 0)))(call({}, {}, 4096, 0o600))",
        libc::SYS_shmctl,
        libc::IPC_RMID,
        libc::SYS_shmget,
        libc::IPC_PRIVATE
    );
    let queue = format!(
        "((made) => (made < 0 ? made : call({}, made, {}, 0)))(call({}, {}, 0o600))",
        libc::SYS_msgctl,
        libc::IPC_RMID,
        libc::SYS_msgget,
        libc::IPC_PRIVATE
    );
    scene.refuses(&[
        errno(made("/tmp/secure-bun-test-left"), libc::EROFS),
        errno(made("/dev/shm/secure-bun-test-left"), libc::ENOENT),
        errno(format!("open('/tmp', {})", libc::O_TMPFILE | libc::O_WRONLY), libc::EROFS),
        errno(shared, libc::ENOSYS),
        errno(format!("call({}, text('left'), 0)", libc::SYS_memfd_create), libc::ENOSYS),
        errno(queue, libc::ENOSYS),
    ]);
    let below_calls = made("/run/secure-bun/calls/left");
    assert_eq!(scene.inside(&below_calls), -libc::EROFS);
    // Memory is that of the server again, whatever is written there.
    assert_eq!(scene.inside("(globalThis.left = process.env.LEFT = Object.prototype.left = told).slice(0, 4)"), "told");
    assert_eq!(
        scene.inside("[globalThis.left, process.env.LEFT, ({}).left].every((value) => value === undefined)"),
        true
    );
    scene.ends_well();
}

#[test]
fn the_text_of_another_call_is_not_found() {
    let mut scene = Scene::new();
    // The control: this is how a call finds its own.
    let own = format!("{} // {}", VICTIM.replace("while (!existsSync(go)) await Bun.sleep(5);", ""), scene.told);
    let own = own.replace(
        "return `honest ${told.length}`",
        "return require('fs').readFileSync(Bun.main, 'utf8').includes(told)",
    );
    assert_eq!(scene.client.result(json!({ "source": own, "args": [scene.told, ""] })), true);

    let list = "raw.readdirSync('/run/secure-bun/calls').join()";
    assert_eq!(scene.inside(list), "!EACCES");
    let guess = "raw.readFileSync('/run/secure-bun/calls/00000000000000000000000000000000/function.ts', 'utf8')";
    assert_eq!(scene.inside(guess), "!ENOENT");
    // Nor is what it was told in any file.
    let seek = "(() => {
        const found = [];
        let read = 0;
        const look = (folder) => {
            let entries = [];
            try { entries = raw.readdirSync(folder || '/', { withFileTypes: true }); } catch { return; }
            for (const entry of entries) {
                const path = `${folder}/${entry.name}`;
                if (path === '/proc' || path === '/dev') continue;
                if (entry.isDirectory()) look(path);
                if (!entry.isFile() || raw.statSync(path).size > 1 << 22) continue;
                try { if (raw.readFileSync(path).includes(told)) found.push(path); read++; } catch {}
            }
        };
        look('');
        return [read > 5, found.join()];
    })()";
    assert_eq!(scene.inside(seek), json!([true, ""]));
    scene.ends_well();
}

#[test]
fn threads_are_counted_for_each_call() {
    let mut scene = Scene::new();
    let start = |most: usize| {
        format!(
            "(async () => {{
                const {{ symbols }} = dlopen('libc.so.6', {{
                    pthread_create: {{ args: ['ptr', 'ptr', 'ptr', 'ptr'], returns: 'i32' }},
                    dlsym: {{ args: ['ptr', 'ptr'], returns: 'ptr' }},
                }});
                const sleep = symbols.dlsym(null, text('sleep')), thread = new BigUint64Array(1);
                let made = 0;
                while (made < {most} && symbols.pthread_create(thread, null, sleep, 60) === 0) made++;
                await Bun.sleep(made < 100 ? 0 : 60_000);
                return made;
            }})()"
        )
    };
    assert_eq!(scene.inside(&start(10)), 10);
    let ended = scene.client.call(scene.act(&start(1000)));
    assert_eq!([&ended["error"]["limit"], &ended["error"]["allowed"]], [&json!("threads"), &json!(40)], "{ended}");
    // Those that wait had none of them taken away.
    assert_eq!(scene.inside(&start(10)), 10);
    assert!(Path::new(&format!("/proc/{}", scene.pid)).exists());
    scene.ends_well();
}
