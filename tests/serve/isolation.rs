//! Nothing of one call is there in another: ISO-01 to ISO-05.

use secure_bun_tests::Folder;
use serde_json::json;

use super::client::{Client, ENGINES};

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
