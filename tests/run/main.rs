//! A program that keeps within its policy cannot tell the difference: what it does under bare Bun it does in the sandbox.

mod environment;
mod modules;
mod native;
mod signals;
mod streams;

use secure_bun_tests::{Ended, Folder};

/// Runs `main.ts` under bare Bun and in the sandbox; both have to end and print the same.
#[track_caller]
fn the_same_inside(folder: &Folder) -> Ended {
    let outside = folder.bun(["run", "main.ts"]).end();
    let inside = folder.secure_bun(["run", "main.ts"]).end();
    assert_eq!(inside.to_string(), outside.to_string(), "outside is on the right");
    inside
}
