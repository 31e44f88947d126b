//! Turns resolved verdicts into a BPF program: a binary search over the call numbers whose leaves are the verdicts.
//!
//! The program is written from its end to its beginning. Jumps only go forward, so by the time one is written, its
//! target is already in place and its distance known: no labels to patch, no lengths to guess.

use libc::sock_filter;

use super::rule::{Arg, CALL_CEILING, Case, Check, Test, Verdict};

/// As `AUDIT_ARCH_*` of linux/audit.h: ELF machine | 64-bit | little-endian.
#[cfg(target_arch = "x86_64")]
pub(super) const ARCHITECTURE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
pub(super) const ARCHITECTURE: u32 = 0xC000_00B7;

/// x32 calls come under the architecture `x86_64` with this bit in their number, and reach code of their own.
#[cfg(target_arch = "x86_64")]
pub(super) const X32_BIT: u32 = 0x4000_0000;

// Offsets into `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const ARGS: u32 = 16;

const LOAD: u16 = op(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS);
const AND: u16 = op(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K);
const JUMP: u16 = op(libc::BPF_JMP | libc::BPF_JA);
const IF_EQUAL: u16 = op(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K);
const IF_AT_LEAST: u16 = op(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K);
const IF_GREATER: u16 = op(libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K);
const RETURN: u16 = op(libc::BPF_RET | libc::BPF_K);

#[expect(clippy::cast_possible_truncation, reason = "the range is asserted first")]
const fn op(code: u32) -> u16 {
    assert!(code <= u16::MAX as u32);
    code as u16
}

/// Stands where the pid will: above any pid Linux gives out, so an unpatched filter lets nobody be signalled.
const NO_PID: u32 = i32::MAX.cast_unsigned();

/// The verdict on every call number; `None` is the default.
pub(super) type Verdicts = [Option<Verdict>; CALL_CEILING];

/// A finished program.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) code: Vec<sock_filter>,
    /// The instructions whose constant is the pid.
    pub(super) pid_slots: Vec<usize>,
}

/// Assembles `verdicts`; calls without one fail with `default`, and a foreign architecture kills the process.
pub(super) fn assemble(verdicts: &Verdicts, default: libc::c_int, exec_key: u64) -> Program {
    let mut assembler =
        Assembler { backwards: Vec::with_capacity(CALL_CEILING), pid_slots: Vec::new(), returns: Vec::new(), exec_key };
    let spans = merge(verdicts, Verdict::Refuse(default));
    #[cfg_attr(not(target_arch = "x86_64"), expect(unused_variables, reason = "the load falls through to it"))]
    let search = assembler.search(&spans);
    #[cfg(target_arch = "x86_64")]
    {
        let kill = assembler.give(libc::SECCOMP_RET_KILL_PROCESS);
        assembler.branch(IF_AT_LEAST, X32_BIT, kill, search);
    }
    let native = assembler.push(LOAD, NUMBER);
    let kill = assembler.give(libc::SECCOMP_RET_KILL_PROCESS);
    assembler.branch(IF_EQUAL, ARCHITECTURE, native, kill);
    assembler.push(LOAD, ARCH);
    assembler.finish()
}

/// Consecutive call numbers, from `first` up to the next span, that share a verdict.
struct Span {
    first: u32,
    verdict: Verdict,
}

/// Joins neighbours that agree. The last span reaches to the end of all numbers.
fn merge(verdicts: &Verdicts, default: Verdict) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::with_capacity(CALL_CEILING / 2);
    let numbered = (0..).zip(verdicts.iter().chain([&None]));
    for (first, verdict) in numbered {
        let verdict = verdict.unwrap_or(default);
        let continues = spans.last().is_some_and(|span| agree(&span.verdict, &verdict));
        if !continues {
            spans.push(Span { first, verdict });
        }
    }
    spans
}

/// Whether two verdicts are the same without looking at arguments.
fn agree(left: &Verdict, right: &Verdict) -> bool {
    match (left, right) {
        (Verdict::Allow, Verdict::Allow) | (Verdict::Ask, Verdict::Ask) => true,
        (Verdict::Refuse(left), Verdict::Refuse(right)) => left == right,
        _ => false,
    }
}

/// A place in the program: how many instructions stand from there to the end.
#[derive(Clone, Copy)]
struct Place(usize);

struct Assembler {
    backwards: Vec<sock_filter>,
    /// Indices into `backwards`.
    pid_slots: Vec<usize>,
    /// The latest return of each action, for jumps to share.
    returns: Vec<(u32, Place)>,
    exec_key: u64,
}

impl Assembler {
    fn finish(self) -> Program {
        let Self { backwards: mut code, mut pid_slots, .. } = self;
        code.reverse();
        for slot in &mut pid_slots {
            *slot = code.len() - 1 - *slot;
        }
        Program { code, pid_slots }
    }

    fn push(&mut self, code: u16, k: u32) -> Place {
        self.push_branch(code, k, 0, 0)
    }

    fn push_branch(&mut self, code: u16, k: u32, jt: u8, jf: u8) -> Place {
        self.backwards.push(sock_filter { code, jt, jf, k });
        Place(self.backwards.len())
    }

