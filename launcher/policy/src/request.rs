//! What a program wants to do.

use std::path::PathBuf;

use crate::net::UDP;
use crate::permission::Permission;

/// One thing that a program wants to do. Paths are absolute, or relative to the run's working directory.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields say what they are")]
pub enum Request {
    /// Read a file or a folder.
    Read(PathBuf),
    /// Write a file, or change a folder.
    Write(PathBuf),
    /// Load a module.
    Import(PathBuf),
    /// Connect to a port of a host, or to `unix:` and the path of a socket (then the port is 0).
    Net { host: String, port: u16 },
    /// Send datagrams to a port of a host, and receive those from there.
    Udp { host: String, port: u16 },
    /// Accept connections.
    Listen { host: String, port: u16 },
    /// Have the launcher request a URL.
    Fetch { url: String, method: String },
    /// Read an environment variable.
    Env(String),
    /// Start a program, by name or path.
    Run(PathBuf),
    /// Read a fact about the machine.
    Sys(String),
    /// Start a worker, so that this many run.
    Workers(u32),
    /// Load this library, or (without one) native code at all.
    Ffi(Option<PathBuf>),
    /// Compile code from a string.
    Eval,
    /// Compile WebAssembly.
    Wasm,
    /// Call a method of the embedding service.
    Host(String),
    /// Read a secret.
    Secret(String),
}

impl Request {
    /// The permission it needs.
    pub const fn permission(&self) -> Permission {
        match self {
            Self::Read(_) => Permission::Read,
            Self::Write(_) => Permission::Write,
            Self::Import(_) => Permission::Import,
            Self::Net { .. } | Self::Udp { .. } => Permission::Net,
            Self::Listen { .. } => Permission::Listen,
            Self::Fetch { .. } => Permission::Fetch,
            Self::Env(_) => Permission::Env,
            Self::Run(_) => Permission::Run,
            Self::Sys(_) => Permission::Sys,
            Self::Workers(_) => Permission::Workers,
            Self::Ffi(_) => Permission::Ffi,
            Self::Eval => Permission::Eval,
            Self::Wasm => Permission::Wasm,
            Self::Host(_) => Permission::Host,
            Self::Secret(_) => Permission::Secrets,
        }
    }

    /// What it is about, as text: a path, `host:port`, `udp://host:port`, `METHOD url`, a name, a count. None for `eval` and `wasm`.
    pub fn resource(&self) -> Option<String> {
        let path = |path: &PathBuf| path.to_string_lossy().into_owned();
        match self {
            Self::Read(file) | Self::Write(file) | Self::Import(file) | Self::Run(file) => Some(path(file)),
            Self::Net { host, port } | Self::Listen { host, port } => {
                Some(if host.starts_with("unix:") { host.clone() } else { address(host, *port) })
            }
            Self::Udp { host, port } => Some(format!("{UDP}{}", address(host, *port))),
            Self::Fetch { url, method } => Some(format!("{method} {url}")),
            Self::Env(name) | Self::Sys(name) | Self::Host(name) | Self::Secret(name) => Some(name.clone()),
            Self::Workers(count) => Some(count.to_string()),
            Self::Ffi(library) => library.as_ref().map(path),
            Self::Eval | Self::Wasm => None,
        }
    }

    /// The request that a permission and the text of a resource stand for; the reverse of [`Request::resource`].
    /// `None` where they do not fit together, for example a `net` resource without a port.
    pub fn from_parts(permission: Permission, resource: Option<&str>) -> Option<Self> {
        let text = || resource.map(str::to_owned);
        let path = || resource.map(PathBuf::from);
        let address = || {
            if resource?.starts_with("unix:") {
                return Some((resource?.to_owned(), 0));
            }
            let (host, port) = resource?.strip_prefix(UDP).or(resource)?.rsplit_once(':')?;
            let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
            Some((bare.to_owned(), port.parse().ok()?))
        };
        Some(match permission {
            Permission::Read => Self::Read(path()?),
            Permission::Write => Self::Write(path()?),
            Permission::Import => Self::Import(path()?),
            Permission::Net if resource?.starts_with(UDP) => address().map(|(host, port)| Self::Udp { host, port })?,
            Permission::Net => address().map(|(host, port)| Self::Net { host, port })?,
            Permission::Listen => address().map(|(host, port)| Self::Listen { host, port })?,
            Permission::Fetch => {
                let (method, url) = resource?.split_once(' ')?;
                Self::Fetch { url: url.to_owned(), method: method.to_owned() }
            }
            Permission::Env => Self::Env(text()?),
            Permission::Run => Self::Run(path()?),
            Permission::Sys => Self::Sys(text()?),
            Permission::Workers => Self::Workers(resource?.parse().ok()?),
            Permission::Ffi => Self::Ffi(path()),
            Permission::Eval => Self::Eval,
            Permission::Wasm => Self::Wasm,
            Permission::Host => Self::Host(text()?),
            Permission::Secrets => Self::Secret(text()?),
        })
    }
}

/// Host and port as policies write them.
fn address(host: &str, port: u16) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// `text` as a JSON string.
pub(crate) fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
