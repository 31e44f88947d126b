//! The tables of cases: what policies decide, and in which words.

use crate::table::{SHARED_CASES, Table};
use policy::{Permission, Request};
use serde::Deserialize;

#[derive(Deserialize)]
struct Cases {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    policy: String,
    permission: String,
    resource: Option<String>,
    allowed: bool,
    rule: String,
    fix: Option<String>,
    message: Option<String>,
}

/// Checks each case, and returns how many there are.
fn check(text: &str) -> usize {
    let table = Table::read(text);
    let policies = table.expanded();
    let Cases { cases } = serde_json::from_str(text).expect("the table is JSON of this shape");
    let mut failures = Vec::new();
    for case in &cases {
        let name = format!("{:?}: {} {:?}", case.policy, case.permission, case.resource);
        let permission = Permission::from_name(&case.permission).expect("a permission");
        let request = Request::from_parts(permission, case.resource.as_deref()).expect(&name);
        assert_eq!(request.resource(), case.resource, "{name}: the request keeps its resource");
        let decision = policy::decide(&policies[case.policy.as_str()], &request);
        let message = (!decision.allowed).then(|| policy::explain(&request, &decision));
        let found = (decision.allowed, decision.rule.to_string(), decision.fix, message);
        let expected = (case.allowed, case.rule.clone(), case.fix.clone(), case.message.clone());
        if found != expected {
            failures.push(format!("{name}\n  expected {expected:?}\n  found    {found:?}"));
        }
    }
    assert!(failures.is_empty(), "{} of {} cases:\n{}", failures.len(), cases.len(), failures.join("\n"));
    cases.len()
}

#[test]
fn the_cases_that_the_preload_shares_are_decided_as_the_table_says() {
    assert!(check(SHARED_CASES) >= 180, "the table was not read whole");
}

#[test]
fn the_cases_that_the_launcher_decides_alone_are_decided_as_the_table_says() {
    assert!(check(include_str!("../../cases/broker.json")) >= 40, "the table was not read whole");
}
