//! System calls, without a C library.

use core::arch::asm;
use core::mem::size_of;

/// An error number of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Errno(pub(crate) i32);

impl Errno {
    pub(crate) const EPERM: Self = Self(1);
    pub(crate) const EINTR: Self = Self(4);
    pub(crate) const ENOENT: Self = Self(2);
    pub(crate) const EAGAIN: Self = Self(11);
    pub(crate) const EINVAL: Self = Self(22);
    pub(crate) const EPIPE: Self = Self(32);
    pub(crate) const E2BIG: Self = Self(7);
    pub(crate) const ESRCH: Self = Self(3);
}

pub(crate) type Result<T> = core::result::Result<T, Errno>;

/// The exit code after a panic.
pub(crate) const EXIT_PANIC: i32 = 70;

/// A descriptor. It is not closed by itself: whose it is differs before and after a fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fd(pub(crate) i32);

#[cfg(target_arch = "x86_64")]
pub(crate) mod number {
    pub(crate) const READ: usize = 0;
    pub(crate) const WRITE: usize = 1;
    pub(crate) const CLOSE: usize = 3;
    pub(crate) const MINCORE: usize = 27;
    pub(crate) const MADVISE: usize = 28;
    pub(crate) const GETPID: usize = 39;
    pub(crate) const SENDMSG: usize = 46;
    pub(crate) const RECVMSG: usize = 47;
    pub(crate) const WAIT4: usize = 61;
    pub(crate) const FCNTL: usize = 72;
    pub(crate) const GETPPID: usize = 110;
    pub(crate) const PRCTL: usize = 157;
    pub(crate) const GETDENTS64: usize = 217;
    pub(crate) const EXIT_GROUP: usize = 231;
    pub(crate) const EPOLL_CTL: usize = 233;
    pub(crate) const OPENAT: usize = 257;
    pub(crate) const READLINKAT: usize = 267;
    pub(crate) const PPOLL: usize = 271;
    pub(crate) const EVENTFD2: usize = 290;
    pub(crate) const EPOLL_CREATE1: usize = 291;
    pub(crate) const DUP3: usize = 292;
    pub(crate) const PRLIMIT64: usize = 302;
    pub(crate) const SECCOMP: usize = 317;
    pub(crate) const GETRANDOM: usize = 318;
}

#[cfg(target_arch = "aarch64")]
pub(crate) mod number {
    pub(crate) const READ: usize = 63;
    pub(crate) const WRITE: usize = 64;
    pub(crate) const CLOSE: usize = 57;
    pub(crate) const MINCORE: usize = 232;
    pub(crate) const MADVISE: usize = 233;
    pub(crate) const GETPID: usize = 172;
    pub(crate) const SENDMSG: usize = 211;
    pub(crate) const RECVMSG: usize = 212;
    pub(crate) const WAIT4: usize = 260;
    pub(crate) const FCNTL: usize = 25;
    pub(crate) const GETPPID: usize = 173;
    pub(crate) const PRCTL: usize = 167;
    pub(crate) const GETDENTS64: usize = 61;
    pub(crate) const EXIT_GROUP: usize = 94;
    pub(crate) const EPOLL_CTL: usize = 21;
    pub(crate) const OPENAT: usize = 56;
    pub(crate) const READLINKAT: usize = 78;
    pub(crate) const PPOLL: usize = 73;
    pub(crate) const EVENTFD2: usize = 19;
    pub(crate) const EPOLL_CREATE1: usize = 20;
    pub(crate) const DUP3: usize = 24;
    pub(crate) const PRLIMIT64: usize = 261;
    pub(crate) const SECCOMP: usize = 277;
    pub(crate) const GETRANDOM: usize = 278;
}

// The same on every architecture.
const PIDFD_OPEN: usize = 434;
const LANDLOCK_CREATE_RULESET: usize = 444;
const LANDLOCK_ADD_RULE: usize = 445;
const LANDLOCK_RESTRICT_SELF: usize = 446;

