//! What people are told about two policies, and about one that is bounded by another.

use policy::{Change, Policy, Request, Source, decide, diff, ignored, unavailable};

use crate::{layer, places, policy};

fn lines(changes: &[Change]) -> Vec<String> {
    changes.iter().map(ToString::to_string).collect()
}

#[test]
fn each_side_is_listed_with_its_place() {
    let first = policy(r#"{"read": ["./a", "./b"], "limits": {"wall_ms": 5}}"#);
    let second = policy(r#"{"read": ["./a", "./c"], "limits": {"wall_ms": 6}, "eval": true}"#);
    let found = diff(&first, &second, &places());
    assert_eq!(
        lines(&found.widened),
        [
            r#"allow.read "./c" (p.json:1:18) reads what is not granted there"#,
            "allow.eval true (p.json:1:60) is not granted there",
            "limits.wall_ms (p.json:1:48) is 6, more than the 5 there",
        ]
    );
    assert_eq!(lines(&found.narrowed), [r#"allow.read "./b" (p.json:1:18) reads what is not granted there"#]);
}

#[test]
fn a_limit_that_is_left_out_has_no_place() {
    let found = diff(&policy(r#"{"limits": {"wall_ms": 5}}"#), &policy("{}"), &places());
    assert_eq!(lines(&found.widened), ["limits.wall_ms does not limit, but is 5 there"]);
}

#[test]
fn a_bounded_policy_keeps_what_both_allow_and_tells_the_rest() {
    let bounded = policy(r#"{"read": ["./a/b", "/etc"], "net": "x.test:1", "kernel": {"require": []}}"#)
        .bounded_by("preset small", policy(r#"{"read": "./a", "limits": {"wall_ms": 5}}"#));
    let expanded = bounded.expand(&places());
    let allowed = |path: &str| decide(&expanded, &Request::Read(path.into())).allowed;
    assert_eq!([allowed("/project/a/b/x"), allowed("/project/a/x"), allowed("/etc/x")], [true, false, false]);
    assert_eq!(expanded.limits.wall_ms, Some(5));
    let nothing = policy("{}").kernel_in_force();
    for kernel in [bounded.kernel_in_force(), expanded.kernel.clone()] {
        for layer in policy::Protection::ALL {
            assert_eq!(kernel.requires(*layer), nothing.requires(*layer), "{layer:?}");
        }
    }
    // The limit it leaves to the other one is none of its own.
    let told = lines(&ignored(&bounded, &places()));
    assert_eq!(told.len(), 3, "{told:#?}");
    assert_eq!(told[0], r#"allow.read "/etc" (p.json:1:20) reads what is not granted there"#);
    assert_eq!(told[1], r#"allow.net "x.test:1" (p.json:1:36) is not granted there"#);
    assert!(told[2].starts_with(r#"kernel.require (p.json:1:70) leaves out "user", "mnt""#), "{}", told[2]);
}

#[test]
fn what_a_bounded_policy_cannot_have_anyway_does_not_stop_it() {
    let wants = || policy(r#"{"host": "db.*", "kernel": {"require": []}}"#);
    assert_eq!(unavailable(&wants()).len(), 1);
    assert_eq!(unavailable(&wants().bounded_by("preset small", policy("{}"))), []);
    // What would narrow it further is missed.
    for strict in [r#"{"trust": {"required": true}}"#, r#"{"kernel": {"audit": "ebpf"}}"#] {
        assert_eq!(unavailable(&policy(strict).bounded_by("preset small", policy("{}"))).len(), 1, "{strict}");
    }
}

#[test]
fn a_policy_in_a_manifest_is_found_by_its_key() {
    let manifest = Source::file("package.json", "/project/package.json");
    let read = |text: &str| policy::Layer::parse_member(&manifest, text.as_bytes(), "secureBun");
    assert_eq!(read(r#"{"name": "x"}"#), Ok(None));
    let found = read("{\n  \"name\": \"x\",\n  \"secureBun\": { \"read\": [\"./a\"] }\n}").unwrap().unwrap();
    let rule = &Policy::merge([&found]).grants.read.allow[0].statement;
    assert_eq!(rule.to_string(), r#"allow.read "./a" (package.json:3:27)"#);
    let problems = read(r#"{"secureBun": { "raed": true }}"#).unwrap_err();
    assert_eq!(
        problems[0].to_string(),
        "package.json:1:17: unknown key \"raed\" in the policy (did you mean \"read\"?)"
    );
    // The rest of a manifest is not the policy's business.
    assert_eq!(read(r#"{"secureBun": {}, "x": 1}"#).unwrap().unwrap().said(), layer("{}").said());
}
