//! `secure-bun serve` as a service sees it.
#![allow(clippy::needless_raw_string_hashes, reason = "snapbox writes the snapshots")]

mod attacks;
mod byte_arrays;
mod calls;
mod client;
mod exposition;
mod forks;
mod hostile;
mod isolation;
mod murder;
mod pool;
mod regressions;
mod secrets;
mod soak;
mod stats;
mod stdio;
mod transcripts;