    /// Returns `action`: from an instruction that is already there, if a jump reaches it comfortably.
    fn give(&mut self, action: u32) -> Place {
        const COMFORTABLE: usize = 200;
        let known = self.returns.iter().position(|(known, _)| *known == action);
        match known.map(|index| self.returns[index].1) {
            Some(place) if self.distance(place) <= COMFORTABLE => return place,
            _ => {}
        }
        let place = self.push(RETURN, action);
        match known {
            Some(index) => self.returns[index].1 = place,
            None => self.returns.push((action, place)),
        }
        place
    }

    /// How many instructions stand between the one to be pushed next and `target`.
    fn distance(&self, target: Place) -> usize {
        self.backwards.len() - target.0
    }

    /// A conditional jump. Its offsets are bytes: a target further away is reached over an unconditional jump, whose
    /// offset is a word.
    fn branch(&mut self, condition: u16, k: u32, mut yes: Place, mut no: Place) -> Place {
        // Bringing one target near pushes the other one instruction away.
        const NEAR: usize = u8::MAX as usize - 1;
        if self.distance(no) > NEAR {
            no = self.jump(no);
        }
        if self.distance(yes) > NEAR {
            yes = self.jump(yes);
        }
        let offset = |target| u8::try_from(self.distance(target)).expect("far targets were brought near");
        let (jt, jf) = (offset(yes), offset(no));
        self.push_branch(condition, k, jt, jf)
    }

    fn jump(&mut self, target: Place) -> Place {
        let distance = u32::try_from(self.distance(target)).expect("a program has at most 4096 instructions");
        self.push(JUMP, distance)
    }

    /// Finds the span of the loaded call number.
    fn search(&mut self, spans: &[Span]) -> Place {
        if let [span] = spans {
            return self.verdict(&span.verdict);
        }
        let (low, high) = spans.split_at(spans.len() / 2);
        let boundary = high[0].first;
        let high = self.search(high);
        let low = self.search(low);
        self.branch(IF_AT_LEAST, boundary, high, low)
    }

    fn verdict(&mut self, verdict: &Verdict) -> Place {
        match verdict {
            Verdict::Allow => self.give(libc::SECCOMP_RET_ALLOW),
            Verdict::Refuse(errno) => self.give(refusal(*errno)),
            Verdict::Ask => self.give(libc::SECCOMP_RET_USER_NOTIF),
            Verdict::Only { cases, otherwise } => {
                let refuse = self.give(refusal(*otherwise));
                cases.iter().rev().fold(refuse, |next, case| self.case(case, next))
            }
        }
    }

    /// Allows if all checks hold, else goes on to `next`.
    fn case(&mut self, case: Case, next: Place) -> Place {
        let allow = self.give(libc::SECCOMP_RET_ALLOW);
        case.iter().rev().fold(allow, |holds, check| self.check(check, holds, next))
    }

    fn check(&mut self, check: &Check, yes: Place, no: Place) -> Place {
        match check.arg {
            Arg::Int(position) => self.test_low(low_word(position), check.test, yes, no),
            Arg::Long(position) => {
                let low = self.test_low(low_word(position), check.test, yes, no);
                self.test_high(high_word(position), check.test, low, no)
            }
        }
    }

    fn test_low(&mut self, word: u32, test: Test, yes: Place, no: Place) -> Place {
        match test {
            Test::OneOf(values) => {
                values.iter().rev().fold(no, |next, value| self.branch(IF_EQUAL, *value, yes, next));
                self.push(LOAD, word)
            }
            Test::AtMost(limit) => {
                self.branch(IF_GREATER, limit, no, yes);
                self.push(LOAD, word)
            }
            Test::Over(limit) => {
                self.branch(IF_GREATER, limit, yes, no);
                self.push(LOAD, word)
            }
            Test::Bits { mask, value } => self.test_word(word, low_half(mask), low_half(value), yes, no),
            Test::ExecKey => self.test_word(word, u32::MAX, low_half(self.exec_key), yes, no),
            Test::OwnPid => {
                let Place(length) = self.branch(IF_EQUAL, NO_PID, yes, no);
                self.pid_slots.push(length - 1);
                self.push(LOAD, word)
            }
        }
    }

    fn test_high(&mut self, word: u32, test: Test, yes: Place, no: Place) -> Place {
        let (mask, value) = match test {
            Test::Bits { mask, value } => (mask, value),
            Test::ExecKey => (u64::MAX, self.exec_key),
            Test::OneOf(_) | Test::AtMost(_) | Test::Over(_) | Test::OwnPid => (u64::MAX, 0),
        };
        match low_half(mask >> 32) {
            0 => yes,
            mask => self.test_word(word, mask, low_half(value >> 32), yes, no),
        }
    }

    fn test_word(&mut self, word: u32, mask: u32, value: u32, yes: Place, no: Place) -> Place {
        self.branch(IF_EQUAL, value, yes, no);
        if mask != u32::MAX {
            self.push(AND, mask);
        }
        self.push(LOAD, word)
    }
}

fn refusal(errno: libc::c_int) -> u32 {
    libc::SECCOMP_RET_ERRNO | errno.cast_unsigned()
}

// Both architectures are little-endian: the lower half comes first.
fn low_word(position: u8) -> u32 {
    ARGS + 8 * u32::from(position)
}

fn high_word(position: u8) -> u32 {
    low_word(position) + 4
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half is what is asked for")]
fn low_half(value: u64) -> u32 {
    value as u32
}
