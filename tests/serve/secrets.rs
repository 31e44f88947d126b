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
