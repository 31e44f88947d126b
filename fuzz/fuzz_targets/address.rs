//! Addresses of sockets, as a program leaves them in its memory.
//!   cargo +nightly fuzz run address
#![no_main]

#[path = "../../launcher/sandbox/src/network/address.rs"]
mod address;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| address::assert_plain(bytes));
