//! Messages to the name server of the sandbox.
//!   cargo +nightly fuzz run question
#![no_main]

#[path = "../../launcher/sandbox/src/network/question.rs"]
#[expect(dead_code, reason = "only the reading is of interest")]
mod question;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| question::assert_answerable(bytes));
