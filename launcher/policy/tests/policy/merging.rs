//! How layers become one policy, and a policy becomes absolute.

use std::path::PathBuf;

use policy::{
    Base, Chain, Entry, Flags, Layer, Limit, MAX_EXTENDS_DEPTH, Permission, Places, Policy, Preset, Request, Side,
    Source, decide, unavailable,
};

use crate::{expanded, file, layer, places, policy};

fn paths(entries: &[Entry<PathBuf>]) -> Vec<&str> {
    entries.iter().map(|entry| entry.value.to_str().unwrap()).collect()
}

#[test]
fn lists_unite_and_of_single_values_the_last_one_holds() {
    let base =
        layer(r#"{"read": "./a", "workers": 2, "limits": {"wall_ms": 10, "cpu_ms": 10}, "deny": {"read": "./a/x"}}"#);
    let file = layer(r#"{"read": ["./b"], "workers": 4, "limits": {"wall_ms": 20}, "deny": {"env": "SECRET"}}"#);
    let mut flags = Flags::new("/elsewhere");
    flags.state(Side::Allow, Permission::Read, Some("c"), "-R=c");
    let flags = flags.into_layer().unwrap();

    let merged = Policy::merge([&base, &file, &flags]).expand(&places());
    assert_eq!(paths(&merged.grants.read.allow), ["/project/a", "/project/b", "/elsewhere/c"]);
    assert_eq!(paths(&merged.grants.read.deny), ["/project/a/x"]);
    assert_eq!(merged.grants.workers.allow.as_ref().unwrap().value, 4);
    assert_eq!((merged.limits.wall_ms, merged.limits.cpu_ms), (Some(20), Some(10)));
}

#[test]
fn false_takes_back_what_earlier_layers_grant_but_never_a_denial() {
    let base = layer(r#"{"read": "./a", "deny": {"read": "./a/x"}}"#);
    let none = layer(r#"{"read": false, "deny": {"read": false}}"#);
    let more = layer(r#"{"read": "./b"}"#);
    let merged = Policy::merge([&base, &none, &more]).expand(&places());
    assert_eq!(paths(&merged.grants.read.allow), ["/project/b"]);
    assert_eq!(paths(&merged.grants.read.deny), ["/project/a/x"]);
}

#[test]
fn import_is_the_project_unless_something_is_said_about_it() {
    assert_eq!(paths(&expanded("{}").grants.import.allow), ["/project"]);
    assert_eq!(paths(&expanded(r#"{"deny": {"import": "./x"}}"#).grants.import.allow), ["/project"]);
    assert_eq!(paths(&expanded(r#"{"import": "./lib"}"#).grants.import.allow), ["/project/lib"]);
    assert_eq!(paths(&expanded(r#"{"import": []}"#).grants.import.allow), [""; 0]);
    assert_eq!(paths(&expanded(r#"{"import": false}"#).grants.import.allow), [""; 0]);
}

#[test]
fn variables_stand_for_the_places_of_the_run() {
    let places = Places {
        program: "/w/app/src".into(),
        project: vec!["/w/app/src/main.ts".into(), "/w/lib".into()],
        tmp: "/run/tmp".into(),
        home: "/home/me".into(),
        cwd: "/w".into(),
    };
    let text = r#"{"read": ["${PROGRAM}/../data", "${PROJECT}", "${TMP}/a//b/.", "${HOME}/.cache", "/x/../../y", "up/../../down"]}"#;
    let expanded = policy(text).expand(&places);
    let expected = ["/w/app/data", "/w/app/src/main.ts", "/w/lib", "/run/tmp/a/b", "/home/me/.cache", "/y", "/down"];
    assert_eq!(paths(&expanded.grants.read.allow), expected);
}

#[test]
fn a_source_given_by_a_relative_path_is_relative_to_the_working_directory() {
    let source = Source::file("conf/p.json", "conf/p.json");
    let layer = Layer::parse(&source, br#"{"read": ["./data", "../up"]}"#).unwrap();
    let expanded = Policy::merge([&layer]).expand(&places());
    assert_eq!(paths(&expanded.grants.read.allow), ["/project/conf/data", "/project/up"]);
}

#[test]
fn import_roots_that_hold_far_more_than_modules_are_left_out() {
    let text = r#"{"import": ["/", "/home", "/home/me", "/home/me/code", "/tmp", "/tmp/x", "/var", "/dev/shm"]}"#;
    let expanded = expanded(text);
    assert_eq!(paths(&expanded.grants.import.allow), ["/home/me/code", "/tmp/x"]);
    assert_eq!(paths(&expanded.refused_roots), ["/", "/home", "/home/me", "/tmp", "/var", "/dev/shm"]);
}

#[test]
fn extends_leads_through_files_to_presets() {
    let mut chain = Chain::new(layer(r#"{"extends": "../base/b.jsonc", "limits": {"wall_ms": 1}}"#)).unwrap();
    let next = chain.next_file().expect("a file to read").to_owned();
    assert_eq!(next, PathBuf::from("/base/b.jsonc"));
    let base = Layer::parse(&Source::file("b.jsonc", next), br#"{"extends": "fetch", "read": "./data"}"#).unwrap();
    chain.push(base).unwrap();
    assert_eq!(chain.next_file(), None);

    let layers = chain.into_layers();
    let names: Vec<&str> = layers.iter().map(Layer::name).collect();
    assert_eq!(names, ["preset function", "preset fetch", "b.jsonc", "p.json"]);
    let merged = Policy::merge(&layers);
    assert_eq!(merged.limits.get(Limit::Wall).unwrap().value, 1, "the file's own");
    assert_eq!(merged.limits.get(Limit::Memory).unwrap().origin.source_name(), "preset function");
    assert_eq!(paths(&merged.expand(&places()).grants.read.allow), ["/base/data"]);
}

#[test]
fn a_word_is_a_preset_and_a_path_is_a_file() {
    let base = |extends: &str| layer(&format!("{{\"extends\": {extends:?}}}")).extends().unwrap().base.clone();
    assert_eq!(base("script"), Base::Preset(Preset::Script));
    assert_eq!(base("./script"), Base::File("/project/script".into()));
    assert_eq!(base("script.json"), Base::File("/project/script.json".into()));
    assert_eq!(base("/etc/base.jsonc"), Base::File("/etc/base.jsonc".into()));
}

#[test]
fn extends_does_not_go_round_in_circles() {
    let mut chain = Chain::new(layer(r#"{"extends": "./b.json"}"#)).unwrap();
    let source = Source::file("b.json", "/project/b.json");
    let circle = Layer::parse(&source, b"{\n\"extends\": \"../project/p.json\"}").unwrap();
    let problem = chain.push(circle).unwrap_err();
    assert_eq!(problem.to_string(), "b.json:2:12: extends goes round in a circle: it leads back to p.json");
    let itself = Chain::new(layer(r#"{"extends": "./p.json"}"#)).unwrap_err();
    assert_eq!(itself.to_string(), "p.json:1:13: extends goes round in a circle: it leads back to p.json");
}

#[test]
fn extends_has_a_depth() {
    let numbered = |number: usize| {
        let source = Source::file(format!("{number}.json"), format!("/p/{number}.json"));
        Layer::parse(&source, format!("{{\"extends\": \"./{}.json\"}}", number + 1).as_bytes()).unwrap()
    };
    let mut chain = Chain::new(numbered(0)).unwrap();
    for number in 1..MAX_EXTENDS_DEPTH {
        chain.push(numbered(number)).unwrap();
    }
    let problem = chain.push(numbered(MAX_EXTENDS_DEPTH)).unwrap_err();
    assert_eq!(problem.to_string(), "8.json:1:13: extends goes deeper than 8 files");
}

#[test]
fn a_file_that_cannot_be_read_is_reported_where_it_is_asked_for() {
    let chain = Chain::new(layer(r#"{"extends": "./gone.json"}"#)).unwrap();
    let problem = chain.problem("cannot read gone.json: no such file").unwrap();
    assert_eq!(problem.to_string(), "p.json:1:13: cannot read gone.json: no such file");
    assert_eq!(Chain::new(layer("{}")).unwrap().problem("nothing is asked for"), None);
}

#[test]
fn what_cannot_be_enforced_yet_is_named_never_ignored() {
    let text = r#"{
  "net": "example.com:443", "listen": 3000, "fetch": "https://example.com/", "host": "db.*",
  "trust": { "signers": ["key"], "required": true }, "kernel": { "audit": "ebpf", "namespaces": ["user", "net"], "require": ["seccomp", "net"] }
}"#;
    let found: Vec<String> = unavailable(&policy(text)).iter().map(|problem| problem.message().to_owned()).collect();
    assert_eq!(
        found,
        [
            "allow.host is not available yet",
            "trust.signers is not available yet",
            "trust.required is not available yet",
            "kernel.audit \"ebpf\" is not available yet",
        ]
    );
    let first = &unavailable(&policy(text))[0];
    assert_eq!(first.position().map(|position| (position.line, position.column)), Some((2, 86)));

    let nothing = r#"{"net": [], "listen": false, "fetch": [], "exec": false, "trust": {"signers": [], "required": false},
        "kernel": {"audit": "off"}, "deny": {"net": ["10.0.0.0/8"], "run": true, "exec": [], "host": "*"}}"#;
    let nothing = nothing.replace(r#", "exec": []"#, "");
    assert_eq!(unavailable(&policy(&nothing)), []);
}

#[test]
fn a_policy_in_the_style_of_the_first_days_parses() {
    let text = r#"{"allow": {"exec": ["git"]}, "deny": {"exec": ["/bin/sh"]}, "kernel": {"audit": "seccomp-unotify"}}"#;
    let expanded = expanded(text);
    assert!(decide(&expanded, &Request::Run("git".into())).allowed);
    assert!(!decide(&expanded, &Request::Run("/bin/sh".into())).allowed);
}

#[test]
fn a_layer_keeps_what_its_own_source_said() {
    let source = file();
    let layer = Layer::parse(&source, br#"{"extends": "script", "read": "./a"}"#).unwrap();
    assert_eq!(layer.said().grants.read.allow.len(), 1);
    assert_eq!(layer.said().grants.write.allow, []);
}

#[test]
fn files_of_any_name_are_guarded() {
    let odd = ["/p/${TMP}/*.json", "/p/~", "/p/a\"b"];
    let guard = Layer::guarding("the policy in force", odd.map(PathBuf::from));
    let guarded = Policy::merge([&layer(r#"{"write": "/p"}"#), &guard]).expand(&places());
    for file in odd {
        let decision = decide(&guarded, &Request::Write(file.into()));
        assert!(!decision.allowed, "{file}");
        let rule = format!("deny.write {} (the policy in force)", serde_json::Value::from(file));
        assert_eq!(decision.rule.to_string(), rule);
    }
    assert!(decide(&guarded, &Request::Write("/p/other".into())).allowed);
}
