//! The permissions, by their names in a policy.

use std::fmt;

/// What a program may be allowed to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Permission {
    /// Reading files.
    Read,
    /// Writing files; a write grant includes reading.
    Write,
    /// Loading modules.
    Import,
    /// Connecting to a host and port.
    Net,
    /// Accepting connections on a port.
    Listen,
    /// Requesting a URL through the launcher.
    Fetch,
    /// Reading environment variables.
    Env,
    /// Starting other programs.
    Run,
    /// Reading facts about the machine.
    Sys,
    /// Starting workers.
    Workers,
    /// Calling native code.
    Ffi,
    /// Compiling code from strings.
    Eval,
    /// Compiling WebAssembly.
    Wasm,
    /// Calling methods that the embedding service offers.
    Host,
    /// Reading secrets that the launcher keeps.
    Secrets,
}

impl Permission {
    /// All permissions, in the order of the documentation.
    pub const ALL: [Self; 15] = [
        Self::Read,
        Self::Write,
        Self::Import,
        Self::Net,
        Self::Listen,
        Self::Fetch,
        Self::Env,
        Self::Run,
        Self::Sys,
        Self::Workers,
        Self::Ffi,
        Self::Eval,
        Self::Wasm,
        Self::Host,
        Self::Secrets,
    ];

    /// The key in a policy.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Import => "import",
            Self::Net => "net",
            Self::Listen => "listen",
            Self::Fetch => "fetch",
            Self::Env => "env",
            Self::Run => "run",
            Self::Sys => "sys",
            Self::Workers => "workers",
            Self::Ffi => "ffi",
            Self::Eval => "eval",
            Self::Wasm => "wasm",
            Self::Host => "host",
            Self::Secrets => "secrets",
        }
    }

    /// How a refusal begins; the resource follows where there is one.
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::Read => "reading",
            Self::Write => "writing",
            Self::Import => "importing",
            Self::Net => "connecting to",
            Self::Listen => "listening on",
            Self::Fetch => "fetching",
            Self::Env => "reading the environment variable",
            Self::Run => "running",
            Self::Sys => "reading the system information",
            Self::Workers => "starting worker number",
            Self::Ffi => "loading native code",
            Self::Eval => "compiling code from a string",
            Self::Wasm => "compiling WebAssembly",
            Self::Host => "calling the host method",
            Self::Secrets => "reading the secret",
        }
    }

    /// The permission called `name` in a policy; `exec` is another name of `run`.
    pub fn from_name(name: &str) -> Option<Self> {
        if name == "exec" {
            return Some(Self::Run);
        }
        Self::ALL.into_iter().find(|permission| permission.name() == name)
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// Whether a statement grants or denies. Denying wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The statement grants.
    Allow,
    /// The statement denies.
    Deny,
}

impl Side {
    /// The key in a policy.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}
