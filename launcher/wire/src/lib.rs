//! Messages: every one that crosses a boundary of secure-bun, defined once. The sandbox channel carries [`frame`]s from
//! the preload to the launcher; the [`envelope`] is what the launcher tells whoever started it; [`rpc`] is how a service
//! and `secure-bun serve` speak. [`byte_arrays`] go beside what is JSON.
//!
//! Pure: no I/O, no clock, no environment (clippy.toml keeps it so).
#![forbid(unsafe_code)]

pub mod byte_arrays;
pub mod envelope;
pub mod frame;
pub mod rpc;
mod surrogates;
pub mod trace;
