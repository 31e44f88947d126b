//! Generated files are what this crate generates.

use crate::table::{PRELOAD_TABLES, preload_tables};

/// Compares with a reason that says what to do.
fn assert_current(name: &str, checked_in: &str, generated: &str) {
    let first = checked_in.lines().zip(generated.lines()).position(|(old, new)| old != new);
    assert!(
        checked_in == generated,
        "{name} is stale (first in line {}): run `{}`",
        first.map_or(checked_in.lines().count().min(generated.lines().count()) + 1, |line| line + 1),
        policy::GENERATE_COMMAND,
    );
}

#[test]
fn the_typescript_module_is_current() {
    let checked_in = include_str!("../../../../preload/src/generated/policy.ts");
    assert_current(policy::TYPESCRIPT_MODULE, checked_in, &policy::typescript_module());
}

#[test]
fn the_json_schema_is_current() {
    assert_current(policy::SCHEMA_FILE, policy::POLICY_SCHEMA, &policy::json_schema());
}

#[test]
fn the_preload_tables_of_the_shared_cases_are_current() {
    let checked_in = include_str!("../../cases/tables.json");
    assert_current(PRELOAD_TABLES, checked_in, &preload_tables());
}
