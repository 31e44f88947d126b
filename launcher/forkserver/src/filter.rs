//! The child's own system call filter, on top of the sandbox's: what the server needs to fork, a child has no use for,
//! and whatever names a process may name the child alone.
//!
//! A constant in an inherited filter cannot say "yourself", and the engine does signal its own threads.

use crate::sys::{Fd, Instruction, number};

/// Most instructions of the filter.
const MOST_INSTRUCTIONS: usize = 2 * REFUSED.len() + 40;

/// A filter, ready to be loaded.
pub(crate) struct Filter {
    code: [Instruction; MOST_INSTRUCTIONS],
    length: usize,
}

#[cfg(target_arch = "x86_64")]
mod own {
    /// `AUDIT_ARCH_X86_64` of linux/audit.h.
    pub(super) const ARCHITECTURE: u32 = 0xc000_003e;
    pub(super) const KILL: u32 = 62;
    pub(super) const TGKILL: u32 = 234;
    pub(super) const RT_SIGQUEUEINFO: u32 = 129;
    pub(super) const RT_TGSIGQUEUEINFO: u32 = 297;
    pub(super) const CLONE: u32 = 56;
    pub(super) const RECVMSG: u32 = 47;
    /// sendmsg, fork, vfork, ptrace, setpgid, setrlimit, setpriority, `sched_setparam`, `sched_setscheduler`, tkill,
    /// `sched_setaffinity`, `ioprio_set`, `migrate_pages`, `move_pages`, `perf_event_open`, `process_vm_readv`,
    /// `process_vm_writev`, kcmp, `sched_setattr`, seccomp.
    pub(super) const REFUSED: [u32; 20] =
        [46, 57, 58, 101, 109, 160, 141, 142, 144, 200, 203, 251, 256, 279, 298, 310, 311, 312, 314, 317];
}

#[cfg(target_arch = "aarch64")]
mod own {
    /// `AUDIT_ARCH_AARCH64` of linux/audit.h.
    pub(super) const ARCHITECTURE: u32 = 0xc000_00b7;
    pub(super) const KILL: u32 = 129;
    pub(super) const TGKILL: u32 = 131;
    pub(super) const RT_SIGQUEUEINFO: u32 = 138;
    pub(super) const RT_TGSIGQUEUEINFO: u32 = 240;
    pub(super) const CLONE: u32 = 220;
    pub(super) const RECVMSG: u32 = 212;
    /// sendmsg, ptrace, setpgid, setrlimit, setpriority, `sched_setparam`, `sched_setscheduler`, tkill, `sched_setaffinity`,
    /// `ioprio_set`, `migrate_pages`, `move_pages`, `perf_event_open`, `process_vm_readv`, `process_vm_writev`, kcmp,
    /// `sched_setattr`, seccomp.
    pub(super) const REFUSED: [u32; 18] =
        [211, 117, 154, 164, 140, 118, 119, 130, 122, 30, 238, 239, 241, 270, 271, 272, 274, 277];
}

/// The same on every architecture: `pidfd_send_signal`, `pidfd_open`, `pidfd_getfd`, `process_madvise`,
/// `landlock_create_ruleset`, `landlock_add_rule`, `landlock_restrict_self`, `process_mrelease`.
const REFUSED_EVERYWHERE: [u32; 8] = [424, 434, 438, 440, 444, 445, 446, 448];
const REFUSED: [u32; own::REFUSED.len() + REFUSED_EVERYWHERE.len()] = all_refused();
const CLONE3: u32 = 435;

/// What is refused unless its first argument is the child's own number.
const TO_ITSELF: [u32; 4] = [own::KILL, own::TGKILL, own::RT_SIGQUEUEINFO, own::RT_TGSIGQUEUEINFO];

const fn all_refused() -> [u32; own::REFUSED.len() + REFUSED_EVERYWHERE.len()] {
    let mut all = [0; own::REFUSED.len() + REFUSED_EVERYWHERE.len()];
    let mut at = 0;
    while at < all.len() {
        all[at] = if at < own::REFUSED.len() { own::REFUSED[at] } else { REFUSED_EVERYWHERE[at - own::REFUSED.len()] };
        at += 1;
    }
    all
}

