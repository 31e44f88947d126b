//! Lines of the host of `secure-bun serve`.
//!   cargo +nightly fuzz run lines
#![no_main]

#[path = "../../launcher/wire/tests/lines/reading.rs"]
mod reading;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reading::assert_readable(bytes));
