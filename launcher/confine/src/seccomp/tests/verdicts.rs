//! The verdicts that matter most, written out by hand and not from the tables.

use libc::{EACCES, EAFNOSUPPORT, EINVAL, ENOSYS, ENOTTY, EPERM, EROFS, c_int, c_long};

use super::{
    all_options,
    evaluator::{Data, evaluate},
};
use crate::seccomp::{Fewer, Files, Filter, Options};

const PID: u32 = 4242;
const KEY: u64 = 0xfeed_0000_beef_0001;

#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Allowed,
    Asked,
    Fails(c_int),
    Killed,
}
use Answer::{Allowed, Asked, Fails, Killed};

fn answer_to(filter: &Filter, data: &Data) -> Answer {
    match evaluate(filter.program(), data) {
        libc::SECCOMP_RET_ALLOW => Allowed,
        libc::SECCOMP_RET_KILL_PROCESS => Killed,
        libc::SECCOMP_RET_USER_NOTIF => Asked,
        action => {
            assert_eq!(action & libc::SECCOMP_RET_ACTION_FULL, libc::SECCOMP_RET_ERRNO);
            Fails(c_int::try_from(action & libc::SECCOMP_RET_DATA).unwrap())
        }
    }
}

fn filter(options: Options) -> Filter {
    let mut filter = Filter::new(&options, KEY);
    filter.patch_pid(PID);
    filter
}

fn answer_under(options: Options, call: c_long, args: &[u64]) -> Answer {
    let mut all = [0; 6];
    all[..args.len()].copy_from_slice(args);
    answer_to(&filter(options), &Data::native(u32::try_from(call).unwrap(), all))
}

fn answer(call: c_long, args: &[u64]) -> Answer {
    answer_under(Options::default(), call, args)
}

/// An `int` as a compiler may leave it in a register: sign-extended.
fn int(value: c_int) -> u64 {
    i64::from(value).cast_unsigned()
}

const NOTHING: Options = Options {
    write: false,
    tty: false,
    deny_new_executable_memory: false,
    run: false,
    sockets: false,
    files: Files::Own,
    copies: false,
    narrower: None,
};
const WRITE: Options = Options { write: true, ..NOTHING };
const TTY: Options = Options { tty: true, ..NOTHING };
const NO_JIT: Options = Options { deny_new_executable_memory: true, ..NOTHING };
const RUN: Options = Options { run: true, ..NOTHING };

const SOCKETS: Options = Options { sockets: true, ..NOTHING };
const HOST: Options = Options { files: Files::Host, ..WRITE };

/// Where a socket of the host leads is decided once, by the launcher: nothing else gives it another peer.
#[test]
fn what_gives_a_socket_a_peer_is_asked_or_does_not_exist() {
    for call in [libc::SYS_connect, libc::SYS_bind, libc::SYS_listen] {
        assert_eq!(answer(call, &[]), Fails(EACCES), "{call}");
        assert_eq!(answer_under(SOCKETS, call, &[]), Asked, "{call}");
        // Asked by the filter of its program, which the kernel heeds as well.
        let child = Options { narrower: Some(Fewer::Read), ..SOCKETS };
        assert_eq!(answer_under(child, call, &[]), Allowed, "{call}");
    }
    let fast_open = 0x2000_0000;
    for (call, flags) in [(libc::SYS_sendto, 3), (libc::SYS_sendmsg, 2), (libc::SYS_sendmmsg, 3)] {
        let with = |value: u64| {
            let mut args = [0; 6];
            args[flags] = value;
            answer_under(SOCKETS, call, &args)
        };
        assert_eq!(with(int(libc::MSG_NOSIGNAL)), Allowed, "{call}");
        assert_eq!(with(fast_open), Fails(libc::EOPNOTSUPP), "{call}");
        assert_eq!(with(0xffff_ffff_0000_0000 | fast_open | 0x4000), Fails(libc::EOPNOTSUPP), "{call}");
    }
    let option =
        |level: c_int, name: c_int| answer_under(SOCKETS, libc::SYS_setsockopt, &[3, int(level), int(name), 0, 4]);
    assert_eq!(option(libc::IPPROTO_TCP, libc::TCP_NODELAY), Allowed);
    for (level, name) in [
        (libc::SOL_SOCKET, libc::SO_BINDTODEVICE),
        (libc::SOL_SOCKET, libc::SO_ATTACH_FILTER),
        (libc::SOL_SOCKET, libc::SO_MARK),
        (libc::IPPROTO_IP, libc::IP_OPTIONS),
        (libc::IPPROTO_IP, libc::IP_TRANSPARENT),
        (libc::IPPROTO_TCP, libc::TCP_REPAIR),
        (libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT),
        (libc::IPPROTO_TCP, libc::TCP_ULP),
        (libc::SOL_UDP, libc::UDP_SEGMENT),
    ] {
        assert_eq!(option(level, name), Fails(libc::ENOPROTOOPT), "{level} {name}");
    }
}