/// Performs a system call.
///
/// # Safety
/// The arguments must be what this system call expects: pointers valid for the kernel's reads and writes.
#[cfg(target_arch = "x86_64")]
unsafe fn raw(number: usize, args: [usize; 6]) -> Result<usize> {
    let result: isize;
    // SAFETY: the kernel clobbers rcx and r11 only and keeps the stack; the caller vouches for the arguments.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") args[0], in("rsi") args[1], in("rdx") args[2],
            in("r10") args[3], in("r8") args[4], in("r9") args[5],
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    check(result)
}

/// Performs a system call.
///
/// # Safety
/// The arguments must be what this system call expects: pointers valid for the kernel's reads and writes.
#[cfg(target_arch = "aarch64")]
unsafe fn raw(number: usize, args: [usize; 6]) -> Result<usize> {
    let result: isize;
    // SAFETY: the kernel keeps every register but x0 and keeps the stack; the caller vouches for the arguments.
    unsafe {
        asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") args[0] => result,
            in("x1") args[1], in("x2") args[2], in("x3") args[3], in("x4") args[4], in("x5") args[5],
            options(nostack),
        );
    }
    check(result)
}

#[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "the range is checked first")]
fn check(result: isize) -> Result<usize> {
    if (-4095..0).contains(&result) { Err(Errno(-result as i32)) } else { Ok(result as usize) }
}

/// A signed 32-bit argument as the kernel's ABI passes it.
#[expect(clippy::cast_sign_loss, reason = "the register holds the sign-extended value")]
const fn int(value: i32) -> usize {
    value as isize as usize
}

fn fd(result: Result<usize>) -> Result<Fd> {
    result.and_then(|number| i32::try_from(number).map(Fd).map_err(|_| Errno::EINVAL))
}

/// Repeats a call that a signal interrupted.
fn uninterrupted<T>(mut call: impl FnMut() -> Result<T>) -> Result<T> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}

/// Ends the process, all threads of it.
pub(crate) fn exit(code: i32) -> ! {
    loop {
        // SAFETY: exit_group takes no pointer.
        let _ = unsafe { raw(number::EXIT_GROUP, [int(code), 0, 0, 0, 0, 0]) };
    }
}

pub(crate) fn pid() -> u32 {
    // SAFETY: getpid takes no argument.
    unsafe { raw(number::GETPID, [0; 6]) }.ok().and_then(|pid| u32::try_from(pid).ok()).unwrap_or(0)
}

/// The parent's number, 0 where that is outside the pid namespace.
pub(crate) fn parent_pid() -> u32 {
    // SAFETY: getppid takes no argument.
    unsafe { raw(number::GETPPID, [0; 6]) }.ok().and_then(|pid| u32::try_from(pid).ok()).unwrap_or(0)
}

/// Opens for reading (openat(2)); below `directory`, or absolute. The path ends with NUL.
pub(crate) fn open(path: &core::ffi::CStr) -> Result<Fd> {
    const AT_FDCWD: i32 = -100;
    const O_CLOEXEC: usize = 0o2_000_000;
    // SAFETY: the path ends with NUL and outlives the call.
    fd(unsafe { raw(number::OPENAT, [int(AT_FDCWD), path.as_ptr() as usize, O_CLOEXEC, 0, 0, 0]) })
}

/// close(2). That it was closed already is nothing to act upon.
pub(crate) fn close(fd: Fd) {
    // SAFETY: close takes no pointer.
    let _ = unsafe { raw(number::CLOSE, [int(fd.0), 0, 0, 0, 0, 0]) };
}

/// read(2), again when interrupted. 0: there is no more.
pub(crate) fn read(from: Fd, into: &mut [u8]) -> Result<usize> {
    // SAFETY: the kernel writes at most as many bytes as the slice has.
    uninterrupted(|| unsafe { raw(number::READ, [int(from.0), into.as_mut_ptr() as usize, into.len(), 0, 0, 0]) })
}

/// write(2), again when interrupted.
pub(crate) fn write(to: Fd, from: &[u8]) -> Result<usize> {
    // SAFETY: the kernel reads as many bytes as the slice has.
    uninterrupted(|| unsafe { raw(number::WRITE, [int(to.0), from.as_ptr() as usize, from.len(), 0, 0, 0]) })
}

