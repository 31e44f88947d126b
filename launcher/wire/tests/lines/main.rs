//! Any bytes at all, as lines of a host: the corpus of `fuzz/`, and changes of it.

#[path = "../../../sandbox/src/network/mutations.rs"]
#[allow(clippy::disallowed_methods, reason = "a test reads its corpus")]
mod mutations;
mod reading;

#[test]
fn any_bytes_at_all() {
    mutations::each("lines", reading::assert_readable);
}
