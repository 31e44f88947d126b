//! The tables of cases: what policies decide, and in which words.

#[path = "../cases/table.rs"]
mod table;

use policy::{Permission, Request};
use table::Table;

fn check(table: &Table) {
    let policies = table.expanded();
    let mut failures = Vec::new();
    for case in &table.cases {
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
    assert!(failures.is_empty(), "{} of {} cases:\n{}", failures.len(), table.cases.len(), failures.join("\n"));
}

#[test]
fn every_case_that_the_preload_shares_is_decided_as_the_table_says() {
    let table = Table::shared();
    assert!(table.cases.len() >= 60, "the table was not read whole");
    check(&table);
}
