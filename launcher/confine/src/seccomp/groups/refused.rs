//! Calls that are refused by name because ENOSYS would mislead: programs ask for these and act on the answer.
//! Everything that no table names is refused too, as unknown.

use libc::{EACCES, EAFNOSUPPORT, EPERM};

use crate::seccomp::rule::{Rule, Verdict::Refuse, rules};

pub(super) const NETWORK: &[Rule] = rules! {
    SYS_socket: Refuse(EAFNOSUPPORT), "no network; what a kernel built without it answers";
    SYS_connect: Refuse(EACCES), "no network";
    SYS_bind: Refuse(EACCES), "no network";
    SYS_listen: Refuse(EACCES), "no network";
};

/// What Landlock does not see, and only mounts keep from a program otherwise.
pub(super) const WATCHING: &[Rule] = rules! {
    SYS_inotify_init1: Refuse(EPERM), "tells what happens in folders that may not be read";
    SYS_inotify_add_watch: Refuse(EPERM), "tells what happens in folders that may not be read";
};

/// The same of what is written.
pub(super) const ATTRIBUTES: &[Rule] = rules! {
    SYS_fchmod: Refuse(EPERM), "permissions of files that may only be read";
    SYS_fchmodat: Refuse(EPERM), "permissions of any file of the user";
    SYS_fchmodat2: Refuse(EPERM), "permissions of any file of the user";
    SYS_fchown: Refuse(EPERM), "ownership of files that may only be read";
    SYS_fchownat: Refuse(EPERM), "ownership of any file of the user";
    SYS_utimensat: Refuse(EPERM), "times of any file of the user";
};

#[cfg(target_arch = "x86_64")]
pub(super) const ATTRIBUTES_LEGACY: &[Rule] = rules! {
    SYS_chmod: Refuse(EPERM), "permissions of any file of the user";
    SYS_chown: Refuse(EPERM), "ownership of any file of the user";
    SYS_lchown: Refuse(EPERM), "ownership of any file of the user";
    SYS_utime: Refuse(EPERM), "times of any file of the user";
    SYS_utimes: Refuse(EPERM), "times of any file of the user";
    SYS_futimesat: Refuse(EPERM), "times of any file of the user";
};

pub(super) const NEVER: &[Rule] = rules! {
    SYS_unshare: Refuse(EPERM), "namespaces give capabilities over kernel code that is otherwise out of reach";
    SYS_setns: Refuse(EPERM), "namespaces of other processes";
    SYS_mount: Refuse(EPERM), "the root is as the launcher made it";
    SYS_umount2: Refuse(EPERM), "the root is as the launcher made it";
    SYS_pivot_root: Refuse(EPERM), "the root is as the launcher made it";
    SYS_chroot: Refuse(EPERM), "the root is as the launcher made it";
    SYS_open_tree: Refuse(EPERM), "the root is as the launcher made it";
    SYS_move_mount: Refuse(EPERM), "the root is as the launcher made it";
    SYS_mount_setattr: Refuse(EPERM), "the root is as the launcher made it";
    SYS_fsopen: Refuse(EPERM), "the root is as the launcher made it";
    SYS_fsconfig: Refuse(EPERM), "the root is as the launcher made it";
    SYS_fsmount: Refuse(EPERM), "the root is as the launcher made it";
    SYS_fspick: Refuse(EPERM), "the root is as the launcher made it";
    SYS_mknodat: Refuse(EPERM), "device nodes";
    SYS_open_by_handle_at: Refuse(EPERM), "opens files around their path";
    SYS_name_to_handle_at: Refuse(EPERM), "makes the handles that open files around their path";
    SYS_ptrace: Refuse(EPERM), "other processes of the same user";
    SYS_process_vm_readv: Refuse(EPERM), "memory of other processes of the same user";
    SYS_process_vm_writev: Refuse(EPERM), "memory of other processes of the same user";
    SYS_process_madvise: Refuse(EPERM), "memory of other processes of the same user";
    SYS_kcmp: Refuse(EPERM), "compares kernel objects of other processes";
    SYS_pidfd_getfd: Refuse(EPERM), "descriptors of other processes of the same user";
    SYS_tkill: Refuse(EPERM), "signals by thread number, which says nothing about the process";
    SYS_setsid: Refuse(EPERM), "the process stays where the launcher's signals find it";
    SYS_setpgid: Refuse(EPERM), "the process stays where the launcher's signals find it";
    SYS_seccomp: Refuse(EPERM), "a filter's listener could answer for calls";
    SYS_bpf: Refuse(EPERM), "code in the kernel";
    SYS_perf_event_open: Refuse(EPERM), "counters of the kernel and of others, with a long record of flaws";
    SYS_init_module: Refuse(EPERM), "code in the kernel";
    SYS_finit_module: Refuse(EPERM), "code in the kernel";
    SYS_delete_module: Refuse(EPERM), "code in the kernel";
    SYS_kexec_load: Refuse(EPERM), "another kernel";
    SYS_reboot: Refuse(EPERM), "the host";
    SYS_swapon: Refuse(EPERM), "the host";
    SYS_swapoff: Refuse(EPERM), "the host";
    SYS_acct: Refuse(EPERM), "the host";
    SYS_syslog: Refuse(EPERM), "the kernel's log";
    SYS_sethostname: Refuse(EPERM), "the name is the launcher's";
    SYS_setdomainname: Refuse(EPERM), "the name is the launcher's";
    SYS_settimeofday: Refuse(EPERM), "the host's clock";
    SYS_clock_settime: Refuse(EPERM), "the host's clock";
    SYS_adjtimex: Refuse(EPERM), "the host's clock";
    SYS_clock_adjtime: Refuse(EPERM), "the host's clock";
    SYS_keyctl: Refuse(EPERM), "keyrings are not namespaced";
    SYS_add_key: Refuse(EPERM), "keyrings are not namespaced";
    SYS_request_key: Refuse(EPERM), "keyrings are not namespaced, and this one starts a program on the host";
    SYS_personality: Refuse(EPERM), "makes all readable memory executable, turns address randomisation off";
    SYS_userfaultfd: Refuse(EPERM), "lets a program stop the kernel in the middle of a copy";
    SYS_io_uring_setup: Refuse(libc::ENOSYS), "its operations pass no filter; programs fall back to epoll";
    SYS_io_uring_enter: Refuse(libc::ENOSYS), "its operations pass no filter";
    SYS_io_uring_register: Refuse(libc::ENOSYS), "its operations pass no filter";
    SYS_memfd_create: Refuse(libc::ENOSYS), "files without a mount could be executed; programs fall back to memory";
    SYS_openat2: Refuse(libc::ENOSYS), "nothing needs it; programs fall back to openat";
};

#[cfg(target_arch = "x86_64")]
pub(super) const LEGACY: &[Rule] = rules! {
    SYS_mknod: Refuse(EPERM), "device nodes";
    SYS_iopl: Refuse(EPERM), "the host's hardware";
    SYS_ioperm: Refuse(EPERM), "the host's hardware";
    SYS_modify_ldt: Refuse(EPERM), "segments that only 16-bit code needs, with a long record of flaws";
};
