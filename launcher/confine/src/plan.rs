//! The plan: what the kernel is asked to do, with nothing left to decide.

use std::ffi::CString;
use std::os::fd::RawFd;

use crate::seccomp;

/// A sandbox and the program to run in it. Every path is absolute, every default is filled in.
#[derive(Debug)]
pub struct Plan {
    /// Whom the program runs as.
    pub identity: Identity,
    /// What it sees of files.
    pub view: View,
    /// Whether it may run where the host's Landlock is too old or missing.
    pub landlock: Need,
    /// Limits that the kernel keeps per process.
    pub limits: ProcessLimits,
    /// Which system calls exist for it.
    pub filter: seccomp::Options,
    /// What is run.
    pub program: Program,
    /// Whether it may start others.
    pub processes: Processes,
    /// What it has of a network.
    pub network: Sockets,
    /// The descriptors it gets as 0, 1, 2 and, as number 3, an optional channel. No other is inherited.
    pub stdio: Stdio,
}

/// What a program sees of files.
#[derive(Debug)]
pub enum View {
    /// A root file system of its own, in namespaces of its own.
    Private(Root),
    /// The host's, without namespaces: Landlock lets these be opened and nothing else.
    Host(Vec<Grant>),
}

/// Whether a layer has to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing runs without it.
    Required,
    /// It is used as far as the host has it.
    IfAvailable,
}

/// An object of the host that Landlock lets a program use at its own place.
#[derive(Debug)]
pub struct Grant {
    /// Its path, absolute and free of symbolic links.
    pub path: CString,
    /// What stood at that path when the plan was made; a different object there is an error.
    pub object: crate::FileId,
    /// Directory or not.
    pub kind: Kind,
    /// What the program may do with it.
    pub access: Access,
}

/// Whom the program runs as. With a root file system of its own it is always user and group [`INSIDE_ID`] of a user
/// namespace of its own; it never has capabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The launcher's own, unprivileged, user.
    Own {
        /// The launcher's effective user id.
        uid: u32,
        /// The launcher's effective group id.
        gid: u32,
    },
    /// The launcher is root: another user takes the program, since even without capabilities the owner of files such
    /// as those of /proc/sys may write them.
    Dropped {
        /// An unprivileged user id.
        uid: u32,
        /// An unprivileged group id.
        gid: u32,
    },
}

/// User and group id that the program sees of itself.
pub const INSIDE_ID: u32 = 1000;

/// The file system that the program sees: a tmpfs, read-only in the end, that holds just these.
#[derive(Debug, Default)]
pub struct Root {
    /// Objects of the host, made visible.
    pub binds: Vec<Bind>,
    /// Private, empty, writable file systems.
    pub tmpfs: Vec<Tmpfs>,
    /// Files of the launcher's own making.
    pub files: Vec<File>,
    /// Directories that exist though nothing is in them.
    pub directories: Vec<CString>,
    /// Symbolic links.
    pub links: Vec<Link>,
    /// Paths within a bind that are covered by an empty object which nobody can open.
    pub masks: Vec<Mask>,
}

/// One object of the host at a path inside.
#[derive(Debug)]
pub struct Bind {
    /// Its path on the host, absolute and free of symbolic links.
    pub source: CString,
    /// What stood at that path when the plan was made; a different object there is an error.
    pub object: crate::FileId,
    /// Its path inside.
    pub target: CString,
    /// Directory or not.
    pub kind: Kind,
    /// What the program may do with it.
    pub access: Access,
    /// Show its owner, root, as the program's own user. Only with [`Identity::Dropped`].
    pub map_owner: bool,
}

/// What an object is, as far as mounting it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory with all below it.
    Directory,
    /// Anything else.
    File,
}

/// What the program may do with an object and what is below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// List directories.
    List,
    /// List directories, read files.
    Read,
    /// The same, and map them executable: libraries.
    Load,
    /// The same, and run them: Bun itself, other programs, and their loaders.
    Execute,
    /// The same as `Read`, and change everything but device nodes.
    Write,
    /// Read and write one of the harmless device nodes.
    Device,
}

/// A private, writable, empty file system in memory.
#[derive(Debug)]
pub struct Tmpfs {
    /// Where it is.
    pub target: CString,
    /// The most it holds, in bytes.
    pub bytes: u64,
}

/// A file of the launcher's own making, readable by the program.
#[derive(Debug)]
pub struct File {
    /// Its path inside.
    pub target: CString,
    /// What is in it.
    pub contents: Vec<u8>,
}

/// A symbolic link inside.
#[derive(Debug)]
pub struct Link {
    /// Its path inside.
    pub path: CString,
    /// Where it points, a path inside.
    pub target: CString,
}

/// A path within a bind that is covered.
#[derive(Debug)]
pub struct Mask {
    /// The path inside.
    pub target: CString,
    /// What stands there.
    pub kind: Kind,
}

/// Limits that the kernel keeps per process or user namespace; `None` leaves what the launcher inherited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessLimits {
    /// CPU time in seconds, at whose end the kernel kills the process.
    pub cpu_s: Option<u64>,
    /// The largest file, in bytes; beyond it, writes fail with `EFBIG`.
    pub file_bytes: Option<u64>,
    /// Tasks (threads and processes) of the sandbox; beyond it, making one fails with `EAGAIN`.
    pub tasks: Option<u64>,
    /// Open descriptors, at most [`seccomp::EXEC_FD`]; beyond it, opening fails with `EMFILE`.
    pub open_files: u64,
}

/// Which processes there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Processes {
    /// The program alone. It is the launcher's child.
    One,
    /// The program and those that it starts, in a pid namespace of their own below an init of ours, which ends with the
    /// program and takes all of them along. Whether they may be started at all is the filter's to say.
    Tree {
        /// Whether the program's own file may be executed once more.
        again: bool,
    },
    /// The program and copies of itself that it forks, below an init of ours as well. It stays when the program ends, so
    /// that the copies do: the launcher ends it. No file may be executed.
    Copies,
}

impl Processes {
    /// Whether there is an init, in a pid namespace of its own.
    pub const fn has_init(self) -> bool {
        !matches!(self, Self::One)
    }
}

/// What a program has of a network. Its filter has to agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sockets {
    /// Nothing: it cannot make a socket.
    None,
    /// Nothing, in a network namespace of its own.
    Nowhere,
    /// A network namespace of its own, empty but for the loopback device. What leads out of it, the launcher answers
    /// for ([`crate::Network`]).
    Asked,
    /// Streams in the host's network, with [`View::Host`]: none leads anywhere or is listened at but by the launcher's
    /// answer.
    AskedOnHost,
}

impl Sockets {
    /// Whether there are sockets, for which the launcher answers.
    pub const fn is_asked(self) -> bool {
        matches!(self, Self::Asked | Self::AskedOnHost)
    }
}

/// What is run.
#[derive(Debug)]
pub struct Program {
    /// Path inside of the file to execute, which must be in a bind with [`Access::Execute`].
    pub path: CString,
    /// Its arguments, the zeroth included.
    pub argv: Vec<CString>,
    /// Its whole environment, as `NAME=value`.
    pub env: Vec<CString>,
    /// Its working directory, a path inside.
    pub cwd: CString,
}

/// Descriptors of the launcher that the program inherits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stdio {
    /// Standard input.
    pub input: RawFd,
    /// Standard output.
    pub output: RawFd,
    /// Standard error.
    pub error: RawFd,
    /// Descriptor 3.
    pub channel: Option<RawFd>,
}
