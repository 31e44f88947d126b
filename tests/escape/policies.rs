//! Policies that could be read in two ways: what is not plainly valid runs nothing, and a grant covers its own path.

use secure_bun_tests::{Folder, JSON};
use serde_json::json;

use super::{Attack, secret};

/// A program that leaves a trace.
fn traced() -> Folder {
    Folder::with("main.ts", "await Bun.write('out/trace', ''); console.log('ran');").package().folder("out")
}

#[track_caller]
fn runs_nothing(policy: impl AsRef<[u8]>) {
    let folder = traced().file("policy.json", policy);
    let ended = folder.secure_bun(["run", "--policy", "policy.json", "main.ts"]).end();
    assert_eq!((ended.code(), ended.stdout()), (2, String::new()), "{ended}");
    assert!(!folder.path("out/trace").exists(), "{ended}");
}

#[test]
fn the_control_runs() {
    let folder = traced().file("policy.json", super::WRITER);
    assert_eq!(folder.secure_bun(["run", "--policy", "policy.json", "main.ts"]).prints(), "ran\n");
    assert!(folder.path("out/trace").exists());
}

#[test]
fn one_key_twice() {
    runs_nothing(r#"{"write": [], "write": ["./out"]}"#);
    runs_nothing(r#"{"write": ["./out"], "wr\u0069te": []}"#);
    runs_nothing(r#"{"allow": {"write": []}, "write": ["./out"]}"#);
}

#[test]
fn keys_of_the_language() {
    runs_nothing(r#"{"__proto__": {"write": ["./out"]}}"#);
    runs_nothing(r#"{"constructor": {}, "write": ["./out"]}"#);
    runs_nothing(r#"{"Write": ["./out"], "write": ["./out"]}"#);
}

#[test]
fn texts_that_are_not_what_they_look_like() {
    runs_nothing(b"\xef\xbb\xbf{\"write\": [\"./out\"]}");
    runs_nothing(b"{\"write\": [\"./out\", \"\xff\"]}");
    runs_nothing("{\"write\": [\"./out\"]}\n{\"write\": []}");
    runs_nothing("{\"write\": [\"./out\"]");
    runs_nothing("{\"write\": [\"./out\"], /* \"deny\": {} }");
    runs_nothing("\u{feff}\u{200b}{}");
}

#[test]
fn values_out_of_range() {
    for limit in ["-1", "0.5", "1e999", "99999999999999999999", "\"1\"", "null", "true", "[]"] {
        runs_nothing(format!(r#"{{"write": ["./out"], "limits": {{"memory_mb": {limit}}}}}"#));
    }
    runs_nothing(r#"{"version": 2, "write": ["./out"]}"#);
    runs_nothing(r#"{"write": [["./out"]]}"#);
}

#[test]
fn paths_with_ends_inside() {
    runs_nothing(r#"{"write": ["./out\u0000/../.."]}"#);
    runs_nothing(r#"{"write": ["./out/*"]}"#);
    runs_nothing(r#"{"write": [""]}"#);
    runs_nothing(r#"{"write": ["${HOME"]}"#);
    runs_nothing(r#"{"write": ["~/out"]}"#);
}

#[test]
fn a_text_that_nests_without_end() {
    runs_nothing("[".repeat(100_000));
    runs_nothing(format!("{{\"read\": {}{}}}", "[".repeat(50_000), "]".repeat(50_000)));
    runs_nothing("{\"a\":".repeat(40_000));
}

#[test]
fn a_circle_of_policies() {
    let folder = traced()
        .file("a.json", r#"{"extends": "./b.json", "write": ["./out"]}"#)
        .file("b.json", r#"{"extends": "./a.json"}"#);
    let ended = folder.secure_bun(["run", "--policy", "a.json", "main.ts"]).end();
    assert_eq!((ended.code(), ended.stdout()), (2, String::new()), "{ended}");
    assert!(!folder.path("out/trace").exists());
}

#[test]
fn a_file_with_the_name_of_a_preset() {
    let target = secret();
    let read = format!("raw.readFileSync('{}', 'utf8')", target.text("secret.txt"));
    let wide = json!({ "read": [target.text("")] }).to_string();
    let attack = Attack::new(Folder::with("function", &wide).file("function.json", &wide), &read);
    assert_eq!(attack.outside(), "secret");
    let envelope = attack.folder.secure_bun(["run", JSON, "--policy", "function", "fn.ts"]).envelope();
    assert_eq!(envelope.result(), "!ENOENT");
    // By its path the file is meant, and the grant holds.
    let envelope = attack.folder.secure_bun(["run", JSON, "--policy", "./function", "fn.ts"]).envelope();
    assert_eq!(envelope.result(), "secret");
}

#[test]
fn a_policy_that_lies_with_the_program() {
    let target = secret();
    let wide = json!({ "read": [target.text("")] }).to_string();
    let manifest = json!({ "secureBun": { "read": [target.text("")] } }).to_string();
    let read = format!("raw.readFileSync('{}', 'utf8')", target.text("secret.txt"));
    let attack = Attack::new(Folder::with("secure-bun.json", wide), &read);
    let folder = attack.folder.file("package.json", manifest);
    let ended = folder.secure_bun(["run", JSON, "fn.ts"]).end();
    assert!(!ended.stdout().contains("\"secret\""), "{ended}");
}

#[test]
fn names_that_begin_like_a_grant() {
    let grant = r#"{"read": ["./data"]}"#;
    for beside in ["data-private/a.txt", "data.txt", "Data/a.txt", "data /a.txt", "dat\u{61}\u{301}/a.txt"] {
        let read = format!("raw.readFileSync({}, 'utf8')", json!(beside));
        let attack = Attack::new(Folder::with("data/a.txt", "granted").file(beside, "secret"), &read).under(grant);
        // The project around the program is readable for its modules; so the program is one of its own.
        let folder = attack.folder;
        std::fs::remove_file(folder.path("package.json")).unwrap();
        Attack { folder, policy: attack.policy }.fails_with("ENOENT");
    }
}

#[test]
fn a_grant_that_climbs() {
    let target = secret();
    let folder = Folder::with("data/a.txt", "a");
    let read = format!("raw.readFileSync('data/../../..{}', 'utf8')", "/..".repeat(8) + &target.text("secret.txt"));
    Attack::new(folder, &read).under(r#"{"read": ["./data/./../data//"]}"#).fails_with("ENOENT");
}
