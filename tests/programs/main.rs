//! Other programs: those that are granted run as they do outside, in the same sandbox; no trick runs another one; and all
//! of them together are one tree with one end and one set of limits.

#![allow(clippy::needless_raw_string_hashes, reason = "snapbox writes the snapshots")]

mod escapes;
mod granted;
mod javascript;
mod narrower;
mod spawn;
mod tree;

use secure_bun_tests::{Ended, Folder};

/// Runs `main.ts` under bare Bun and under `policy.json`; both have to end and print the same.
#[track_caller]
fn the_same_inside(folder: &Folder) -> Ended {
    let outside = folder.bun(["run", "main.ts"]).end();
    let inside = folder.secure_bun(["run", "--policy", "policy.json", "main.ts"]).end();
    assert_eq!(inside.to_string(), outside.to_string(), "outside is on the right");
    inside
}

/// A project with `main.ts` under a policy that grants `programs`, a JSON list, and a temporary folder.
fn granting(programs: &str, source: &str) -> Folder {
    let policy = format!(r#"{{"extends": "script", "run": {programs}, "limits": {{"processes": 32}}}}"#);
    Folder::with("main.ts", source).package().file("policy.json", policy)
}