/// Waits until the descriptor is ready for `events` (ppoll(2)).
pub(crate) fn wait_for(fd: Fd, events: i16) -> Result<()> {
    #[repr(C)]
    struct PollFd {
        fd: i32,
        events: i16,
        revents: i16,
    }
    let mut polled = PollFd { fd: fd.0, events, revents: 0 };
    let place = &raw mut polled as usize;
    // SAFETY: the kernel writes one `pollfd`, ours; the time and the mask may be null.
    uninterrupted(|| unsafe { raw(number::PPOLL, [place, 1, 0, 0, 0, 0]) }).map(|_| ())
}

/// The entries of an open directory (getdents64(2)), as many as fit; 0: there are no more.
pub(crate) fn entries(directory: Fd, into: &mut [u8]) -> Result<usize> {
    let (place, length) = (into.as_mut_ptr() as usize, into.len());
    // SAFETY: the kernel writes at most as many bytes as the slice has.
    unsafe { raw(number::GETDENTS64, [int(directory.0), place, length, 0, 0, 0]) }
}

/// What a symbolic link says (readlinkat(2)), as much as fits.
pub(crate) fn read_link(path: &core::ffi::CStr, into: &mut [u8]) -> Result<usize> {
    let (path, place) = (path.as_ptr() as usize, into.as_mut_ptr() as usize);
    // SAFETY: the path ends with NUL, and the kernel writes at most as many bytes as the slice has.
    unsafe { raw(number::READLINKAT, [0, path, place, into.len(), 0, 0]) }
}

/// Puts `from` at the number of `to` as well, close-on-exec (dup3(2)).
pub(crate) fn duplicate_to(from: Fd, to: Fd) -> Result<()> {
    const O_CLOEXEC: usize = 0o2_000_000;
    // SAFETY: dup3 takes no pointer.
    unsafe { raw(number::DUP3, [int(from.0), int(to.0), O_CLOEXEC, 0, 0, 0]) }.map(|_| ())
}

/// The descriptor's status flags (`F_GETFL` of fcntl(2)).
pub(crate) fn status_flags(of: Fd) -> Result<usize> {
    const F_GETFL: usize = 3;
    // SAFETY: F_GETFL takes no pointer.
    unsafe { raw(number::FCNTL, [int(of.0), F_GETFL, 0, 0, 0, 0]) }
}

/// A new eventfd, close-on-exec (eventfd(2)).
pub(crate) fn eventfd(flags: usize) -> Result<Fd> {
    const EFD_CLOEXEC: usize = 0o2_000_000;
    // SAFETY: eventfd2 takes no pointer.
    fd(unsafe { raw(number::EVENTFD2, [0, flags | EFD_CLOEXEC, 0, 0, 0, 0]) })
}

/// A new epoll descriptor, close-on-exec (epoll_create(2)).
pub(crate) fn epoll() -> Result<Fd> {
    const EPOLL_CLOEXEC: usize = 0o2_000_000;
    // SAFETY: epoll_create1 takes no pointer.
    fd(unsafe { raw(number::EPOLL_CREATE1, [EPOLL_CLOEXEC, 0, 0, 0, 0, 0]) })
}

/// Registers `target` (epoll_ctl(2)).
pub(crate) fn epoll_add(epoll: Fd, target: Fd, events: u32, data: u64) -> Result<()> {
    const EPOLL_CTL_ADD: usize = 1;
    #[cfg_attr(target_arch = "x86_64", repr(C, packed))]
    #[cfg_attr(not(target_arch = "x86_64"), repr(C))]
    struct Event {
        events: u32,
        data: u64,
    }
    let event = Event { events, data };
    let event = &raw const event as usize;
    // SAFETY: the kernel reads one `epoll_event`, ours.
    unsafe { raw(number::EPOLL_CTL, [int(epoll.0), EPOLL_CTL_ADD, int(target.0), event, 0, 0]) }.map(|_| ())
}

