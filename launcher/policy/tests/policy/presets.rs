//! The policies that come with the program.

use std::collections::BTreeSet;

use policy::{Chain, Layer, Policy, Preset, Request, Source, decide, is_within, unavailable};
use serde_json::Value;

use crate::{expanded, places};

fn merged(preset: Preset) -> Policy {
    Policy::merge(&Chain::new(Layer::preset(preset)).unwrap().into_layers())
}

#[test]
fn every_preset_is_valid_by_itself_and_as_a_file() {
    for preset in Preset::ALL {
        let name = format!("{}.json", preset.name());
        let source = Source::file(name.as_str(), format!("/project/policies/{name}"));
        let as_file = Layer::parse(&source, preset.text().as_bytes()).unwrap_or_else(|problems| panic!("{problems:?}"));
        let as_preset = Layer::preset(preset);
        let paths = |layer: &Layer| format!("{:?}", layer.said().expand(&places()).grants.read.allow.len());
        assert_eq!(paths(&as_file), paths(&as_preset));
        assert_eq!(Preset::from_name(preset.name()), Some(preset));
        assert!(
            !preset.text().contains("\"./") || preset.text().matches("\"./").count() == 1,
            "only $schema is relative"
        );
    }
}

#[test]
fn function_computes_and_reaches_nothing_but_its_modules() {
    let policy = expanded(r#"{"extends": "function"}"#);
    let allowed = |request: Request| decide(&policy, &request).allowed;
    assert!(allowed(Request::Import("/project/src/a.ts".into())));
    assert!(allowed(Request::Wasm));
    for refused in [
        Request::Read("/project/src/a.ts".into()),
        Request::Write("/tmp/x".into()),
        Request::Import("/project/.env".into()),
        Request::Net { host: "example.com".into(), port: 443 },
        Request::Env("HOME".into()),
        Request::Run("git".into()),
        Request::Sys("hostname".into()),
        Request::Workers(1),
        Request::Ffi(None),
        Request::Eval,
        Request::Host("db.query".into()),
        Request::Secret("KEY".into()),
    ] {
        assert!(!allowed(refused.clone()), "{refused:?}");
    }
    assert!(policy.limits.wall_ms.is_some() && policy.limits.cpu_ms.is_some() && policy.limits.memory_mb.is_some());
}

#[test]
fn script_reads_its_project_and_writes_to_its_own_folder() {
    let policy = expanded(r#"{"extends": "script"}"#);
    let allowed = |request: Request| decide(&policy, &request).allowed;
    assert!(allowed(Request::Read("/project/a".into())));
    assert!(allowed(Request::Write("/tmp/a".into())));
    assert!(allowed(Request::Workers(8)));
    assert!(!allowed(Request::Write("/project/a".into())));
    assert!(!allowed(Request::Eval));
    assert_eq!((policy.limits.wall_ms, policy.limits.cpu_ms, policy.limits.output_kb), (None, None, None));
}

#[test]
fn the_presets_that_can_run_today_are_known() {
    let available: Vec<&str> =
        Preset::ALL.into_iter().filter(|preset| unavailable(&merged(*preset)).is_empty()).map(Preset::name).collect();
    assert_eq!(available, Preset::ALL.map(Preset::name));
}

#[test]
fn presets_that_extend_each_other_are_within_one_another() {
    let within = |inner: &str, outer: &str| {
        is_within(&expanded(&format!("{{\"extends\": {inner:?}}}")), &expanded(&format!("{{\"extends\": {outer:?}}}")))
    };
    assert_eq!(within("script", "script"), Ok(()));
    assert_eq!(within("script", "bun-build"), Ok(()));
    assert_eq!(within("dev", "trusted"), Ok(()));
    assert!(within("bun-build", "script").is_err());
}

/// The keys of an object of the schema.
fn keys(schema: &Value, pointer: &str) -> BTreeSet<String> {
    let object = schema.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}")).as_object().expect("an object");
    object.keys().cloned().collect()
}

#[test]
fn the_schema_knows_the_keys_that_the_parser_knows() {
    let schema: Value = serde_json::from_str(policy::POLICY_SCHEMA).unwrap();
    for (section, pointer) in [
        ("the policy", "/properties"),
        ("allow", "/definitions/Permissions/properties"),
        ("kernel", "/definitions/Kernel/properties"),
        ("limits", "/properties/limits/properties"),
        ("js", "/definitions/Js/properties"),
        ("trust", "/definitions/Trust/properties"),
    ] {
        // The parser lists the keys it knows when it meets one that is like none of them.
        let text = match section {
            "the policy" => "{\"zzzzzzzzzz\": 1}".to_owned(),
            _ => format!("{{\"{section}\": {{\"zzzzzzzzzz\": 1}}}}"),
        };
        let problem = &Layer::parse(&Source::file("p", "/p"), text.as_bytes()).unwrap_err()[0];
        let list = problem.help().unwrap().strip_prefix("the keys here are ").unwrap();
        let parser: BTreeSet<String> = list.split(", ").map(str::to_owned).collect();
        assert_eq!(keys(&schema, pointer), parser, "{section}");
    }
}

#[test]
fn the_page_on_the_format_shows_a_policy_that_means_what_the_page_says() {
    let page = include_str!("../../../../policies/README.md");
    let (_, rest) = page.split_once("```jsonc\n").expect("an example");
    let (example, _) = rest.split_once("```").expect("its end");
    let policy = expanded(example);
    let denied = decide(&policy, &Request::Read("/project/data/private/x".into())).rule.to_string();
    assert!(page.contains(&format!("`{denied}`")), "{denied}");
    let request = Request::Read("/etc/passwd".into());
    assert!(page.contains(&policy::explain(&request, &decide(&policy, &request))));
    for name in policy::Permission::ALL.map(policy::Permission::name).iter().chain(policy::SYS_NAMES) {
        assert!(page.contains(&format!("`{name}`")), "{name}");
    }
    for limit in policy::Limit::ALL {
        assert!(page.contains(limit.name()), "{}", limit.name());
    }
}
