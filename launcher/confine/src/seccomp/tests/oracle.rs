//! seccompiler compiles the same tables, in its own way; both programs must agree on every call number and on every
//! argument that the tables make interesting.

use std::collections::BTreeMap;

use libc::sock_filter;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

use super::{
    all_options,
    evaluator::{Data, evaluate},
};
use crate::seccomp::{
    DEFAULT_ERRNO, Filter, Options,
    rule::{Arg, Case, Check, Test, Verdict},
    rulings,
};

const PID: u32 = 4242;
const KEY: u64 = 0x0123_4567_89ab_cdef;

/// seccompiler cannot ask; this errno, which no rule uses, stands for it.
const ASKED: libc::c_int = 4000;

#[test]
fn both_compilers_agree_on_every_number_and_interesting_argument() {
    for options in all_options() {
        let mut filter = Filter::new(&options, KEY);
        filter.patch_pid(PID);
        let table = table(options);
        let oracles = oracles(&table);
        let mut compared = 0;
        for number in 0..1024 {
            let verdict = table.get(&number).copied().unwrap_or(Verdict::Refuse(DEFAULT_ERRNO));
            let oracle = &oracles[&errno_of(&verdict)];
            for args in vectors(&verdict) {
                let data = Data::native(number, args);
                let ours = match evaluate(filter.program(), &data) {
                    libc::SECCOMP_RET_USER_NOTIF => refused(ASKED),
                    action => action,
                };
                let theirs = evaluate(oracle, &data);
                assert_eq!(ours, theirs, "{options:?} {data:x?} {verdict:?}");
                compared += 1;
            }
        }
        assert!(compared > 5_000, "the vectors shrank to {compared}");
    }
}

/// The vectors would be worthless if they never crossed the line.
#[test]
fn the_vectors_of_every_checked_call_are_partly_allowed_and_partly_refused() {
    for options in all_options() {
        crosses(options);
    }
}

fn crosses(options: Options) {
    let mut filter = Filter::new(&options, KEY);
    filter.patch_pid(PID);
    for (number, verdict) in table(options) {
        let Verdict::Only { cases, otherwise } = verdict else { continue };
        let allowed = |args: &[u64; 6]| {
            let action = evaluate(filter.program(), &Data::native(number, *args));
            assert!(action == libc::SECCOMP_RET_ALLOW || action == refused(otherwise), "{number}: {action:#x}");
            action == libc::SECCOMP_RET_ALLOW
        };
        for case in cases {
            assert!(satisfying(case).iter().all(allowed), "call {number}: a satisfied case is refused");
        }
        assert!(!vectors(&verdict).iter().all(allowed), "call {number}: no mutation is refused");
    }
}

fn table(options: Options) -> BTreeMap<u32, Verdict> {
    rulings(&options).map(|ruling| (ruling.rule.call.number, ruling.verdict)).collect()
}

fn refused(errno: libc::c_int) -> u32 {
    libc::SECCOMP_RET_ERRNO | errno.unsigned_abs()
}

fn errno_of(verdict: &Verdict) -> libc::c_int {
    match verdict {
        Verdict::Allow => DEFAULT_ERRNO,
        Verdict::Ask => ASKED,
        Verdict::Refuse(errno) | Verdict::Only { otherwise: errno, .. } => *errno,
    }
}

/// seccompiler knows one refusal per filter, so there is a filter for each errno.
fn oracles(table: &BTreeMap<u32, Verdict>) -> BTreeMap<libc::c_int, Vec<sock_filter>> {
    let errnos = table.values().map(errno_of).chain([DEFAULT_ERRNO]);
    errnos.map(|errno| (errno, compile(table, errno))).collect()
}

fn compile(table: &BTreeMap<u32, Verdict>, errno: libc::c_int) -> Vec<sock_filter> {
    let rules = table.iter().filter_map(|(number, verdict)| match verdict {
        Verdict::Allow => Some((i64::from(*number), vec![])),
        Verdict::Only { cases, otherwise } if *otherwise == errno => {
            Some((i64::from(*number), cases.iter().flat_map(|case| seccompiler_rules(case)).collect()))
        }
        _ => None,
    });
    let filter = SeccompFilter::new(
        rules.collect(),
        SeccompAction::Errno(errno.unsigned_abs()),
        SeccompAction::Allow,
        std::env::consts::ARCH.try_into().unwrap(),
    );
    let program = BpfProgram::try_from(filter.unwrap()).unwrap();
    program.iter().map(|i| sock_filter { code: i.code, jt: i.jt, jf: i.jf, k: i.k }).collect()
}

