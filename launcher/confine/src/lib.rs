//! Confinement: a [`Plan`] becomes namespaces, mounts, Landlock, resource limits and a system call filter around one
//! program, which is run exactly once. This crate knows no policy.
//!
//! [`start`] is the specification of the parent's part, [`child`](self) of the child's, [`init`](self) of what stands
//! between them where the program may start others: one step, one system call, one reason. All unsafe code is in `sys`.

mod child;
mod error;
mod host_view;
mod init;
mod landlock;
mod layout;
mod listener;
mod narrow;
mod plan;
pub mod probe;
pub mod seccomp;
mod start;
mod status;
mod sys;

pub use error::{Error, Layer, Step};
pub use landlock::{Cover, Gap, LEAST_ABI, gaps};
pub use listener::{Act, Listener, MOST_ADDRESS_BYTES, NameServer, Network, Request, Unseen};
pub use narrow::{Narrower, can_narrow, narrow};
pub use plan::{
    Access, Bind, File, Grant, INSIDE_ID, Identity, Kind, Link, Mask, Need, Plan, ProcessLimits, Processes, Program,
    Root, Sockets, Stdio, Tmpfs, View,
};
pub use start::{Started, start};
pub use status::Status;
pub use sys::{
    Allocator, Child, Ended, Errno, FileId, OwnMemory, bind, bind_datagrams, connect, forget_address, identity_of,
    kill, network_of, pidfd_has_ended as has_ended, watch, watch_both,
};
