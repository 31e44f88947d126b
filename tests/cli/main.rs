//! What `secure-bun` prints and exits with, for each thing that can be wrong and for each that is asked of it.

mod arguments;
mod calls;
mod flags;
mod input;
mod not_yet;
mod policies;
mod policy_command;
mod programs;
mod reports;
