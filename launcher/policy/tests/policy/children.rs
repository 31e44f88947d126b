//! Policies of children: what a program states for another one that it starts.

use policy::{
    Chain, ExpandedPolicy, Layer, Places, Policy, Request, Source, child, decide, is_within, network_in_part,
};

use crate::{expanded, places};

fn of(stated: &str, outer: &str) -> Result<ExpandedPolicy, Vec<String>> {
    let layer = Layer::parse(&Source::file("sandbox", "/project/sandbox"), stated.as_bytes()).unwrap();
    let stated = Policy::merge(&Chain::new(layer).unwrap().into_layers());
    let outer = expanded(outer);
    let roots = outer.grants.import.allow.iter().map(|root| root.value.clone()).collect();
    let made = child(&stated, &Places { project: roots, ..places() }, &outer);
    if let Ok(made) = &made {
        assert_eq!(is_within(made, &outer), Ok(()));
    }
    made.map_err(|found| found.iter().map(ToString::to_string).collect())
}

#[test]
fn what_is_left_open_is_the_programs() {
    let outer = r#"{"import": "./src", "limits": {"memory_mb": 64, "open_files": 100}, "wasm": false,
        "js": {"jit": false, "freeze": "object-prototype"}, "kernel": {"require": ["seccomp", "landlock"]}}"#;
    let made = of("{}", outer).unwrap();
    assert_eq!((made.limits.memory_mb, made.limits.open_files, made.limits.wall_ms), (Some(64), Some(100), None));
    assert!(!made.js.jit() && !decide(&made, &Request::Wasm).allowed);
    let imports = |path: &str| decide(&made, &Request::Import(path.into())).allowed;
    assert!(imports("/project/src/a.ts") && !imports("/project/a.ts"));
}

