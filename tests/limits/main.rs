//! Limits end the whole program in time, and say which one, at what value, and under which key.

mod memory;
mod output;
mod speed;
mod time;
mod usage;

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use secure_bun_tests::{Envelope, Folder, JSON, Machine};

/// The design allows 50 ms from the limit to the end. A shared test machine may keep a process waiting for longer
/// than that; what is asserted is that nobody waits for a program.
const NOISE: Duration = Duration::from_millis(250);

/// Who uses the processors. The launcher looks at memory every 2 ms, which it can only do when it gets one in time:
/// those tests run while no other test of this file burns CPU time.
static PROCESSORS: RwLock<()> = RwLock::new(());

fn shared() -> RwLockReadGuard<'static, ()> {
    PROCESSORS.read().unwrap_or_else(PoisonError::into_inner)
}

fn alone() -> RwLockWriteGuard<'static, ()> {
    PROCESSORS.write().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `source` as a function under limits, and checks how the limit named it.
#[track_caller]
fn ends_at(source: &str, limits: &str, key: &str, code: i32) -> Envelope {
    let folder =
        Folder::with("fn.ts", source).package().file("worker.ts", "for (;;);").file("p.json", r#"{"workers": 8}"#);
    let marker = folder.text("");
    let ended = folder.secure_bun(["run", JSON, "--policy", "p.json", "--limit", limits, "fn.ts"]).end();
    let envelope = Envelope::of(&ended);
    let name = key.rsplit_once('_').map_or(key, |(name, _)| name);
    let told = [
        envelope.text("/error/name"),
        envelope.text("/error/code"),
        envelope.text("/error/limit"),
        envelope.text("/error/key"),
    ];
    assert_eq!(told, ["LimitError", "ERR_LIMIT_EXCEEDED", name, &format!("limits.{key}")], "{ended}");
    assert!(envelope.number("/error/value") >= envelope.number("/error/allowed"), "{ended}");
    assert!(envelope.text("/error/message").contains(&format!("To allow more: limits.{key}: ")), "{ended}");
    assert_eq!(envelope.code, code, "{ended}");
    Machine::assert_no_process_stays(&marker);
    envelope
}
