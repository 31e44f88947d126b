//! What editors show over the keys of a policy.

use policy::{Layer, Policy, Source};
use serde_json::{Map, Value, json};

fn schema() -> Value {
    serde_json::from_str(policy::POLICY_SCHEMA).unwrap()
}

/// Every property of the schema by its name, wherever it is.
fn properties(schema: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    match schema {
        Value::Object(object) => {
            if let Some(Value::Object(properties)) = object.get("properties") {
                found.extend(properties.iter().map(|(name, property)| (name.clone(), property.clone())));
            }
            // A property may be called "properties"; none is.
            found.extend(object.values().flat_map(properties));
        }
        Value::Array(choices) => found.extend(choices.iter().flat_map(properties)),
        _ => {}
    }
    found
}

#[test]
fn every_property_says_what_it_is_for_what_holds_without_it_and_gives_an_example() {
    let properties = properties(&schema());
    assert!(properties.len() > 70, "{}", properties.len());
    for (name, property) in properties {
        let text = property["description"].as_str().unwrap_or_else(|| panic!("{name} has no description"));
        let (about, rest) = text.split_once(" Default: ").unwrap_or_else(|| panic!("{name}: {text}"));
        assert!(about.len() > 10 && about.ends_with('.'), "{name}: {about}");
        assert!(rest.contains(&format!(" Example: \"{name}\": ")), "{name}: {text}");
        let markdown = property["markdownDescription"].as_str().unwrap_or_else(|| panic!("{name}: no Markdown"));
        assert!(markdown.contains(&format!("```json\n\"{name}\": ")), "{name}: {markdown}");
        assert!(!text.contains('`'), "{name}: plain text has no marks: {text}");
    }
}

#[test]
fn every_example_is_a_policy() {
    let schema = schema();
    let examples = |pointer: &str| -> Map<String, Value> {
        let properties = schema.pointer(pointer).and_then(Value::as_object).unwrap_or_else(|| panic!("no {pointer}"));
        properties.iter().map(|(name, property)| (name.clone(), property["examples"][0].clone())).collect()
    };
    let parses = |policy: &Value| {
        let text = policy.to_string();
        let layer = Layer::parse(&Source::file("p.json", "/project/p.json"), text.as_bytes());
        Policy::merge([&layer.unwrap_or_else(|problems| panic!("{text}: {problems:?}"))]);
    };
    for (name, value) in examples("/properties") {
        parses(&json!({ name: value }));
    }
    for (name, value) in examples("/definitions/Permissions/properties") {
        parses(&json!({ "allow": { &name: &value } }));
        parses(&json!({ &name: { "allow": &value } }));
        // Of a single value, all is denied.
        let denied = if value.is_array() { value } else { json!(true) };
        parses(&json!({ "deny": { &name: &denied } }));
        parses(&json!({ &name: { "deny": &denied } }));
    }
    for (section, pointer) in [
        ("kernel", "/definitions/Kernel/properties"),
        ("limits", "/properties/limits/properties"),
        ("js", "/definitions/Js/properties"),
        ("trust", "/definitions/Trust/properties"),
    ] {
        for (name, value) in examples(pointer) {
            parses(&json!({ section: { name: value } }));
        }
    }
    parses(&json!({ "fetch": [examples("/definitions/FetchRule/properties")] }));
}

#[test]
fn nothing_but_the_url_of_a_fetch_rule_is_required() {
    let text = policy::POLICY_SCHEMA;
    assert_eq!(text.matches("\"required\": [").count(), 1);
    assert_eq!(schema()["definitions"]["FetchRule"]["required"], json!(["url"]));
}