/// Fills `bytes` with random ones (getrandom(2)).
pub(crate) fn random(bytes: &mut [u8]) -> Result<()> {
    let (place, length) = (bytes.as_mut_ptr() as usize, bytes.len());
    // SAFETY: the kernel writes at most as many bytes as the slice has.
    let got = uninterrupted(|| unsafe { raw(number::GETRANDOM, [place, length, 0, 0, 0, 0]) })?;
    if got == length { Ok(()) } else { Err(Errno::EAGAIN) }
}

/// Lets a mapping be inherited by children again (`MADV_DOFORK` of madvise(2)).
pub(crate) fn inherit_mapping(start: usize, length: usize) -> Result<()> {
    const MADV_DOFORK: usize = 11;
    // SAFETY: this advice is about children alone: it changes nothing that this process sees of its memory.
    unsafe { raw(number::MADVISE, [start, length, MADV_DOFORK, 0, 0, 0]) }.map(|_| ())
}

/// Which pages of a mapping are in memory: the lowest bit of one byte for each (mincore(2)).
pub(crate) fn resident(start: usize, pages: &mut [u8]) -> Result<()> {
    let (length, place) = (pages.len() * PAGE_BYTES, pages.as_mut_ptr() as usize);
    // SAFETY: the kernel writes one byte for each page asked about, and no page it asks about is touched.
    unsafe { raw(number::MINCORE, [start, length, place, 0, 0, 0]) }.map(|_| ())
}

/// The smallest size of a page; where pages are larger, `resident` fails and with it the preparation.
pub(crate) const PAGE_BYTES: usize = 4096;

/// An operation of prctl(2) whose arguments are plain numbers.
pub(crate) fn prctl(operation: usize, argument: usize) -> Result<()> {
    // SAFETY: the two operations that are used take no pointer.
    unsafe { raw(number::PRCTL, [operation, argument, 0, 0, 0, 0]) }.map(|_| ())
}

/// Sets a limit of this process (prlimit(2)).
pub(crate) fn set_limit(resource: u32, soft: u64, hard: u64) -> Result<()> {
    let limit = [soft, hard];
    // SAFETY: the kernel reads one `rlimit64`, two numbers of 64 bits, ours.
    unsafe { raw(number::PRLIMIT64, [0, resource as usize, limit.as_ptr() as usize, 0, 0, 0]) }.map(|_| ())
}

/// A descriptor of a process (pidfd_open(2)), close-on-exec.
pub(crate) fn pidfd(pid: u32) -> Result<Fd> {
    // SAFETY: pidfd_open takes no pointer.
    fd(unsafe { raw(PIDFD_OPEN, [pid as usize, 0, 0, 0, 0, 0]) })
}

/// How a child ended and what it used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ended {
    pub(crate) pid: u32,
    pub(crate) status: i32,
    pub(crate) user_us: u64,
    pub(crate) system_us: u64,
    pub(crate) peak_memory_kib: u64,
}

/// Forgets the child `pid`, if it has ended (wait4(2)).
pub(crate) fn reap(pid: u32) -> Result<Option<Ended>> {
    const WNOHANG: usize = 1;
    const ECHILD: Errno = Errno(10);
    /// `struct rusage` of getrusage(2): two times, and 14 numbers of which the first is wanted.
    #[repr(C)]
    #[derive(Default)]
    struct Usage {
        user: [i64; 2],
        system: [i64; 2],
        peak_memory_kib: i64,
        rest: [i64; 13],
    }
    let (mut status, mut usage) = (0i32, Usage::default());
    let (status_place, usage_place) = (&raw mut status as usize, &raw mut usage as usize);
    let wanted = i32::try_from(pid).unwrap_or(i32::MAX);
    // SAFETY: the kernel writes one int and one `rusage`, ours.
    match unsafe { raw(number::WAIT4, [int(wanted), status_place, WNOHANG, usage_place, 0, 0]) } {
        Ok(0) | Err(ECHILD) => Ok(None),
        Ok(found) => Ok(Some(Ended {
            pid: u32::try_from(found).map_err(|_| Errno::ESRCH)?,
            status,
            user_us: microseconds(usage.user),
            system_us: microseconds(usage.system),
            peak_memory_kib: usage.peak_memory_kib.cast_unsigned(),
        })),
        Err(errno) => Err(errno),
    }
}

