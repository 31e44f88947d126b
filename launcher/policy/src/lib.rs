//! What a program may do: the policy language of secure-bun.
//!
//! Text becomes a [`Layer`] (what one source said), layers become a [`Policy`] (what they say together), the places of
//! a run make it an [`ExpandedPolicy`] (absolute paths), and [`decide`] answers every question about it. The crate is
//! pure: it reads no file, no environment and no clock, and handles paths as text alone.
//!
//! ```
//! use policy::{Chain, Layer, Places, Policy, Request, Source};
//!
//! let text = br#"{
//!   "extends": "function",
//!   "read": ["./data"],            // short for allow.read
//!   "deny": { "read": "./data/private" },
//! }"#;
//! let layer = Layer::parse(&Source::file("p.json", "/project/p.json"), text).unwrap();
//!
//! let mut chain = Chain::new(layer).unwrap();
//! while let Some(file) = chain.next_file() {
//!     unreachable!("the caller would read {file:?} and push its layer");
//! }
//! let policy = Policy::merge(&chain.into_layers());
//! assert!(policy::unavailable(&policy).is_empty());
//!
//! let expanded = policy.expand(&Places {
//!     program: "/project".into(),
//!     project: vec!["/project".into()],
//!     tmp: "/tmp".into(),
//!     home: "/home/me".into(),
//!     cwd: "/project".into(),
//! });
//! assert_eq!(expanded.limits.memory_mb, Some(128));
//!
//! let request = Request::Read("/project/data/a.csv".into());
//! assert!(policy::decide(&expanded, &request).allowed);
//!
//! let request = Request::Read("/etc/passwd".into());
//! let decision = policy::decide(&expanded, &request);
//! assert_eq!(decision.rule.to_string(), "default");
//! assert_eq!(
//!     policy::explain(&request, &decision),
//!     "reading \"/etc/passwd\" is not allowed: no rule of the policy grants it. \
//!      To allow it: allow.read: [\"/etc/passwd\"]",
//! );
//!
//! let request = Request::Read("/project/data/private/keys".into());
//! let decision = policy::decide(&expanded, &request);
//! assert_eq!(decision.rule.to_string(), "deny.read \"./data/private\" (p.json:4:21)");
//! ```

#![forbid(unsafe_code)]

mod ceiling;
mod chain;
mod child;
mod decide;
mod diagnostic;
mod diff;
mod document;
mod error_page;
mod explain;
mod fetch;
mod flags;
mod glob;
mod grants;
mod guard;
mod hover;
mod layer;
mod limits;
mod net;
mod path;
mod pattern;
mod permission;
mod places;
mod policy;
mod preload_table;
mod preset;
mod program;
mod reach;
mod reader;
mod request;
mod requests;
mod schema;
mod settings;
mod show;
mod source;
mod statements;
mod typescript;
mod unavailable;
mod within;

pub use ceiling::Ceiling;
pub use chain::{Chain, MAX_EXTENDS_DEPTH};
pub use child::{child, network_in_part};
pub use decide::{Decision, Rule, decide};
pub use diagnostic::{Colour, Diagnostic};
pub use diff::{Change, Diff, diff, ignored};
pub use error_page::{ACCESS_DENIED, ERROR_CODES, error_page};
pub use explain::explain;
pub use fetch::{FetchRule, Redirect};
pub use flags::Flags;
pub use glob::Glob;
pub use grants::{Entry, Grants, Rules, SYS_NAMES, Statement, Switch};
pub use guard::{PROTECTED_WRITES, SECRET_PATTERNS, is_protected};
pub use layer::{Base, Extends, Layer};
pub use limits::{Limit, Limits, Setting, StatedLimits};
pub use net::{NetRule, Transport};
pub use path::{SymbolicPath, Variable, normalize};
pub use pattern::Pattern;
pub use permission::{Permission, Side};
pub use places::{ExpandedPolicy, Places};
pub use policy::{Bound, Policy};
pub use preload_table::{
    LibraryRow, LibraryTable, PathRow, PathTable, PatternRow, PatternTable, PreloadTable, SwitchTable, WorkerTable,
    preload_table,
};
pub use preset::{POLICY_SCHEMA, Preset};
pub use program::{LibraryRule, PROGRAM_FOLDERS, ProgramRule, SANDBOX_PROGRAMS};
pub use reach::{
    carries, connects, decide_as_asked, granted_sockets, listening_addresses, reaches, resolves, unix_request,
};
pub use request::Request;
pub use requests::{Granted, fetch_reaches, fetches};
pub use schema::{SCHEMA_FILE, json_schema};
pub use settings::{Audit, Freeze, JsSettings, KernelSettings, Namespace, Protection, Require, TrustSettings};
pub use show::Origins;
pub use source::{MAX_POLICY_BYTES, Origin, Position, Source};
pub use typescript::{GENERATE_COMMAND, TYPESCRIPT_MODULE, typescript_module};
pub use unavailable::unavailable;
pub use within::{Excess, is_within};
