//! The assembler against a plain reading of the verdicts, with tables that real ones never become.

use super::evaluator::{Data, evaluate};
use crate::seccomp::{
    assembler::{Verdicts, assemble},
    rule::{CALL_CEILING, Check, Test, Verdict},
};

const DEFAULT: libc::c_int = libc::ENOSYS;

fn refused(errno: usize) -> u32 {
    libc::SECCOMP_RET_ERRNO | u32::try_from(errno).unwrap()
}

/// No neighbours to merge, no returns to share: the halves of the search are further apart than a byte reaches.
#[test]
fn a_table_of_differing_verdicts_is_searched_over_far_jumps() {
    let mut verdicts: Verdicts = [None; CALL_CEILING];
    for (number, verdict) in verdicts.iter_mut().enumerate() {
        *verdict = Some(Verdict::Refuse(libc::c_int::try_from(number).unwrap() + 1));
    }
    let program = assemble(&verdicts, DEFAULT, 0).code;
    assert!(program.iter().any(|instruction| instruction.code == 0x05), "nothing was far");
    for number in 0..CALL_CEILING {
        let data = Data::native(u32::try_from(number).unwrap(), [0; 6]);
        assert_eq!(evaluate(&program, &data), refused(number + 1));
    }
}

/// A list whose first value is further from the verdicts than a byte reaches, between two others of its kind.
#[test]
fn a_list_of_a_thousand_values_reaches_its_verdict() {
    let values: Vec<u32> = (0..1000).map(|value| 3 * value).collect();
    let case: &[Check] = vec![Check::long(5, Test::OneOf(values.leak())), Check::int(0, Test::AtMost(9))].leak();
    let cases: &[&[Check]] = vec![case].leak();
    let mut verdicts: Verdicts = [None; CALL_CEILING];
    verdicts[7..10].fill(Some(Verdict::Only { cases, otherwise: libc::EPERM }));
    let program = assemble(&verdicts, DEFAULT, 0).code;
    for number in 7..10 {
        for value in 0..3003 {
            let listed = value % 3 == 0 && value < 3000;
            let action = |first, last| evaluate(&program, &Data::native(number, [first, 0, 0, 0, 0, last]));
            let eperm = refused(1);
            assert_eq!(action(9, value), if listed { libc::SECCOMP_RET_ALLOW } else { eperm }, "{value}");
            assert_eq!(action(10, value), eperm);
            assert_eq!(action(9, value | 1 << 32), eperm);
        }
    }
}

#[test]
fn numbers_beyond_the_table_get_the_default() {
    let program = assemble(&[Some(Verdict::Allow); CALL_CEILING], DEFAULT, 0).code;
    let last = u32::try_from(CALL_CEILING).unwrap() - 1;
    assert_eq!(evaluate(&program, &Data::native(last, [0; 6])), libc::SECCOMP_RET_ALLOW);
    for number in [last + 1, 100_000, 0x3fff_ffff] {
        assert_eq!(evaluate(&program, &Data::native(number, [0; 6])), refused(38));
    }
}
