//! The raw kernel interface. All unsafe code and every raw system call of the launcher is in this folder.
//!
//! The functions here are safe to call with any argument: the types carry the invariants that the kernel asks for
//! (NUL-terminated strings, open descriptors, sized structures). They neither allocate nor take locks nor touch
//! thread-local storage, because most of them run in a child that shares its parent's memory ([`clone`]).
#![allow(unsafe_code)]

mod allocator;
mod call;
mod clone;
mod fd;
mod identity;
mod idmap;
mod landlock;
mod limits;
mod mount;
mod network;
mod notify;
mod own_memory;
mod process;
mod readiness;
mod seccomp;
mod shared;
mod trace;
mod visit;

pub use allocator::Allocator;
pub use call::Errno;
pub use clone::{Child, has_ended as pidfd_has_ended, kill};
pub(crate) use clone::{CloneFlags, Memory, Stack, clone_in};
pub use fd::FileId;
pub(crate) use fd::{
    Fd, close, close_from, close_on_exec_from, create_file, duplicate_to, file_id, make_directory, make_symlink,
    open_at, open_path, own, write_all,
};
pub(crate) use identity::{
    as_user, clear_groups, default_signal, default_signals, drop_capabilities, next_signal, parent_pid, pid,
    reset_signals, send_signal, set_dumpable, set_effective_ids, set_ids, set_parent_death_signal, set_umask,
};
pub(crate) use idmap::{NoMapping, user_namespace_mapping_root_to};
pub(crate) use landlock::{landlock_abi, landlock_add_path, landlock_restrict_self};
pub(crate) use limits::{Resource, no_new_privileges, raise_open_files, set_limit};
pub(crate) use mount::{
    Extent, MountFlags, attach, clone_tree, filesystem, pivot_into, restrict_mount, restrict_to_reading, set_hostname,
    tmpfs,
};
pub use network::{bind, connect, identity_of, network_of};
pub(crate) use network::{message_pair, name_server_sockets, raise_loopback, receive_descriptors, send_descriptors};
pub(crate) use notify::{
    copy_descriptor, is_waiting, open_thread, read_memory, receive, replace_descriptor, respond, wake_on_this_cpu,
};
pub use own_memory::OwnMemory;
pub use process::Ended;
pub(crate) use process::{
    Change, Exec, change_directory, enter_directory, exec, exec_path, exit_now, forget_environment, has_ended,
    next_change, open_pidfd, random,
};
pub use readiness::{watch, watch_both};
pub(crate) use seccomp::{load_asking_filter, load_filter};
pub(crate) use shared::Shared;
pub(crate) use trace::{go_on, let_go, trace_me};
pub use visit::{bind_datagrams, forget_address};
