//! The child's own system call filter, on top of the sandbox's: what the server needs to fork, a child has no use for,
//! and whatever names a process may name the child alone.
//!
//! A constant in an inherited filter cannot say "yourself", and the engine does signal its own threads.

use crate::sys::{Fd, Instruction, number};

/// Most instructions of the filter.
const MOST_INSTRUCTIONS: usize = length_of_search(RULES.len()) + 20;
const _: () = assert!(MOST_INSTRUCTIONS < 256, "jumps reach no farther");

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
const CLONE3: u32 = 435;

/// What is refused unless its first argument is the child's own number.
const TO_ITSELF: [u32; 4] = [own::KILL, own::TGKILL, own::RT_SIGQUEUEINFO, own::RT_TGSIGQUEUEINFO];

/// What is done about a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// Allowed where it starts a thread.
    Thread,
    /// Allowed where it names the child itself.
    Itself,
    /// Allowed on the child's gate.
    Gate,
    /// Allowed where it sets nothing.
    Reads,
    /// As if the kernel did not have it: C libraries fall back to clone, whose flags a filter sees.
    Unknown,
    Refused,
}

/// Every call that a rule is about, by number.
const RULES: [(u32, Rule); RULE_COUNT] = sorted_rules();
const RULE_COUNT: usize = own::REFUSED.len() + REFUSED_EVERYWHERE.len() + TO_ITSELF.len() + 4;

const fn sorted_rules() -> [(u32, Rule); RULE_COUNT] {
    #[expect(clippy::cast_possible_truncation, reason = "numbers of system calls are small")]
    let mut rules = [(number::PRLIMIT64 as u32, Rule::Reads); RULE_COUNT];
    rules[1] = (own::CLONE, Rule::Thread);
    rules[2] = (own::RECVMSG, Rule::Gate);
    rules[3] = (CLONE3, Rule::Unknown);
    let mut next = 4;
    let groups: [(&[u32], Rule); 3] =
        [(&own::REFUSED, Rule::Refused), (&REFUSED_EVERYWHERE, Rule::Refused), (&TO_ITSELF, Rule::Itself)];
    let mut group = 0;
    while group < groups.len() {
        let (calls, rule) = groups[group];
        let mut call = 0;
        while call < calls.len() {
            rules[next] = (calls[call], rule);
            (next, call) = (next + 1, call + 1);
        }
        group += 1;
    }
    let mut sorted = 1;
    while sorted < rules.len() {
        let mut at = sorted;
        while at > 0 && rules[at - 1].0 > rules[at].0 {
            (rules[at - 1], rules[at]) = (rules[at], rules[at - 1]);
            at -= 1;
        }
        assert!(at == 0 || rules[at - 1].0 != rules[at].0, "one rule for each call");
        sorted += 1;
    }
    rules
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
        let verdicts = Verdicts { start: filter.length + length_of_search(RULES.len()) };
        filter.search(&RULES, verdicts);
        filter.verdicts(verdicts, pid, gate);
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

    /// Finds the rule about a call by halves. The kernel runs a filter for every number there is when it is loaded, to
    /// remember what it answers to whatever the arguments are; a long row of comparisons would cost more than the call.
    fn search(&mut self, rules: &[(u32, Rule)], verdicts: Verdicts) {
        if let Some((half, [(first, _), ..])) = halves(rules.len()).and_then(|half| Some((half, rules.get(half..)?))) {
            self.push(Test::AtLeast.code(), distance(0, length_of_search(half)), 0, *first);
            self.search(rules.get(..half).unwrap_or_default(), verdicts);
            self.search(rules.get(half..).unwrap_or_default(), verdicts);
            return;
        }
        for (call, rule) in rules {
            self.push(Test::Equal.code(), distance(self.length + 1, verdicts.of(*rule)), 0, *call);
        }
        self.answer(ALLOW);
    }

    /// What the search leads to, in the order that [`Verdicts`] knows.
    fn verdicts(&mut self, verdicts: Verdicts, pid: u32, gate: Fd) {
        let (refused, allowed) = (verdicts.of(Rule::Refused), verdicts.allowed());
        let mut allow_if = |argument, test: Test, operand| {
            self.load(argument);
            let at = self.length + 1;
            self.push(test.code(), distance(at, allowed), distance(at, refused), operand);
        };
        allow_if(ARGUMENT_0, Test::AnyBit, CLONE_THREAD);
        allow_if(ARGUMENT_0, Test::Equal, pid);
        allow_if(ARGUMENT_0, Test::Equal, gate.0.cast_unsigned());
        // prlimit64 with a third argument, which points to a limit to be set: it would do so for siblings too.
        self.load(ARGUMENT_2);
        self.push(Test::Equal.code(), 0, distance(self.length + 1, refused), 0);
        self.load(ARGUMENT_2 + 4);
        self.push(Test::Equal.code(), distance(self.length + 1, allowed), distance(self.length + 1, refused), 0);
        self.answer(ENOSYS);
        self.answer(EPERM);
        self.answer(ALLOW);
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

/// Where each rule's verdict begins.
#[derive(Clone, Copy)]
struct Verdicts {
    start: usize,
}

impl Verdicts {
    const fn of(self, rule: Rule) -> usize {
        self.start
            + match rule {
                Rule::Thread => 0,
                Rule::Itself => 2,
                Rule::Gate => 4,
                Rule::Reads => 6,
                Rule::Unknown => 10,
                Rule::Refused => 11,
            }
    }

    const fn allowed(self) -> usize {
        self.start + 12
    }
}

/// How many of so many rules are in the lower half; `None` where so few are compared one after the other.
const fn halves(rules: usize) -> Option<usize> {
    const MOST_IN_A_ROW: usize = 4;
    if rules > MOST_IN_A_ROW { Some(rules / 2) } else { None }
}

/// How many instructions find one of so many rules.
const fn length_of_search(rules: usize) -> usize {
    match halves(rules) {
        Some(half) => 1 + length_of_search(half) + length_of_search(rules - half),
        None => rules + 1,
    }
}

/// How far a jump goes that would else go on at `from`.
fn distance(from: usize, to: usize) -> u8 {
    u8::try_from(to - from).unwrap_or(u8::MAX)
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
        for call in own::REFUSED.into_iter().chain(REFUSED_EVERYWHERE) {
            assert_eq!(verdict(call, [u64::from(PID), 0, 0]), EPERM, "{call}");
        }
        for call in (0..500).filter(|call| RULES.iter().all(|(named, _)| named != call)) {
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