// Offsets in `struct seccomp_data` of linux/seccomp.h; both architectures put the low half of an argument first.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENT_0: u32 = 16;
const ARGUMENT_1: u32 = 24;
const ARGUMENT_2: u32 = 32;

/// The answer that makes a call fail.
const fn refusal(errno: u32) -> u32 {
    const ERRNO: u32 = 0x0005_0000;
    ERRNO | errno
}

const ALLOW: u32 = 0x7fff_0000;
const KILL_PROCESS: u32 = 0x8000_0000;
const EPERM: u32 = refusal(1);
const ENOSYS: u32 = refusal(38);

const GRND_NONBLOCK: u32 = 1;
const CLONE_THREAD: u32 = 0x0001_0000;
/// The calls of x86's other table of numbers.
const X32: u32 = 0x4000_0000;

impl Filter {
    /// The filter of the process with this number, which takes descriptors from its gate alone.
    pub(crate) fn for_process(pid: u32, gate: Fd) -> Self {
        let mut filter = Self::empty();
        filter.load(ARCHITECTURE);
        filter.skip_next_if(Test::Equal, own::ARCHITECTURE);
        filter.answer(KILL_PROCESS);
        filter.load(NUMBER);
        filter.skip_next_unless(Test::AtLeast, X32);
        filter.answer(KILL_PROCESS);
        for call in REFUSED {
            filter.skip_next_unless(Test::Equal, call);
            filter.answer(EPERM);
        }
        // C libraries fall back to clone, whose flags a filter sees.
        filter.skip_next_unless(Test::Equal, CLONE3);
        filter.answer(ENOSYS);
        filter.only_with(&[own::CLONE], ARGUMENT_0, Test::AnyBit, CLONE_THREAD);
        filter.only_with(&TO_ITSELF, ARGUMENT_0, Test::Equal, pid);
        filter.only_with(&[own::RECVMSG], ARGUMENT_0, Test::Equal, gate.0.cast_unsigned());
        filter.limits_are_read_only();
        filter.answer(ALLOW);
        filter
    }

    /// A filter that ends the process when it asks for random numbers, and allows everything else. But for what the
    /// memory allocator asks for each thread: 32 bytes, without waiting. Nothing but that allocator sees them.
    pub(crate) fn without_random_numbers() -> Self {
        let mut filter = Self::empty();
        filter.load(NUMBER);
        filter.skip_next_if(Test::Equal, u32::try_from(number::GETRANDOM).unwrap_or(u32::MAX));
        filter.answer(ALLOW);
        for (argument, allocators) in [(ARGUMENT_1, 32), (ARGUMENT_2, GRND_NONBLOCK)] {
            filter.load(argument);
            filter.skip_next_if(Test::Equal, allocators);
            filter.answer(KILL_PROCESS);
        }
        filter.answer(ALLOW);
        filter
    }

    pub(crate) fn code(&self) -> &[Instruction] {
        self.code.get(..self.length).unwrap_or_default()
    }

    const fn empty() -> Self {
        let empty = Instruction { code: 0, jump_true: 0, jump_false: 0, operand: 0 };
        Self { code: [empty; MOST_INSTRUCTIONS], length: 0 }
    }

    /// The calls are refused unless the argument's low half stands the test.
    fn only_with(&mut self, calls: &[u32], argument: u32, test: Test, operand: u32) {
        let mut left = calls.len();
        for call in calls {
            // To the test, or on to the next call, or past the test and its answers.
            left -= 1;
            let past = if left == 0 { 4 } else { 0 };
            let to_test = u8::try_from(left).unwrap_or(u8::MAX);
            self.push(Test::Equal.code(), to_test, past, *call);
        }
        self.load(argument);
        self.push(test.code(), 0, 1, operand);
        self.answer(ALLOW);
        self.answer(EPERM);
    }

