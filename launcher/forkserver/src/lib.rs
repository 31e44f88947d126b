//! What an initialised Bun needs to fork: a shared library that Bun loads inside the sandbox.
//!
//! One sandboxed Bun per tenant, the *server*, has loaded the harness (preload/src/forkserver) and blocks in
//! `server::Server::serve`. For each request of the launcher it forks; the child mends what a fork breaks in Bun, confines
//! itself further, so that no child reaches a sibling or the server, and returns into JavaScript, where it waits for its
//! channel and its call. docs/fork-engine.md has the whole story.
//!
//! The library is loaded through `bun:ffi`, whatever C library Bun runs with. It is linked to none, allocates nothing,
//! starts no thread, and speaks to the kernel itself; of the C library that is in the process already it calls `fork`
//! and what the compiler puts for copies of memory.
//!
//! This crate is compiled twice: `build.rs` makes the library, and the launcher links what is left, the library's bytes
//! as [`LIBRARY`] and the messages of the control socket.
#![cfg_attr(not(test), no_std)]
// The rest of the workspace keeps unsafe code in one place; this crate is one.
#![allow(unsafe_code)]
#![cfg_attr(not(shared_library), allow(dead_code, reason = "the launcher uses the messages alone"))]

mod channel;
mod confine;
mod descriptors;
mod epoll;
mod exports;
mod filter;
mod mappings;
mod memory;
pub mod messages;
mod procfs;
mod random;
mod server;
mod sys;
mod threads;

/// The shared library, as bytes.
#[cfg(not(shared_library))]
pub const LIBRARY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/forkserver.so"));

/// A mistake of this library ends the process: the launcher sees it and falls back.
#[cfg(all(shared_library, not(test)))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    sys::exit(sys::EXIT_PANIC)
}