/// Waits for the end of the child `pid` (wait4(2)): its exit code, or the signal that ended it, negated.
pub(crate) fn wait(pid: u32) -> Result<i32> {
    let mut status = 0i32;
    let (wanted, place) = (int(i32::try_from(pid).unwrap_or(i32::MAX)), &raw mut status as usize);
    // SAFETY: the kernel writes one int, ours; the usage may be null.
    uninterrupted(|| unsafe { raw(number::WAIT4, [wanted, place, 0, 0, 0, 0]) })?;
    // As wait(2) has it: the signal in the lowest seven bits, the code above them.
    Ok(if status & 0x7f == 0 { (status >> 8) & 0xff } else { -(status & 0x7f) })
}

fn microseconds([seconds, microseconds]: [i64; 2]) -> u64 {
    seconds.cast_unsigned().saturating_mul(1_000_000).saturating_add(microseconds.cast_unsigned())
}

/// The kernel's Landlock ABI version (landlock_create_ruleset(2)).
pub(crate) fn landlock_abi() -> Result<usize> {
    const VERSION: usize = 1;
    // SAFETY: with the version flag the kernel wants a null pointer of size 0.
    unsafe { raw(LANDLOCK_CREATE_RULESET, [0, 0, VERSION, 0, 0, 0]) }
}

/// A ruleset that handles `files` and `scopes`. Older kernels know the first field alone.
pub(crate) fn landlock_ruleset(files: u64, scopes: u64) -> Result<Fd> {
    let handled = [files, 0, scopes];
    let length = if scopes == 0 { size_of::<u64>() } else { size_of_val(&handled) };
    // SAFETY: the kernel reads the first one or all three of the numbers.
    fd(unsafe { raw(LANDLOCK_CREATE_RULESET, [handled.as_ptr() as usize, length, 0, 0, 0, 0]) })
}

/// Allows `access` below `directory` (landlock_add_rule(2)).
pub(crate) fn landlock_allow(ruleset: Fd, directory: Fd, access: u64) -> Result<()> {
    const PATH_BENEATH: usize = 1;
    #[repr(C, packed)]
    struct PathBeneath {
        allowed_access: u64,
        parent_fd: i32,
    }
    let rule = PathBeneath { allowed_access: access, parent_fd: directory.0 };
    let rule = &raw const rule as usize;
    // SAFETY: the kernel reads one `landlock_path_beneath_attr`, ours.
    unsafe { raw(LANDLOCK_ADD_RULE, [int(ruleset.0), PATH_BENEATH, rule, 0, 0, 0]) }.map(|_| ())
}

/// Enters a domain of its own below the one that is in force (landlock_restrict_self(2)).
pub(crate) fn landlock_restrict(ruleset: Fd) -> Result<()> {
    // SAFETY: landlock_restrict_self takes no pointer.
    unsafe { raw(LANDLOCK_RESTRICT_SELF, [int(ruleset.0), 0, 0, 0, 0, 0]) }.map(|_| ())
}

/// One instruction of a filter: `struct sock_filter` of linux/filter.h.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub(crate) code: u16,
    pub(crate) jump_true: u8,
    pub(crate) jump_false: u8,
    pub(crate) operand: u32,
}

/// Puts a filter in force, on top of those that are (seccomp(2)).
pub(crate) fn load_filter(program: &[Instruction]) -> Result<()> {
    const SET_MODE_FILTER: usize = 1;
    #[repr(C)]
    struct Program {
        length: u16,
        instructions: *const Instruction,
    }
    let length = u16::try_from(program.len()).map_err(|_| Errno::E2BIG)?;
    let program = Program { length, instructions: program.as_ptr() };
    // SAFETY: the kernel copies `length` instructions of a slice of that length, and verifies them.
    unsafe { raw(number::SECCOMP, [SET_MODE_FILTER, 0, &raw const program as usize, 0, 0, 0]) }.map(|_| ())
}