    /// prlimit64 is refused if its third argument points to a limit to be set: it would do for siblings too.
    fn limits_are_read_only(&mut self) {
        let prlimit = u32::try_from(number::PRLIMIT64).unwrap_or(u32::MAX);
        self.push(Test::Equal.code(), 0, 6, prlimit);
        for half in [ARGUMENT_2, ARGUMENT_2 + 4] {
            self.load(half);
            self.skip_next_if(Test::Equal, 0);
            self.answer(EPERM);
        }
    }

    fn load(&mut self, offset: u32) {
        const LOAD_WORD: u16 = 0x20;
        self.push(LOAD_WORD, 0, 0, offset);
    }

    fn skip_next_if(&mut self, test: Test, operand: u32) {
        self.push(test.code(), 1, 0, operand);
    }

    fn skip_next_unless(&mut self, test: Test, operand: u32) {
        self.push(test.code(), 0, 1, operand);
    }

    fn answer(&mut self, answer: u32) {
        const RETURN: u16 = 0x06;
        self.push(RETURN, 0, 0, answer);
    }

    /// The length is fixed; a filter that were cut short would lack its last answer, and the kernel refuses that.
    fn push(&mut self, code: u16, jump_true: u8, jump_false: u8, operand: u32) {
        if let Some(place) = self.code.get_mut(self.length) {
            *place = Instruction { code, jump_true, jump_false, operand };
            self.length += 1;
        }
    }
}

#[derive(Clone, Copy)]
enum Test {
    Equal,
    AtLeast,
    AnyBit,
}