#[test]
fn a_datagram_could_leave_where_the_network_is_the_hosts() {
    let options = Options { files: Files::Host, ..SOCKETS };
    for family in [libc::AF_INET, libc::AF_INET6] {
        let socket = |kind: c_int| answer_under(options, libc::SYS_socket, &[int(family), int(kind), 0]);
        assert_eq!(socket(libc::SOCK_STREAM), Allowed);
        assert_eq!(socket(libc::SOCK_DGRAM), Fails(EAFNOSUPPORT));
        assert_eq!(socket(libc::SOCK_DGRAM | libc::SOCK_NONBLOCK), Fails(EAFNOSUPPORT));
    }
}

#[test]
fn sockets_are_tcp_udp_and_unix_streams() {
    let socket = |family: c_int, kind: c_int, protocol: c_int| {
        answer_under(SOCKETS, libc::SYS_socket, &[int(family), int(kind), int(protocol)])
    };
    for family in [libc::AF_INET, libc::AF_INET6] {
        assert_eq!(socket(family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0), Allowed);
        assert_eq!(socket(family, libc::SOCK_STREAM, libc::IPPROTO_TCP), Allowed);
        assert_eq!(socket(family, libc::SOCK_DGRAM, libc::IPPROTO_UDP), Allowed);
        for (kind, protocol) in [
            (libc::SOCK_STREAM, libc::IPPROTO_SCTP),
            (libc::SOCK_STREAM, 262 /* MPTCP: connects by sendmsg */),
            (libc::SOCK_DGRAM, libc::IPPROTO_ICMP),
            (libc::SOCK_DGRAM, libc::IPPROTO_TCP),
            (libc::SOCK_RAW, libc::IPPROTO_TCP),
            (libc::SOCK_SEQPACKET, 0),
        ] {
            assert_eq!(socket(family, kind, protocol), Fails(EAFNOSUPPORT), "{kind} {protocol}");
        }
    }
    assert_eq!(socket(libc::AF_UNIX, libc::SOCK_STREAM, 0), Allowed);
    for (family, kind) in [
        (libc::AF_UNIX, libc::SOCK_DGRAM),
        (libc::AF_UNIX, libc::SOCK_SEQPACKET),
        (libc::AF_NETLINK, libc::SOCK_RAW),
        (libc::AF_PACKET, libc::SOCK_RAW),
        (libc::AF_VSOCK, libc::SOCK_STREAM),
        (libc::AF_ALG, libc::SOCK_SEQPACKET),
        (libc::AF_TIPC, libc::SOCK_STREAM),
        (libc::AF_UNSPEC, libc::SOCK_STREAM),
    ] {
        assert_eq!(socket(family, kind, 0), Fails(EAFNOSUPPORT), "{family}");
    }
    assert_eq!(answer(libc::SYS_socket, &[int(libc::AF_INET), int(libc::SOCK_STREAM), 0]), Fails(EAFNOSUPPORT));
}