/// One rule for each choice among the values of the case's `OneOf` tests.
fn seccompiler_rules(case: Case) -> Vec<SeccompRule> {
    let mut rules: Vec<Vec<SeccompCondition>> = vec![vec![]];
    for check in case {
        let alternatives = seccompiler_conditions(check);
        rules = rules
            .iter()
            .flat_map(|rule| {
                alternatives.iter().map(|alternative| [&rule[..], std::slice::from_ref(alternative)].concat())
            })
            .collect();
    }
    rules.into_iter().map(|rule| SeccompRule::new(rule).unwrap()).collect()
}

fn seccompiler_conditions(check: &Check) -> Vec<SeccompCondition> {
    let (position, length) = match check.arg {
        Arg::Int(position) => (position, SeccompCmpArgLen::Dword),
        Arg::Long(position) => (position, SeccompCmpArgLen::Qword),
    };
    let condition = |op, value| SeccompCondition::new(position, length.clone(), op, value).unwrap();
    match check.test {
        Test::OneOf(values) => values.iter().map(|value| condition(SeccompCmpOp::Eq, u64::from(*value))).collect(),
        Test::AtMost(limit) => vec![condition(SeccompCmpOp::Le, u64::from(limit))],
        Test::Over(limit) => vec![condition(SeccompCmpOp::Gt, u64::from(limit))],
        Test::Bits { mask, value } => vec![condition(SeccompCmpOp::MaskedEq(mask), value)],
        Test::OwnPid => vec![condition(SeccompCmpOp::Eq, u64::from(PID))],
        Test::ExecKey => vec![condition(SeccompCmpOp::Eq, KEY)],
    }
}

fn position(check: &Check) -> usize {
    match check.arg {
        Arg::Int(position) | Arg::Long(position) => usize::from(position),
    }
}

/// Values for which the test holds.
fn passing(test: &Test) -> Vec<u64> {
    match *test {
        Test::OneOf(values) => values.iter().map(|value| u64::from(*value)).collect(),
        Test::AtMost(limit) => vec![0, u64::from(limit) - 1, u64::from(limit)],
        Test::Over(limit) => vec![u64::from(limit) + 1, u64::from(u32::MAX)],
        Test::Bits { mask, value } => vec![value, value | !mask],
        Test::OwnPid => vec![u64::from(PID)],
        Test::ExecKey => vec![KEY],
    }
}

/// Arguments that satisfy the case, once for each value that passes one of its checks.
fn satisfying(case: Case) -> Vec<[u64; 6]> {
    let mut vectors = vec![];
    for rubbish in [0, u64::MAX] {
        let mut base = [rubbish; 6];
        for check in case {
            base[position(check)] = passing(&check.test)[0];
        }
        for check in case {
            vectors.extend(passing(&check.test).into_iter().map(|value| with(base, check, value)));
        }
    }
    vectors
}

fn with(mut args: [u64; 6], check: &Check, value: u64) -> [u64; 6] {
    args[position(check)] = value;
    args
}

/// Satisfying arguments, and each of them with one argument changed: by one, and in each of its 64 bits.
fn vectors(verdict: &Verdict) -> Vec<[u64; 6]> {
    let mut vectors = vec![[0; 6], [u64::MAX; 6], [0x8000_0000; 6], [1 << 32; 6]];
    let Verdict::Only { cases, .. } = verdict else { return vectors };
    for case in *cases {
        for args in satisfying(case) {
            vectors.push(args);
            for check in *case {
                let value = args[position(check)];
                vectors.push(with(args, check, value.wrapping_add(1)));
                vectors.push(with(args, check, value.wrapping_sub(1)));
                vectors.extend((0..64).map(|bit| with(args, check, value ^ 1 << bit)));
            }
        }
    }
    vectors
}