impl Test {
    const fn code(self) -> u16 {
        match self {
            Self::Equal => 0x15,
            Self::AtLeast => 0x35,
            Self::AnyBit => 0x45,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PID: u32 = 4711;
    const GATE: Fd = Fd(9);

    /// Runs the filter as the kernel would.
    fn verdict(call: u32, args: [u64; 3]) -> u32 {
        verdict_on(own::ARCHITECTURE, call, args)
    }

    fn verdict_on(architecture: u32, call: u32, args: [u64; 3]) -> u32 {
        run(&Filter::for_process(PID, GATE), architecture, call, args)
    }

    fn run(filter: &Filter, architecture: u32, call: u32, args: [u64; 3]) -> u32 {
        let mut data = Vec::new();
        data.extend(call.to_ne_bytes());
        data.extend(architecture.to_ne_bytes());
        data.extend(0u64.to_ne_bytes());
        data.extend(args.iter().flat_map(|argument| argument.to_ne_bytes()));
        let (mut at, mut accumulator) = (0, 0);
        loop {
            let Instruction { code, jump_true, jump_false, operand } = filter.code()[at];
            at += 1;
            let stands = match code {
                0x20 => {
                    let offset = operand as usize;
                    accumulator = u32::from_ne_bytes(data[offset..offset + 4].try_into().expect("four bytes"));
                    continue;
                }
                0x06 => return operand,
                0x15 => accumulator == operand,
                0x35 => accumulator >= operand,
                0x45 => accumulator & operand != 0,
                _ => panic!("unknown instruction {code:#x}"),
            };
            at += usize::from(if stands { jump_true } else { jump_false });
        }
    }

    #[test]
    fn a_child_signals_itself_alone() {
        for call in TO_ITSELF {
            assert_eq!(verdict(call, [u64::from(PID), 0, 0]), ALLOW, "{call}");
            // The kernel looks at the lower half of a number of a process.
            assert_eq!(verdict(call, [1 << 32 | u64::from(PID), 0, 0]), ALLOW, "{call}");
            for other in [0, 1, u64::from(PID) + 1, u64::MAX, u64::from(PID.wrapping_neg())] {
                assert_eq!(verdict(call, [other, 0, 0]), EPERM, "{call} {other}");
            }
        }
    }

    #[test]
    fn it_starts_threads_and_no_processes() {
        assert_eq!(verdict(own::CLONE, [u64::from(CLONE_THREAD) | 0x100, 0, 0]), ALLOW);
        assert_eq!(verdict(own::CLONE, [17, 0, 0]), EPERM);
        assert_eq!(verdict(CLONE3, [0; 3]), ENOSYS);
    }

    #[test]
    fn it_takes_descriptors_from_its_gate_and_gives_none_away() {
        let received = |from| verdict(own::RECVMSG, [from, 0, 0]);
        assert_eq!(received(9), ALLOW);
        // The kernel looks at the lower half of a number of a descriptor.
        assert_eq!(received(1 << 32 | 9), ALLOW);
        for other in [0, 3, 8, 10, u64::MAX] {
            assert_eq!(received(other), EPERM, "{other}");
        }
        // Of a rehearsal, which has no gate.
        let rehearsal = Filter::for_process(PID, Fd(-1));
        assert_eq!(run(&rehearsal, own::ARCHITECTURE, own::RECVMSG, [9, 0, 0]), EPERM);
        let sendmsg = u32::try_from(number::SENDMSG).expect("small");
        assert_eq!(verdict(sendmsg, [9, 0, 0]), EPERM);
        let sendto = u32::try_from(number::SENDTO).expect("small");
        assert_eq!(verdict(sendto, [9, 0, 0]), ALLOW);
    }

    #[test]
    fn it_confines_nothing_further_and_opens_no_process() {
        let calls = [
            number::SECCOMP,
            number::LANDLOCK_CREATE_RULESET,
            number::LANDLOCK_ADD_RULE,
            number::LANDLOCK_RESTRICT_SELF,
            number::PIDFD_OPEN,
        ];
        for call in calls {
            assert_eq!(verdict(u32::try_from(call).expect("small"), [0; 3]), EPERM, "{call}");
        }
        let wait = u32::try_from(number::WAIT4).expect("small");
        assert_eq!(verdict(wait, [0; 3]), ALLOW, "it has no children");
    }

    #[test]
    fn it_reads_limits_and_sets_none() {
        let prlimit = u32::try_from(number::PRLIMIT64).expect("small");
        assert_eq!(verdict(prlimit, [0, 7, 0]), ALLOW);
        for place in [1, 1 << 32, u64::MAX] {
            assert_eq!(verdict(prlimit, [0, 7, place]), EPERM);
        }
    }

    #[test]
    fn what_reaches_other_processes_is_refused_and_all_else_is_the_sandboxs_to_judge() {
        for call in REFUSED {
            assert_eq!(verdict(call, [u64::from(PID), 0, 0]), EPERM, "{call}");
        }
        let named: Vec<u32> = REFUSED
            .into_iter()
            .chain(TO_ITSELF)
            .chain([own::CLONE, CLONE3, own::RECVMSG])
            .chain(u32::try_from(number::PRLIMIT64))
            .collect();
        for call in (0..500).filter(|call| !named.contains(call)) {
            assert_eq!(verdict(call, [0; 3]), ALLOW, "{call}");
        }
    }

    #[test]
    fn a_rehearsal_draws_no_random_numbers() {
        let filter = Filter::without_random_numbers();
        let random = u32::try_from(number::GETRANDOM).expect("small");
        for args in [[0, 48, 0], [0, 1, 1], [0, 16, 1], [0, 32, 0]] {
            assert_eq!(run(&filter, own::ARCHITECTURE, random, args), KILL_PROCESS, "{args:?}");
        }
        assert_eq!(run(&filter, own::ARCHITECTURE, random, [0, 32, 1]), ALLOW);
        assert_eq!(run(&filter, own::ARCHITECTURE, random + 1, [0; 3]), ALLOW);
    }

    #[test]
    fn another_architectures_calls_kill() {
        assert_eq!(verdict_on(0x4000_0003, 1, [0; 3]), KILL_PROCESS);
        assert_eq!(verdict(X32 | 1, [0; 3]), KILL_PROCESS);
    }
}