#[test]
fn a_program_without_modules_imports_what_is_named() {
    let roots = |stated| {
        let made = of(stated, r#"{"extends": "script"}"#).unwrap().without_unnamed_imports();
        made.grants.import.allow.into_iter().map(|root| root.value).collect::<Vec<_>>()
    };
    assert!(roots("{}").is_empty() && roots(r#"{"extends": "script"}"#).is_empty());
    assert_eq!(roots(r#"{"import": "./src"}"#), [std::path::Path::new("/project/src")]);
}

#[test]
fn what_the_program_is_denied_its_child_is_denied() {
    let made = of(r#"{"read": "./a"}"#, r#"{"read": "./a", "deny": {"read": "./a/private"}}"#).unwrap();
    let decision = decide(&made, &Request::Read("/project/a/private/x".into()));
    assert_eq!(decision.rule.to_string(), r#"deny.read "./a/private" (p.json:1:34)"#);
}

#[test]
fn what_is_wider_is_named() {
    for (stated, outer, excess) in [
        (r#"{"read": "/etc"}"#, "{}", r#"allow.read "/etc" (sandbox:1:10) reads what is not granted there"#),
        (
            r#"{"read": "./a/x"}"#,
            r#"{"read": "./a", "deny": {"read": "./a/x"}}"#,
            r#"allow.read "./a/x" (sandbox:1:10) is denied there by deny.read "./a/x" (p.json:1:34)"#,
        ),
        (r#"{"run": "sh"}"#, r#"{"run": "ls"}"#, r#"allow.run "sh" (sandbox:1:9) is not granted there"#),
        (
            r#"{"kernel": {"require": "all"}}"#,
            "{}",
            "kernel is for a whole run: the layers of a child are those of its program",
        ),
        (r#"{"js": {"jit": true}}"#, r#"{"js": {"jit": false}}"#, "js.jit is off there"),
    ] {
        assert_eq!(of(stated, outer).unwrap_err(), [excess], "{stated} under {outer}");
    }
}

#[test]
fn limits_of_a_process_may_be_lower_and_those_of_the_tree_may_not() {
    let outer = r#"{"run": ["sh", "ls"], "limits": {"memory_mb": 64, "open_files": 100, "processes": 8}}"#;
    let made = of(r#"{"limits": {"open_files": 50, "cpu_ms": 10, "memory_mb": 128, "processes": 1}}"#, outer).unwrap();
    let limits = made.limits;
    assert_eq!((limits.open_files, limits.cpu_ms, limits.memory_mb), (Some(50), Some(10), Some(64)));
    assert_eq!(of(r#"{"limits": {"open_files": 200}}"#, outer).unwrap().limits.open_files, Some(100));
    for key in ["memory_mb\": 32", "wall_ms\": 5", "threads\": 8", "tmp_mb\": 1", "output_kb\": 1", "processes\": 4"] {
        let stated = format!("{{\"run\": \"ls\", \"limits\": {{\"{key}}}}}");
        let name = key.split('"').next().unwrap();
        let excess = format!("limits.{name} is counted for the whole tree, and is no lower for one child");
        assert_eq!(of(&stated, outer).unwrap_err(), [excess], "{stated}");
    }
}

#[test]
fn it_can_be_written_down_and_read_again() {
    for text in [
        r#"{"read": ["./a", "${TMP}"], "write": "./b", "import": [], "run": ["sh", "/opt/x"], "env": "A*", "workers": 2,
            "ffi": "./lib.so", "deny": {"read": ["./a/x"], "run": "/opt/x/y", "wasm": true}, "limits": {"cpu_ms": 9}}"#,
        r#"{"extends": "dev", "deny": {"env": "AWS_*"}, "js": {"freeze": "object-prototype"}}"#,
        "{}",
    ] {
        let policy = expanded(text);
        let written = policy.to_json();
        let again = expanded(&written);
        assert_eq!(is_within(&again, &policy), Ok(()), "{written}");
        assert_eq!(is_within(&policy, &again), Ok(()), "{written}");
    }
}

fn in_part(stated: &str, outer: &str) -> Option<String> {
    let layer = Layer::parse(&Source::file("sandbox", "/project/sandbox"), stated.as_bytes()).unwrap();
    let stated = Policy::merge(&Chain::new(layer).unwrap().into_layers());
    network_in_part(&stated, &expanded(outer)).map(|problem| problem.message().to_owned())
}

#[test]
fn the_network_is_all_that_the_program_has_or_nothing() {
    let outer = r#"{"net": ["a.example:443", "b.example:*"], "listen": 3000, "fetch": "https://c.example/*",
        "deny": {"net": ["10.0.0.0/8"]}}"#;
    for whole in [
        "{}",
        r#"{"deny": {"net": "a.example"}}"#,
        r#"{"net": ["b.example:*", "a.example:443"], "listen": 3000, "fetch": "https://c.example/*"}"#,
        r#"{"net": ["b.example:*", "a.example:443"], "listen": 3000, "fetch": "https://c.example/*",
            "deny": {"net": "10.0.0.0/8"}}"#,
    ] {
        assert_eq!(in_part(whole, outer), None, "{whole}");
    }
    for (part, difference) in [
        (r#"{"net": "a.example:443", "listen": 3000, "fetch": "https://c.example/*"}"#, r#"allow.net "b.example:*""#),
        (
            r#"{"net": ["a.example:443", "b.example:443"], "listen": 3000, "fetch": "https://c.example/*"}"#,
            r#"allow.net "b.example:*""#,
        ),
        (r#"{"net": ["a.example:443", "b.example:*"], "fetch": "https://c.example/*"}"#, "allow.listen 3000"),
        (r#"{"net": ["a.example:443", "b.example:*"], "listen": 3000}"#, r#"allow.fetch "https://c.example/*""#),
        (r#"{"fetch": "https://c.example/*"}"#, r#"allow.net "a.example:443""#),
        (
            r#"{"net": ["b.example:*", "a.example:443"], "listen": 3000, "fetch": "https://c.example/*",
                "deny": {"net": "b.example:80"}}"#,
            r#"deny.net "b.example:80""#,
        ),
    ] {
        let told =
            format!("the network of a child is all that its program has, or nothing: {difference} makes a difference");
        assert_eq!(in_part(part, outer).as_deref(), Some(told.as_str()), "{part}");
    }
}

#[test]
fn what_the_launcher_adds_to_requests_is_not_written_down() {
    let policy = expanded(
        r#"{"fetch": {"url": "https://a.example/*", "headers": {"x-key": "topsecret ${secret:KEY}"}, "max_request_kb": 1}}"#,
    );
    let written = policy.to_json();
    assert!(written.contains("https://a.example/*") && !written.contains("topsecret") && !written.contains("KEY"));
}

/// A flag may deny all that a file grants, which no single text may do.
#[test]
fn grants_of_which_nothing_is_left_are_not_written() {
    let mut policy = expanded(r#"{"read": "./a", "eval": true}"#);
    let denying = expanded(r#"{"deny": {"read": "./a"}, "js": {"codegen": false}}"#);
    policy.grants.read.deny = denying.grants.read.deny;
    policy.js = denying.js;
    assert!(!decide(&expanded(&policy.to_json()), &Request::Read("/project/a".into())).allowed);
}
