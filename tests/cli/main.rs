//! What `secure-bun` says, and exits with.

use secure_bun_tests::{Folder, assert_data_eq, str};

#[test]
fn x() {
    let folder = Folder::new();
    assert_data_eq!(folder.secure_bun(["run", "missing.ts"]).end().to_string(), str![]);
}
