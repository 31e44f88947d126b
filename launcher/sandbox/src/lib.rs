//! secure-bun as a library: real Bun, running code nobody trusts.
//!
//! [`run()`] is the story of one program: find Bun ([`host`]), turn policy and host into a plan ([`resolve`]), let the
//! kernel confine it (crate `confine`), look after it until it ends ([`supervise`]), and tell how it went.
#![forbid(unsafe_code)]

mod count;
pub mod doctor;
mod errand;
pub mod error;
pub mod explain;
mod forks;
pub mod host;
mod launch;
pub mod layers;
pub mod narrow;
pub mod network;
pub mod outcome;
pub mod package;
mod pipes;
pub mod places;
mod plain_file;
mod redaction;
mod requests;
pub mod resolve;
mod resolver;
pub mod run;
mod scratch;
pub mod secrets;
pub mod service;
pub mod spawn;
mod stage;
pub mod supervise;
mod surroundings;

// What requests and answers are made of.
pub use {policy, wire};

pub use error::Error;
pub use outcome::{Ending, Outcome};
pub use resolve::programs::{Interpreter, interpreters};
pub use run::{Entry, Input, Job, Output, run};
pub use spawn::{Spawn, spawn};
