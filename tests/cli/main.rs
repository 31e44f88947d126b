//! What `secure-bun` prints and exits with, for each thing that can be wrong and for each that is asked of it.
#![allow(clippy::needless_raw_string_hashes, reason = "snapbox writes the snapshots")]

mod arguments;
mod calls;
mod differences;
mod discovery;
mod explained;
mod flags;
mod init;
mod input;
mod not_yet;
mod policies;
mod policy_command;
mod programs;
mod reports;
mod trust;
