//! A generous limit costs no speed: some ways to limit memory turn the JIT off, which makes loops many times slower.

use secure_bun_tests::{Folder, JSON};

use super::alone;

const LOOP: &str = "export default () => { let x = 1; for (let n = 0; n < 60_000_000; n++) x = (x * 1103515245 + 12345) | 0; return x; };";

#[test]
fn loops_are_compiled_under_a_generous_limit() {
    let _processors = alone();
    let folder = Folder::with("fn.ts", LOOP);
    // CPU time, not time on the clock, and the best of three: neighbours on the machine do not count.
    let cpu_ms = |words: &[&str]| {
        let runs = (0..3).map(|_| {
            let envelope = folder.secure_bun(words).envelope();
            envelope.result();
            envelope.number("/stats/cpu_ms")
        });
        runs.fold(f64::INFINITY, f64::min)
    };
    let free = cpu_ms(&["run", JSON, "fn.ts"]);
    let limited = cpu_ms(&["run", JSON, "--limit", "memory=1024mb,cpu=60s,wall=60s,threads=64", "fn.ts"]);
    assert!(limited <= 1.3 * free, "{limited} ms with limits, {free} ms without");
}
