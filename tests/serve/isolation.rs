//! Nothing of one call is there in another: ISO-01 to ISO-05.

use std::fs;

use secure_bun_tests::{Folder, Machine, count_in_memory};
use serde_json::json;

use super::client::{Client, ENGINES, until};

/// What one call leaves behind, and a later one looks for.
#[test]
fn globals_prototypes_environment_and_files() {
    let folder = Folder::new();
    let leave = "
        import { writeFileSync } from 'node:fs';
        export default () => {
            globalThis.left = 'g';
            Array.prototype.left = 'p';
            process.env.LEFT = 'e';
            try { writeFileSync('/tmp/left', 'f'); } catch {}
            setInterval(() => {}, 1);
            return 'left';
        }";
    let look = "
        import { existsSync } from 'node:fs';
        export default () => [typeof left, [].left ?? null, process.env.LEFT ?? null, existsSync('/tmp/left')];";
    for engine in ENGINES {
        let mut client = Client::of_engine(&folder, engine);
        client.ask("function.register", json!({ "name": "leave", "source": leave }));
        client.ask("function.register", json!({ "name": "look", "source": look }));
        for _ in 0..5 {
            assert_eq!(client.result(json!({ "function": "leave" })), "left");
            assert_eq!(client.result(json!({ "function": "look" })), json!(["undefined", null, null, false]));
        }
        client.end();
    }
}

#[test]
fn what_several_users_are_told_at_a_time_is_their_own() {
    let folder = Folder::new();
    let code = "export default async (secret: string) => {
        globalThis.kept ??= secret;
        await Bun.sleep(20);
        return [globalThis.kept, executionContext.userID, process.env.TOKEN];
    }";
    for engine in ENGINES {
        let mut client = Client::of_engine(&folder, engine);
        client.ask("function.register", json!({ "name": "f", "source": code }));
        let ids: Vec<_> = (0..24)
            .map(|user| {
                let (secret, name) = (format!("secret of {user}"), format!("user {user}"));
                let call = json!({
                    "function": "f", "args": [secret], "context": { "user_id": name }, "env": { "TOKEN": secret },
                });
                client.send("call", call)
            })
            .collect();
        for (user, id) in ids.iter().enumerate() {
            let answer = client.answer(id);
            let (secret, name) = (format!("secret of {user}"), format!("user {user}"));
            assert_eq!(answer["result"]["result"], json!([secret, name, secret]), "{answer}");
        }
        client.end();
    }
}

#[test]
fn no_two_draw_the_same_numbers() {
    let folder = Folder::new();
    let code = "export default () => [Math.random(), crypto.randomUUID(), Bun.hash(String(Math.random())).toString()]";
    let mut seen = std::collections::HashSet::new();
    for engine in ENGINES {
        let mut client = Client::of_engine(&folder, engine);
        client.ask("function.register", json!({ "name": "draw", "source": code }));
        for _ in 0..20 {
            for drawn in client.result(json!({ "function": "draw" })).as_array().unwrap() {
                assert!(seen.insert(drawn.to_string()), "{drawn} twice");
            }
        }
        client.end();
    }
}

/// The context of a call is its own, whole and frozen, whatever the call before has done to its one.
#[test]
fn the_context_is_that_of_the_call() {
    let folder = Folder::new();
    let code = "
        export default () => {
            const seen = [executionContext.userID, executionContext.executionID, executionContext.left ?? null];
            for (const change of [
                () => (executionContext.userID = 'changed'),
                () => (executionContext.left = 'left'),
                () => (globalThis.executionContext = { userID: 'replaced' }),
                () => Object.defineProperty(Object.prototype, 'userID', { value: 'inherited' }),
            ]) {
                try { change(); } catch {}
            }
            return [...seen, Object.keys(process.env).filter((name) => name.startsWith('CALL_'))];
        }";
    for engine in ENGINES {
        let mut client = Client::of_engine(&folder, engine);
        client.ask("function.register", json!({ "name": "f", "source": code }));
        for number in 0..4 {
            let (user, execution, variable) = (format!("u{number}"), format!("e{number}"), format!("CALL_{number}"));
            let context = json!({ "user_id": user, "execution_id": execution });
            let call = json!({ "function": "f", "context": context, "env": { (variable.clone()): "x" } });
            assert_eq!(client.result(call), json!([user, execution, null, [variable]]), "{engine}");
            // One that is said nothing has nothing.
            assert_eq!(client.result(json!({ "function": "f" })), json!([null, null, null, []]), "{engine}");
        }
        client.end();
    }
}

/// Texts that are looked for in the memory of processes: this program's own is not among these.
fn told(engine: &str, kind: &str) -> String {
    format!("told-{engine}-{kind}-{}", fastrand::u64(1 << 60..))
}

/// What one call was told is in the memory of no program that runs or waits after it.
#[test]
fn no_program_has_in_memory_what_another_was_told() {
    let folder = Folder::new();
    let keep = "
        export default async (told: string) => {
            globalThis.kept = [told, process.env.TOLD, executionContext.userID, await secrets.get('SALT').catch(() => '')];
            console.log(told);
            return told + '!';
        }";
    let waits = "export default async () => { await Bun.sleep(60_000); }";
    for engine in ENGINES {
        let flags = ["--policy", "function", "--engine", engine, "--allow-secrets=SALT"];
        let mut client = Client::start(&folder, &flags);
        let launcher = client.running.pid.as_raw();
        client.ask("function.register", json!({ "name": "keep", "source": keep }));
        let all: Vec<String> = ["argument", "variable", "user", "secret"].map(|kind| told(engine, kind)).into();
        let [argument, variable, user, secret] = &all[..] else { unreachable!() };
        let mut call = json!({
            "function": "keep", "args": [argument], "env": { "TOLD": variable }, "context": { "user_id": user },
        });
        assert_eq!(client.result(call.clone()), format!("{argument}!"));
        call["secrets"] = json!({ "SALT": secret });
        assert_eq!(client.result(call), format!("{argument}!"));

        // The control: a program that runs has what it was told.
        let known = told(engine, "control");
        let control = client.send("call", json!({ "source": waits, "args": [known] }));
        // Not a copy of the launcher, which has what it tells: the init of a tree, or what is a program in a moment.
        let own = fs::read_link(format!("/proc/{launcher}/exe")).ok();
        let programs = || {
            let is_program = |pid: &i32| fs::read_link(format!("/proc/{pid}/exe")).ok() != own;
            Machine::below(launcher).into_iter().filter(is_program).collect::<Vec<_>>()
        };
        let has = |told: &str| programs().into_iter().any(|pid| count_in_memory(pid, told).is_ok_and(|n| n > 0));
        until("the program knows what it was told", || has(&known));
        let below = programs();
        assert!(!below.is_empty());
        for (pid, told) in below.iter().flat_map(|pid| all.iter().map(move |told| (*pid, told))) {
            assert_eq!(count_in_memory(pid, told).unwrap_or(0), 0, "{engine}: {told} in {pid}");
        }
        client.notify("$/cancel", json!({ "id": control }));
        client.answer(&control);
        client.end();
    }
}
