//! Rules for the tables themselves.

use std::collections::BTreeSet;

use super::{Options, all_options};
use crate::seccomp::{Action, describe, groups::GROUPS, rule::Verdict};

#[test]
fn every_rule_gives_a_reason() {
    for group in GROUPS {
        for rule in group.rules {
            assert!(rule.reason.len() > 5, "{} of {}: {:?}", rule.call.name(), group.name, rule.reason);
        }
    }
}

/// Only a group that depends on the options may speak about a call again.
#[test]
fn no_call_stands_twice_among_the_rules_that_always_hold() {
    let mut seen = BTreeSet::new();
    for group in GROUPS.iter().filter(|group| (group.granted)(&Options::default())) {
        for rule in group.rules {
            assert!(seen.insert(rule.call.number), "{} stands twice, again in {}", rule.call.name(), group.name);
        }
    }
}

/// Such a case would allow everything, and belongs into the table as `Allow`.
#[test]
fn every_case_checks_something() {
    for rule in GROUPS.iter().flat_map(|group| group.rules) {
        if let Verdict::Only { cases, .. } = rule.verdict {
            assert!(!cases.is_empty() && cases.iter().all(|case| !case.is_empty()), "{}", rule.call.name());
        }
    }
}

/// An option that grants nothing, or a denial that grants something, would be wired the wrong way round.
#[test]
fn each_option_moves_the_verdicts_in_its_direction() {
    for options in all_options() {
        let allowed = |options| {
            let described = describe(&options).into_iter();
            described.filter(|d| d.action == Action::Allow).map(|d| d.call).collect::<BTreeSet<_>>()
        };
        let with_write = allowed(Options { write: true, ..options });
        let without_write = allowed(Options { write: false, ..options });
        assert!(with_write.is_superset(&without_write) && with_write.contains("unlinkat"));
        assert!(!without_write.contains("unlinkat"));

        let jit = allowed(Options { deny_new_executable_memory: false, ..options });
        let no_jit = allowed(Options { deny_new_executable_memory: true, ..options });
        let difference: Vec<_> = jit.difference(&no_jit).copied().collect();
        assert_eq!(difference, ["mmap", "mprotect"]);
    }
}

#[test]
fn every_errno_of_a_description_has_a_name() {
    for described in all_options().flat_map(|options| describe(&options)) {
        assert!(!described.action.to_string().contains("another"), "{described:?}");
    }
}