/// A message in one piece, and the control data beside it: `struct msghdr` of recvmsg(2).
#[repr(C)]
struct Message {
    name: usize,
    name_length: u32,
    pieces: *mut Piece,
    pieces_length: usize,
    control: usize,
    control_length: usize,
    flags: i32,
}

#[repr(C)]
struct Piece {
    base: usize,
    length: usize,
}

/// How many descriptors go with one message.
pub(crate) const MOST_DESCRIPTORS: usize = 4;

/// One control message with descriptors: `struct cmsghdr`, and what follows it.
#[repr(C)]
struct Control {
    length: usize,
    level: i32,
    kind: i32,
    fds: [i32; MOST_DESCRIPTORS],
}

const SOL_SOCKET: i32 = 1;
const SCM_RIGHTS: i32 = 1;
const CONTROL_HEADER_BYTES: usize = size_of::<usize>() + 2 * size_of::<i32>();

/// Sends `bytes` as one message, with a copy of `descriptor` if there is one (sendmsg(2)).
pub(crate) fn send_message(to: Fd, bytes: &[u8], descriptor: Option<Fd>) -> Result<()> {
    const MSG_NOSIGNAL: usize = 0x4000;
    let mut piece = Piece { base: bytes.as_ptr() as usize, length: bytes.len() };
    let length = CONTROL_HEADER_BYTES + size_of::<i32>();
    let fds = [descriptor.map_or(-1, |fd| fd.0), -1, -1, -1];
    let control = Control { length, level: SOL_SOCKET, kind: SCM_RIGHTS, fds };
    let (place, length) = if descriptor.is_some() { (&raw const control as usize, length) } else { (0, 0) };
    let message = message(&mut piece, place, length);
    let message = &raw const message as usize;
    // SAFETY: the message points to the bytes and to one control message, both of the lengths that it says.
    let sent = uninterrupted(|| unsafe { raw(number::SENDMSG, [int(to.0), message, MSG_NOSIGNAL, 0, 0, 0]) })?;
    if sent == bytes.len() { Ok(()) } else { Err(Errno::EPIPE) }
}

/// What one message brought.
pub(crate) struct Received {
    /// How many bytes; 0: the other end is closed.
    pub(crate) length: usize,
    /// The descriptors that came with it; they are close-on-exec and the receiver's to close.
    pub(crate) descriptors: [Option<Fd>; MOST_DESCRIPTORS],
}

/// Takes one message; one that does not fit is an error (recvmsg(2)).
pub(crate) fn receive_message(from: Fd, into: &mut [u8]) -> Result<Received> {
    const MSG_CMSG_CLOEXEC: usize = 0x4000_0000;
    const TRUNCATED: i32 = 0x20 | 0x8;
    let mut piece = Piece { base: into.as_mut_ptr() as usize, length: into.len() };
    let mut control = Control { length: 0, level: 0, kind: 0, fds: [-1; MOST_DESCRIPTORS] };
    let mut message = message(&mut piece, &raw mut control as usize, size_of::<Control>());
    let place = &raw mut message as usize;
    // SAFETY: the kernel writes at most as many bytes as the slice has, and one control message of the given size.
    let length = uninterrupted(|| unsafe { raw(number::RECVMSG, [int(from.0), place, MSG_CMSG_CLOEXEC, 0, 0, 0]) })?;
    let rights = message.control_length > 0 && control.level == SOL_SOCKET && control.kind == SCM_RIGHTS;
    let count = if rights { control.length.saturating_sub(CONTROL_HEADER_BYTES) / size_of::<i32>() } else { 0 };
    let mut descriptors = [None; MOST_DESCRIPTORS];
    for (place, number) in descriptors.iter_mut().zip(control.fds).take(count) {
        *place = Some(Fd(number));
    }
    if message.flags & TRUNCATED != 0 {
        descriptors.into_iter().flatten().for_each(close);
        return Err(Errno::E2BIG);
    }
    Ok(Received { length, descriptors })
}

fn message(piece: &mut Piece, control: usize, control_length: usize) -> Message {
    Message { name: 0, name_length: 0, pieces: piece, pieces_length: 1, control, control_length, flags: 0 }
}
