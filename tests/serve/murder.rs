//! Whoever is killed, and whenever: a service goes on, and nothing is left.

use std::time::{Duration, Instant};

use fastrand::Rng;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use secure_bun_tests::soak::{self, ENGINES, Held, Service, WIDE_ROOM_BYTES};
use secure_bun_tests::{Folder, Machine};
use serde_json::{Value, json};

/// Programs of their own, and trees of them below an init.
const POLICIES: [&str; 2] = ["alone.json", "tree.json"];

/// Kills of the service, and of what is below it, for each engine and policy.
const KILLS_OF_SERVICE: usize = 4;
const KILLS_OF_PROGRAMS: usize = 25;

/// Calls under way at a time.
const AT_ONCE: usize = 6;

/// How long a service may take to be as it was.
const RECOVERY: Duration = Duration::from_secs(20);

const WAITS: &str = "export default async (ms: number) => { await Bun.sleep(ms); return ms; }";

/// In the environment of a service and of all that it starts.
const MARK: &str = "SECURE_BUN_TEST_MARK";

/// Where a service is started and killed.
struct Scene {
    folder: Folder,
    mark: String,
    chance: Rng,
}

impl Scene {
    fn new(name: &str) -> Self {
        let seed = soak::seed(name);
        let policy = |grant: &str| format!(r#"{{ "extends": "function", "allow": {{ "env": ["{MARK}"]{grant} }} }}"#);
        let folder = Folder::new().folder("temporary").file("alone.json", policy(""));
        let folder = folder.file("tree.json", policy(r#", "run": ["/bin/sh"]"#));
        Self { folder, mark: format!("{name} {seed} {}", std::process::id()), chance: Rng::with_seed(seed) }
    }

    fn start(&self, engine: &str, policy: &str) -> Service {
        let mut service = Service::start(&self.folder, policy, engine, &[], &[(MARK, &self.mark)]);
        let answer = service.ask("function.register", &json!({ "name": "waits", "source": WAITS }));
        assert!(answer.get("error").is_none(), "{answer}");
        service
    }

    fn call(&mut self) -> Value {
        let ms = self.chance.u64(..40);
        if self.chance.bool() {
            json!({ "function": "waits", "args": [ms] })
        } else {
            json!({ "source": WAITS, "args": [ms] })
        }
    }

    /// A moment in which anything may be under way.
    fn wait_a_moment(&mut self) {
        std::thread::sleep(Duration::from_micros(self.chance.u64(..60_000)));
    }

    #[track_caller]
    fn left_nothing(&self, killed: &[i32]) {
        Machine::assert_no_marked_process_stays(&self.mark);
        for launcher in killed {
            Machine::assert_no_control_group_of(*launcher);
        }
        let left = Machine::entries(&self.folder.path("temporary"));
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn nothing_is_left_of_a_service() {
    let before = Machine::now();
    let mut scene = Scene::new("nothing_is_left_of_a_service");
    for (engine, policy) in ENGINES.into_iter().flat_map(|engine| POLICIES.map(|policy| (engine, policy))) {
        let mut killed = Vec::new();
        for _ in 0..KILLS_OF_SERVICE {
            let mut service = scene.start(engine, policy);
            for _ in 0..AT_ONCE {
                let call = scene.call();
                service.send("call", &call);
            }
            scene.wait_a_moment();
            assert!(!Machine::marked(&scene.mark).is_empty(), "the control: the mark shows");
            killed.push(service.running.pid.as_raw());
            assert_eq!(service.kill().signal(), Some(Signal::SIGKILL));
            Machine::assert_no_marked_process_stays(&scene.mark);
        }
        // What the kernel does not clear away by itself, the next one does.
        let mut service = scene.start(engine, policy);
        let answer = service.ask("call", &json!({ "source": WAITS, "args": [300], "limits": { "memory_mb": 100 } }));
        assert_eq!(answer["result"]["result"], 300, "{answer}");
        assert_eq!(service.end().code(), 0);
        scene.left_nothing(&killed);
    }
    before.assert_no_new_mount();
}

#[test]
fn a_service_survives_its_programs() {
    let mut scene = Scene::new("a_service_survives_its_programs");
    for (engine, policy) in ENGINES.into_iter().flat_map(|engine| POLICIES.map(|policy| (engine, policy))) {
        let mut service = scene.start(engine, policy);
        let launcher = service.running.pid.as_raw();
        // A server for each of the two functions, where they are forked; they take a while to get ready.
        let servers = if (engine, policy) == ("fork", POLICIES[0]) { 2 } else { 0 };
        let rested = rest(&mut service, &scene.folder, Before::Servers(servers));
        let (mut under_way, mut may_fail, mut failed) = (0, 0, 0);
        for _ in 0..KILLS_OF_PROGRAMS {
            while under_way < AT_ONCE {
                let call = scene.call();
                service.send("call", &call);
                under_way += 1;
            }
            scene.wait_a_moment();
            let below = Machine::below(launcher);
            if let Some(victim) = (!below.is_empty()).then(|| below[scene.chance.usize(..below.len())]) {
                // Who looks after others takes them along.
                may_fail += 1 + Machine::below(victim).len();
                // It may have ended just now; its number is nobody else's until the launcher has waited for it.
                let _ = kill(Pid::from_raw(victim), Signal::SIGKILL);
            }
            while under_way > AT_ONCE / 2 {
                failed += usize::from(!is_well(&service.next_answer().expect("it goes on")));
                under_way -= 1;
            }
        }
        while under_way > 0 {
            failed += usize::from(!is_well(&service.next_answer().expect("it goes on")));
            under_way -= 1;
        }
        println!("{engine}, {policy}: {KILLS_OF_PROGRAMS} kills, {failed} calls lost, {may_fail} at most");
        assert!(failed <= may_fail, "{failed} calls were lost with {may_fail} programs");
        rest(&mut service, &scene.folder, Before::Held(&rested));
        let answer = service.ask("call", &json!({ "function": "waits", "args": [0] }));
        assert!(is_well(&answer), "{answer}");
        assert_eq!(service.end().code(), 0);
        scene.left_nothing(&[launcher]);
    }
}

/// Whether a call went well; one that did not says that its program was killed.
#[track_caller]
fn is_well(answer: &Value) -> bool {
    if answer["result"]["ok"] == true {
        return true;
    }
    // While its sandbox was established.
    if answer["error"]["code"] == -32006 {
        assert_eq!(answer["error"]["data"]["kind"], "sandbox", "{answer}");
        return false;
    }
    let code = answer["result"]["error"]["code"].as_str().unwrap_or_default();
    // By how far it had come.
    assert!(["ERR_SANDBOX_START", "ERR_PROGRAM_KILLED", "ERR_FUNCTION_EXITED"].contains(&code), "{answer}");
    assert_eq!(answer["result"]["exit"]["signal"], "SIGKILL", "{answer}");
    false
}

/// What a service has to come to.
#[derive(Clone, Copy)]
enum Before<'a> {
    /// So many servers that fork.
    Servers(u64),
    /// No more than this. A function whose server was killed while it started is for the pool, which holds less.
    Held(&'a Held),
}

/// What a service holds when it rests, in a while.
#[track_caller]
fn rest(service: &mut Service, folder: &Folder, before: Before<'_>) -> Held {
    let begun = Instant::now();
    let mut last = None;
    loop {
        // Programs that have ended while they waited are replaced with the next call.
        for call in [json!({ "function": "waits", "args": [0] }), json!({ "source": WAITS, "args": [0] })] {
            for _ in 0..2 {
                service.ask("call", &call);
            }
        }
        std::thread::sleep(Duration::from_millis(50));
        let stats = service.ask("stats", &json!({}));
        let held = Held::by(service.running.pid.as_raw(), folder);
        let seen = (stats["result"]["warm"].as_u64(), held.processes, held.descriptors);
        let forking = stats["result"]["programs"]["fork"]["server"].as_u64().unwrap_or_default();
        let grown = match before {
            Before::Servers(servers) if servers == forking => Vec::new(),
            Before::Servers(servers) => vec![format!("not {servers} servers")],
            Before::Held(before) => held.grown_since(before, WIDE_ROOM_BYTES),
        };
        if last == Some(seen) && grown.is_empty() {
            return held;
        }
        last = Some(seen);
        assert!(begun.elapsed() < RECOVERY, "{grown:?} {stats}");
    }
}