/// Landlock does not see these calls, and in the host's view there is no mount to refuse them.
#[test]
fn beside_landlock_alone_attributes_stay_and_folders_are_not_watched() {
    let calls = [
        libc::SYS_fchmod,
        libc::SYS_fchmodat,
        libc::SYS_fchown,
        libc::SYS_fchownat,
        libc::SYS_utimensat,
        libc::SYS_inotify_init1,
        libc::SYS_inotify_add_watch,
    ];
    for call in calls {
        assert_eq!(answer_under(WRITE, call, &[]), Allowed, "{call}");
        assert_eq!(answer_under(HOST, call, &[]), Fails(EPERM), "{call}");
    }
    for call in [libc::SYS_unlinkat, libc::SYS_renameat2, libc::SYS_ftruncate] {
        assert_eq!(answer_under(HOST, call, &[]), Allowed, "{call}");
    }
}

#[test]
fn calls_of_other_architectures_kill_whatever_is_granted() {
    for options in all_options() {
        let filter = filter(options);
        let i386 = 0x4000_0003;
        for number in 0..600 {
            assert_eq!(answer_to(&filter, &Data { number, arch: i386, args: [0; 6] }), Killed);
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn x32_calls_kill_whatever_is_granted() {
    for options in all_options() {
        let filter = filter(options);
        for number in (0..600).chain([0x3fff_ffff, 0xbfff_ffff]) {
            assert_eq!(answer_to(&filter, &Data::native(0x4000_0000 | number, [0; 6])), Killed);
        }
    }
}

#[test]
fn unknown_calls_look_like_an_older_kernel() {
    for number in [470, 500, 511, 512, 600, 0x3fff_ffff] {
        assert_eq!(answer(number, &[]), Fails(ENOSYS));
    }
    for call in [libc::SYS_clone3, libc::SYS_io_uring_setup, libc::SYS_memfd_create, libc::SYS_openat2] {
        assert_eq!(answer(call, &[]), Fails(ENOSYS));
    }
}

#[test]
fn one_exec_with_the_descriptor_the_flag_and_the_key() {
    let exec = |fd, flags, key| answer(libc::SYS_execveat, &[fd, 0x7000_0000, 1, 1, flags, key]);
    assert_eq!(exec(1000, 0x1000, KEY), Allowed);
    assert_eq!(exec(999, 0x1000, KEY), Fails(EACCES));
    assert_eq!(exec(1001, 0x1000, KEY), Fails(EACCES));
    assert_eq!(exec(int(libc::AT_FDCWD), 0x1000, KEY), Fails(EACCES));
    assert_eq!(exec(1000, 0, KEY), Fails(EACCES));
    assert_eq!(exec(1000, 0x1100, KEY), Fails(EACCES));
    for bit in 0..64 {
        assert_eq!(exec(1000, 0x1000, KEY ^ 1 << bit), Fails(EACCES), "bit {bit} of the key is not looked at");
    }
    assert_eq!(answer(libc::SYS_execve, &[1, 1, 1]), Fails(EACCES));
}

#[test]
fn threads_but_no_processes_and_no_namespaces() {
    let glibc_thread = 0x003d_0f00;
    let musl_thread = 0x007d_0f00;
    assert_eq!(answer(libc::SYS_clone, &[glibc_thread]), Allowed);
    assert_eq!(answer(libc::SYS_clone, &[musl_thread]), Allowed);
    let fork = 0x0120_0011;
    let vfork = 0x4111;
    assert_eq!(answer(libc::SYS_clone, &[fork]), Fails(EPERM));
    assert_eq!(answer(libc::SYS_clone, &[vfork]), Fails(EPERM));
    for missing in [libc::CLONE_VM, libc::CLONE_SIGHAND, libc::CLONE_THREAD, libc::CLONE_FILES] {
        assert_eq!(answer(libc::SYS_clone, &[glibc_thread & !int(missing)]), Fails(EPERM), "{missing:#x}");
    }
    for namespace in [0x0002_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000] {
        assert_eq!(answer(libc::SYS_clone, &[glibc_thread | namespace]), Fails(EPERM), "{namespace:#x}");
    }
    assert_eq!(answer(libc::SYS_unshare, &[0x1000_0000]), Fails(EPERM));
    assert_eq!(answer(libc::SYS_setns, &[3, 0]), Fails(EPERM));
}

#[test]
fn signals_reach_only_the_process_itself() {
    let pid = u64::from(PID);
    for call in [libc::SYS_kill, libc::SYS_tgkill, libc::SYS_rt_sigqueueinfo, libc::SYS_rt_tgsigqueueinfo] {
        assert_eq!(answer(call, &[pid, 9]), Allowed);
        assert_eq!(answer(call, &[pid | 0xdead_0000_0000, 9]), Allowed, "pids are int");
        for other in [0, 1, pid - 1, pid + 1, int(-1), int(-4242), int(c_int::MAX)] {
            assert_eq!(answer(call, &[other, 9]), Fails(EPERM), "{other:#x}");
        }
    }
    assert_eq!(answer(libc::SYS_tkill, &[pid, 9]), Fails(EPERM));
}

#[test]
fn an_unpatched_filter_lets_nobody_be_signalled() {
    let filter = Filter::new(&Options::default(), KEY);
    let kill = u32::try_from(libc::SYS_kill).unwrap();
    for pid in [0, 1, int(-1), u64::from(PID), 4_194_304] {
        assert_eq!(answer_to(&filter, &Data::native(kill, [pid, 9, 0, 0, 0, 0])), Fails(EPERM));
    }
}

#[test]
fn a_filter_can_be_patched_again_for_another_process() {
    let mut filter = filter(Options::default());
    filter.patch_pid(PID + 1);
    let kill = |pid| Data::native(u32::try_from(libc::SYS_kill).unwrap(), [u64::from(pid), 9, 0, 0, 0, 0]);
    assert_eq!(answer_to(&filter, &kill(PID)), Fails(EPERM));
    assert_eq!(answer_to(&filter, &kill(PID + 1)), Allowed);
}

#[test]
fn other_processes_cannot_be_probed_by_number() {
    let other = u64::from(PID) + 1;
    let cpu_clock_of_other = |pid: u64| !pid << 3 | 2;
    assert_eq!(answer(libc::SYS_getpgid, &[other]), Fails(libc::ESRCH));
    assert_eq!(answer(libc::SYS_getsid, &[other]), Fails(libc::ESRCH));
    assert_eq!(answer(libc::SYS_getpriority, &[0, other]), Fails(libc::ESRCH));
    assert_eq!(answer(libc::SYS_clock_gettime, &[cpu_clock_of_other(other)]), Fails(EINVAL));
    assert_eq!(answer(libc::SYS_clock_getres, &[cpu_clock_of_other(other)]), Fails(EINVAL));
    assert_eq!(answer(libc::SYS_prlimit64, &[other, 7, 0, 0x7000_0000]), Fails(EPERM));
    assert_eq!(answer(libc::SYS_getpgid, &[0]), Allowed);
    assert_eq!(answer(libc::SYS_getsid, &[u64::from(PID)]), Allowed);
    for clock in 0..12 {
        assert_eq!(answer(libc::SYS_clock_gettime, &[clock]), Allowed);
    }
}

#[test]
fn limits_are_read_and_not_set() {
    assert_eq!(answer(libc::SYS_prlimit64, &[0, 7, 0, 0x7fff_0000_0000]), Allowed);
    assert_eq!(answer(libc::SYS_prlimit64, &[0, 7, 0x7000_0000, 0]), Fails(EPERM));
    let lower_half_zero = 0x7f00_0000_0000;
    assert_eq!(answer(libc::SYS_prlimit64, &[0, 7, lower_half_zero, 0]), Fails(EPERM));
    assert_eq!(answer(libc::SYS_setrlimit, &[7, 1]), Fails(EPERM));
}

#[test]
fn terminals_are_configured_only_where_granted_and_never_typed_into() {
    let tcgets = 0x5401;
    let settings = [0x5402, 0x5403, 0x5404, 0x402C_542B, 0x402C_542C, 0x402C_542D];
    let tiocsti = 0x5412;
    let tioclinux = 0x541C;
    let tiocsctty = 0x540E;
    for options in all_options() {
        let ioctl = |request| answer_under(options, libc::SYS_ioctl, &[0, request]);
        assert_eq!(ioctl(tcgets), Allowed);
        for request in settings {
            assert_eq!(ioctl(request), if options.tty { Allowed } else { Fails(ENOTTY) });
        }
        for request in [tiocsti, tioclinux, tiocsctty] {
            assert_eq!(ioctl(request), Fails(ENOTTY));
            assert_eq!(ioctl(request | 1 << 32), Fails(ENOTTY), "the kernel reads 32 bits of a request");
        }
    }
    assert_eq!(answer_under(TTY, libc::SYS_ioctl, &[0, 0x5402 | 1 << 32]), Allowed);
}

#[test]
fn descriptor_commands_that_signal_or_lease_are_refused() {
    let (set_owner, set_signal, set_lease, notify, add_seals) = (8, 10, 1024, 1026, 1033);
    for command in [set_owner, set_signal, set_lease, notify, add_seals, 15] {
        assert_eq!(answer(libc::SYS_fcntl, &[0, command]), Fails(EINVAL), "{command}");
    }
    for command in [0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1032] {
        assert_eq!(answer(libc::SYS_fcntl, &[0, command]), Allowed, "{command}");
    }
}

#[test]
fn process_attributes_are_named_one_by_one() {
    let prctl = |option, second| answer(libc::SYS_prctl, &[option, second]);
    for option in [3, 15, 16, 23, 39] {
        assert_eq!(prctl(option, 7), Allowed, "{option}");
    }
    assert_eq!(prctl(0x5356_4d41, 0), Allowed);
    assert_eq!(prctl(0x5356_4d41, 1 << 32), Fails(EPERM));
    let (set_pdeathsig, set_dumpable, set_seccomp, set_mm, set_no_new_privs, set_ptracer) =
        (1, 4, 22, 35, 38, 0x5961_6d61);
    for option in [set_pdeathsig, set_dumpable, set_seccomp, set_mm, set_no_new_privs, set_ptracer] {
        assert_eq!(prctl(option, 0), Fails(EPERM), "{option}");
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn no_segment_tricks() {
    assert_eq!(answer(libc::SYS_arch_prctl, &[0x1002, 0x7000_0000]), Allowed);
    for option in [0x1001, 0x1003, 0x1012, 0x2003, 0x3001, 0x5001] {
        assert_eq!(answer(libc::SYS_arch_prctl, &[option]), Fails(EINVAL));
    }
}

#[test]
fn there_is_no_network() {
    for family in [0, 1, 2, 10, 16, 17, 40] {
        assert_eq!(answer(libc::SYS_socket, &[family, 1, 0]), Fails(EAFNOSUPPORT));
    }
    for call in [libc::SYS_connect, libc::SYS_bind, libc::SYS_listen] {
        assert_eq!(answer(call, &[0]), Fails(EACCES));
    }
    let pair = |family, kind| answer(libc::SYS_socketpair, &[family, kind]);
    let (stream, datagram, sequenced, flags) = (1, 2, 5, 0x80800);
    assert_eq!(pair(1, stream | flags), Allowed);
    assert_eq!(pair(1, datagram | flags), Fails(EAFNOSUPPORT), "it can be addressed to any socket of the host");
    assert_eq!(pair(1, sequenced), Fails(EAFNOSUPPORT));
    assert_eq!(pair(2, stream), Fails(EAFNOSUPPORT));
    assert_eq!(answer(libc::SYS_sendto, &[1, 0x7000, 5, 0x4040, 0, 0]), Allowed);
    assert_eq!(answer(libc::SYS_sendto, &[1, 0x7000, 5, 0x4040, 1 << 40, 110]), Fails(libc::EISCONN));
    for call in [libc::SYS_sendmsg, libc::SYS_sendmmsg] {
        assert_eq!(answer(call, &[1]), Fails(ENOSYS), "its address is behind a pointer");
    }
}

#[test]
fn without_a_write_grant_the_tree_is_read_only() {
    let changes = [libc::SYS_mkdirat, libc::SYS_unlinkat, libc::SYS_renameat2, libc::SYS_fchmodat, libc::SYS_truncate];
    for call in changes {
        assert_eq!(answer(call, &[]), Fails(EROFS));
        assert_eq!(answer_under(WRITE, call, &[]), Allowed);
    }
    for call in [libc::SYS_copy_file_range, libc::SYS_sendfile, libc::SYS_flock] {
        assert_eq!(answer(call, &[]), Fails(ENOSYS), "callers fall back to plain reads and writes");
        assert_eq!(answer_under(WRITE, call, &[]), Allowed);
    }
    assert_eq!(answer_under(WRITE, libc::SYS_mknodat, &[]), Fails(EPERM));
    assert_eq!(answer_under(WRITE, libc::SYS_setxattr, &[]), Fails(ENOSYS));
}

#[test]
fn no_memory_becomes_executable_when_that_is_denied() {
    let (read, write, exec) = (1, 2, 4);
    let (private, anonymous) = (2, 0x20);
    let mmap = |options, prot, flags| answer_under(options, libc::SYS_mmap, &[0, 4096, prot, flags]);
    let mprotect = |options, prot| answer_under(options, libc::SYS_mprotect, &[0, 4096, prot]);
    assert_eq!(mmap(NO_JIT, read | write, private | anonymous), Allowed);
    assert_eq!(mmap(NO_JIT, read | exec, private), Allowed, "libraries");
    assert_eq!(mmap(NO_JIT, read | exec, private | anonymous), Fails(EACCES));
    assert_eq!(mmap(NO_JIT, read | write | exec, private), Fails(EACCES));
    assert_eq!(mprotect(NO_JIT, read | write), Allowed);
    assert_eq!(mprotect(NO_JIT, read | exec), Fails(EACCES));
    assert_eq!(answer_under(NO_JIT, libc::SYS_pkey_mprotect, &[0, 4096, exec]), Fails(ENOSYS));
    let default = Options::default();
    assert_eq!(mmap(default, read | write | exec, private | anonymous), Allowed);
    assert_eq!(mprotect(default, read | exec), Allowed);
}

#[test]
fn no_file_is_made_set_user_id() {
    for (call, position) in [(libc::SYS_fchmod, 1), (libc::SYS_fchmodat, 2)] {
        for (mode, expected) in [(0o755, Allowed), (0o1777, Allowed), (0o4755, Fails(EPERM)), (0o2755, Fails(EPERM))] {
            let mut args = [0; 4];
            args[position] = mode;
            assert_eq!(answer_under(WRITE, call, &args), expected, "call {call} with mode {mode:o}");
        }
    }
    let open = |flags: c_int, mode| answer_under(WRITE, libc::SYS_openat, &[int(libc::AT_FDCWD), 1, int(flags), mode]);
    assert_eq!(open(libc::O_CREAT, 0o755), Allowed);
    assert_eq!(open(libc::O_CREAT, 0o4755), Fails(EPERM));
    assert_eq!(open(libc::O_TMPFILE, 0o2755), Fails(EPERM));
    // What is left in the register when nothing is created says nothing.
    assert_eq!(open(libc::O_RDONLY | libc::O_DIRECTORY, u64::MAX), Allowed);
}

#[test]
fn room_is_reserved_within_a_file_only() {
    let keep_size = 1;
    assert_eq!(answer_under(WRITE, libc::SYS_fallocate, &[3, 0, 0, 4096]), Allowed);
    assert_eq!(answer_under(WRITE, libc::SYS_fallocate, &[3, keep_size, 0, 4096]), Fails(libc::EOPNOTSUPP));
}

#[test]
fn other_programs_only_where_they_are_granted_and_never_in_a_namespace() {
    let fork = 0x0120_0011;
    let vfork = 0x4111;
    for clone in [fork, vfork] {
        assert_eq!(answer_under(RUN, libc::SYS_clone, &[clone]), Allowed);
        for namespace in [0x0002_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000] {
            assert_eq!(answer_under(RUN, libc::SYS_clone, &[clone | namespace]), Fails(EPERM), "{namespace:#x}");
        }
    }
    assert_eq!(answer_under(RUN, libc::SYS_execve, &[1, 1, 1]), Allowed);
    let by_descriptor = [1000, 0x7000_0000, 1, 1, 0x1000, KEY ^ 1];
    assert_eq!(answer_under(RUN, libc::SYS_execveat, &by_descriptor), Fails(EACCES), "the launcher's alone");
    for call in [libc::SYS_ptrace, libc::SYS_process_vm_writev, libc::SYS_unshare, libc::SYS_setns, libc::SYS_mount] {
        assert_eq!(answer_under(RUN, call, &[]), Fails(EPERM));
    }
    assert_eq!(answer_under(RUN, libc::SYS_memfd_create, &[]), Fails(ENOSYS));
}

#[test]
fn programs_signal_one_another_but_never_the_launchers_group() {
    for pid in [1, u64::from(PID) + 1, int(-1), int(-4242)] {
        assert_eq!(answer_under(RUN, libc::SYS_kill, &[pid, 9]), Allowed, "{pid:#x}");
    }
    for zero in [0, 0xdead_0000_0000] {
        assert_eq!(answer_under(RUN, libc::SYS_kill, &[zero, 9]), Fails(EPERM), "{zero:#x}");
    }
}

// From asm-generic/resource.h; C libraries disagree about the type.
const RLIMIT_CPU: u64 = 0;
const RLIMIT_FSIZE: u64 = 1;
const RLIMIT_STACK: u64 = 3;
const RLIMIT_CORE: u64 = 4;
const RLIMIT_NPROC: u64 = 6;
const RLIMIT_NOFILE: u64 = 7;
const RLIMIT_MEMLOCK: u64 = 8;

/// What takes away from a child, and nothing of the same calls that could give.
#[test]
fn a_child_can_be_narrowed_where_there_can_be_one() {
    let (filter, limits) = (libc::SYS_seccomp, libc::SYS_prlimit64);
    let narrowing = [
        (libc::SYS_landlock_create_ruleset, [1, 24, 0, 0]),
        (libc::SYS_landlock_add_rule, [3, 1, 1, 0]),
        (libc::SYS_landlock_restrict_self, [3, 0, 0, 0]),
        (filter, [1, 0, 1, 0]),
        (limits, [0, RLIMIT_CPU, 1, 0]),
        (limits, [0, RLIMIT_FSIZE, 1, 0]),
        (limits, [0, RLIMIT_NOFILE, 1, 0]),
    ];
    for (call, args) in narrowing {
        assert_eq!(answer_under(RUN, call, &args), Allowed, "{call} {args:?}");
        assert_ne!(answer_under(WRITE, call, &args), Allowed, "{call} {args:?}");
    }
    assert_eq!(answer_under(RUN, libc::SYS_landlock_add_rule, &[3, 2, 1, 0]), Fails(EINVAL), "a rule about a port");
    assert_eq!(answer_under(RUN, libc::SYS_landlock_restrict_self, &[3, 1]), Fails(EINVAL));
    // SECCOMP_FILTER_FLAG_NEW_LISTENER and TSYNC; SECCOMP_SET_MODE_STRICT.
    for args in [[1, 1 << 3, 1], [1, 1, 1], [0, 0, 0]] {
        assert_eq!(answer_under(RUN, filter, &args), Fails(EPERM), "{args:?}");
    }
    for resource in [RLIMIT_STACK, RLIMIT_CORE, RLIMIT_NPROC, RLIMIT_MEMLOCK] {
        assert_eq!(answer_under(RUN, limits, &[0, resource, 1, 0]), Fails(EPERM));
    }
    assert_eq!(answer_under(RUN, limits, &[1, RLIMIT_CPU, 1, 0]), Fails(EPERM), "of another process");
}

/// As fork(3) of the C libraries asks for it.
const FORK: u64 = 0x0100_0000 | 0x0020_0000 | 0x11;

#[test]
fn a_program_that_forks_starts_nothing_else_and_gives_up_more() {
    const COPIES: Options = Options { copies: true, ..NOTHING };
    const THREAD: u64 = 0x003d_0f00;
    for flags in [FORK, 17, THREAD] {
        assert_eq!(answer_under(COPIES, libc::SYS_clone, &[flags]), Allowed, "{flags:x}");
    }
    // Sharing memory or descriptors, with another signal, in a namespace of its own, with bits that mean nothing.
    for flags in [FORK | 0x100, FORK | 0x400, FORK | 0x4000, 0, 9, FORK | 0x1000_0000, FORK | 1 << 32] {
        assert_eq!(answer_under(COPIES, libc::SYS_clone, &[flags]), Fails(EPERM), "{flags:x}");
    }
    for options in [COPIES, NOTHING] {
        assert_eq!(answer_under(options, libc::SYS_execve, &[1, 1, 1]), Fails(EACCES));
        assert_eq!(answer_under(options, libc::SYS_socket, &[1, 1, 0]), Fails(EAFNOSUPPORT));
    }
    let narrowing = [
        (libc::SYS_seccomp, [1, 0, 1]),
        (libc::SYS_landlock_restrict_self, [3, 0, 0]),
        (libc::SYS_prlimit64, [0, 0, 1]),
        (libc::SYS_prctl, [int(libc::PR_SET_NO_NEW_PRIVS), 1, 0]),
        (libc::SYS_kill, [u64::from(PID) + 1, 9, 0]),
        (libc::SYS_sendmsg, [3, 1, 0]),
        (libc::SYS_pidfd_open, [5, 0, 0]),
    ];
    for (call, args) in narrowing {
        assert_eq!(answer_under(COPIES, call, &args), Allowed, "{call}");
        assert_ne!(answer_under(NOTHING, call, &args), Allowed, "{call}");
    }
    assert_eq!(answer_under(COPIES, libc::SYS_kill, &[0, 9]), Fails(EPERM), "the group");
    assert_eq!(answer_under(COPIES, libc::SYS_prctl, &[int(libc::PR_SET_PDEATHSIG), 9]), Fails(EPERM));
}

#[test]
fn the_one_exec_of_a_child_is_by_path_and_with_the_key() {
    let child = Options { narrower: Some(Fewer::Read), ..NOTHING };
    let exec = |key| answer_under(child, libc::SYS_execve, &[0x7000_0000, 1, 1, 0, 0, key]);
    assert_eq!(exec(KEY), Allowed);
    for bit in 0..64 {
        assert_eq!(exec(KEY ^ 1 << bit), Fails(EACCES));
    }
    assert_eq!(answer_under(child, libc::SYS_execveat, &[1000, 0x7000_0000, 1, 1, 0x1000, KEY]), Fails(EACCES));
    assert_eq!(answer_under(child, libc::SYS_fork, &[]), Fails(EPERM));
    let others = Options { run: true, ..child };
    assert_eq!(answer_under(others, libc::SYS_execve, &[1, 1, 1]), Allowed);
}

#[test]
fn a_child_that_may_open_fewer_files_watches_none_and_changes_attributes_only_of_what_all_write_to() {
    let child = |fewer| Options { narrower: Some(fewer), ..WRITE };
    for fewer in [Fewer::Read, Fewer::Written] {
        assert_eq!(answer_under(child(fewer), libc::SYS_inotify_add_watch, &[]), Fails(EPERM));
        assert_eq!(answer_under(child(fewer), libc::SYS_unlinkat, &[]), Allowed);
    }
    for call in [libc::SYS_fchmod, libc::SYS_fchmodat, libc::SYS_fchownat, libc::SYS_utimensat] {
        assert_eq!(answer_under(child(Fewer::Read), call, &[]), Allowed);
        assert_eq!(answer_under(child(Fewer::Written), call, &[]), Fails(EPERM));
    }
}

#[test]
fn init_waits_and_ends_and_does_nothing_else() {
    let filter = Filter::for_init();
    let allowed = |number| answer_to(&filter, &Data::native(number, [0; 6])) == Allowed;
    let mut calls =
        [libc::SYS_rt_sigtimedwait, libc::SYS_wait4, libc::SYS_kill, libc::SYS_restart_syscall, libc::SYS_exit_group]
            .map(|call| u32::try_from(call).unwrap());
    calls.sort_unstable();
    assert_eq!((0..600).filter(|number| allowed(*number)).collect::<Vec<_>>(), calls);
}
