//! Time on the clock and CPU time.

use std::time::Duration;

use secure_bun_tests::{Folder, JSON};

use super::{NOISE, ends_at, shared};

/// It is ended at its wall limit of 300 ms, and soon after.
#[track_caller]
fn ends_on_the_clock(source: &str) {
    let _processors = shared();
    let envelope = ends_at(source, "wall=300ms", "wall_ms", 124);
    let wall = Duration::from_secs_f64(envelope.number("/stats/wall_ms") / 1e3);
    assert!(wall >= Duration::from_millis(300), "{wall:?}");
    assert!(wall <= Duration::from_millis(300) + NOISE, "{wall:?}");
}

#[test]
fn a_loop() {
    ends_on_the_clock("export default () => { for (;;); };");
}

#[test]
fn a_loop_while_loading() {
    ends_on_the_clock("for (;;); export default () => 1;");
}

#[test]
fn a_sleep() {
    ends_on_the_clock("export default () => new Promise(() => setInterval(() => {}, 1000));");
}

#[test]
fn a_wait_that_blocks_the_thread() {
    ends_on_the_clock("export default () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);");
}

#[test]
fn a_slow_regular_expression() {
    ends_on_the_clock("export default () => /^(a+)+$/.test('a'.repeat(40) + 'b');");
}

#[test]
fn a_program_that_ignores_every_signal() {
    ends_on_the_clock(
        "for (const s of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT']) process.on(s, () => {});
         export default () => new Promise(() => setInterval(() => {}, 1000));",
    );
}

#[test]
fn microtasks_without_end() {
    ends_on_the_clock("export default () => { const again = () => Promise.resolve().then(again); return again(); };");
}

#[test]
fn an_exit_handler_that_hangs() {
    ends_on_the_clock("process.on('exit', () => { for (;;); }); export default () => process.exit(0);");
}

/// It is ended at its CPU limit of 300 ms. The clock may run longer where others want the processors too.
#[track_caller]
fn ends_by_work(source: &str) {
    let _processors = shared();
    let envelope = ends_at(source, "cpu=300ms,wall=20s", "cpu_ms", 124);
    let cpu = Duration::from_secs_f64(envelope.number("/stats/cpu_ms") / 1e3);
    assert!(cpu >= Duration::from_millis(300), "{cpu:?}");
    // Several threads can burn several times the noise.
    assert!(cpu <= Duration::from_millis(300) + 2 * NOISE, "{cpu:?}");
}

#[test]
fn work_of_the_main_thread() {
    ends_by_work("export default () => { for (;;); };");
}

#[test]
fn work_of_workers() {
    ends_by_work(
        "export default () => new Promise(() => {
            for (let n = 0; n < 4; n++) new Worker(new URL('./worker.ts', import.meta.url).href);
        });",
    );
}

#[test]
fn work_of_the_engines_own_threads() {
    ends_by_work(
        "export default () => new Promise(() => {
            const work = () => Bun.password.hash('x', { algorithm: 'argon2id', timeCost: 3, memoryCost: 1024 }).then(work);
            for (let n = 0; n < 4; n++) work();
        });",
    );
}

#[test]
fn waiting_is_no_work() {
    let folder = Folder::with("fn.ts", "export default () => Bun.sleep(600).then(() => 'done');");
    let words = ["run", JSON, "--limit", "cpu=400ms,wall=20s", "fn.ts"];
    assert_eq!(folder.secure_bun(words).envelope().result(), "done");
}

#[test]
fn people_are_told_as_well() {
    let _processors = shared();
    let folder = Folder::with("fn.ts", "export default () => { for (;;); };");
    let ended = folder.secure_bun(["run", "--limit", "wall=200ms", "fn.ts"]).end();
    assert_eq!((ended.code(), ended.stdout()), (124, String::new()));
    assert!(ended.stderr().starts_with("secure-bun: error: the wall limit of 200 ms is exceeded ("), "{ended}");
    assert!(ended.stderr().contains(" ms). To allow more: limits.wall_ms: 400\n"), "{ended}");
    assert!(ended.stderr().ends_with("/docs/errors/ERR_LIMIT_EXCEEDED.md\n"), "{ended}");
}
