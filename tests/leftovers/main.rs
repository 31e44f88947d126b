//! Nothing is left behind, however a run ends: no process, no mount, no folder, no control group.

use std::path::PathBuf;

use nix::sys::signal::Signal;
use secure_bun_tests::{Command, Folder, JSON, Machine, Running};

/// What the launcher may put aside for good, by the beginnings of their names.
const KEPT: [&str; 2] = ["bun-", "guards-"];

/// A run in surroundings of its own, so that everything in them is its doing.
struct Run {
    folder: Folder,
    before: Machine,
}

impl Run {
    fn of(source: &str) -> Self {
        let folder = Folder::with("main.ts", source).package().folder("temporary").folder("cache").folder("out");
        Self { folder, before: Machine::now() }
    }

    fn command(&self, words: &[&str]) -> Command {
        let words = ["run"].iter().chain(words).chain(&["--limit", "memory=256mb", "--allow-write=out"]);
        let program = self.folder.text("main.ts");
        let command = self.folder.secure_bun(words).word(program);
        command.env("TMPDIR", self.folder.path("temporary")).env("XDG_CACHE_HOME", self.folder.path("cache"))
    }

    fn ready(&self, words: &[&str]) -> Running {
        let running = self.command(words).start();
        running.says("ready\n");
        running
    }

    /// Nothing is there that was not there before.
    #[track_caller]
    fn left_nothing(&self) {
        Machine::assert_no_process_stays(&self.folder.text("main.ts"));
        self.before.assert_no_new_mount();
        Machine::assert_no_control_group_stays();
        for folder in ["temporary", "out"] {
            let left = Machine::entries(&self.folder.path(folder));
            assert!(left.is_empty(), "{left:?}");
        }
        for entry in Machine::entries(&self.folder.path("cache/secure-bun")) {
            let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
            assert!(KEPT.iter().any(|kept| name.starts_with(kept)), "{}", entry.display());
        }
    }
}

const WAITS: &str = "setInterval(() => {}, 1000); console.log('ready');";

#[test]
fn after_success() {
    let run = Run::of("export default () => 1;");
    assert_eq!(run.command(&[]).prints(), "1\n");
    run.left_nothing();
    assert_eq!(run.command(&[JSON]).end().code(), 0);
    run.left_nothing();
}

#[test]
fn after_a_failure() {
    let run = Run::of("export default () => { throw new Error('no'); };");
    assert_eq!(run.command(&[]).end().code(), 1);
    run.left_nothing();
}

#[test]
fn after_a_usage_error() {
    let run = Run::of("");
    assert_eq!(run.command(&["--input", "x"]).end().code(), 2);
    run.left_nothing();
}

#[test]
fn after_each_limit() {
    let run = Run::of("export default () => { for (;;); };");
    assert_eq!(run.command(&["--limit", "wall=200ms"]).end().code(), 124);
    run.left_nothing();
    assert_eq!(run.command(&["--limit", "cpu=200ms"]).end().code(), 124);
    run.left_nothing();
    let run = Run::of("const held = []; for (let n = 0; n < 64; n++) held.push(new Uint8Array(16 << 20).fill(1));");
    assert_eq!(run.command(&[]).end().code(), 137);
    run.left_nothing();
}

#[test]
fn after_signals_to_the_launcher() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let run = Run::of(WAITS);
        let running = run.ready(&[]);
        running.signal(signal);
        assert_eq!(running.end().signal(), Some(signal));
        run.left_nothing();
    }
}

#[test]
fn after_the_launcher_was_killed() {
    let run = Run::of(WAITS);
    let running = run.ready(&[]);
    assert_eq!(Machine::processes(&run.folder.text("main.ts")).len(), 2, "the launcher and the program");
    running.signal(Signal::SIGKILL);
    assert_eq!(running.end().signal(), Some(Signal::SIGKILL));
    Machine::assert_no_process_stays(&run.folder.text("main.ts"));
    // What the kernel does not clear away by itself, the next start does.
    let after = Run::of("");
    assert_eq!(after.command(&[]).env("XDG_CACHE_HOME", run.folder.path("cache")).end().code(), 0);
    run.left_nothing();
}

#[test]
fn a_program_that_busily_forks_threads_dies_with_the_launcher() {
    let run = Run::of(
        "for (let n = 0; n < 4; n++) Bun.password.hash('x', { algorithm: 'argon2id', timeCost: 50 }); console.log('ready'); for (;;);",
    );
    let running = run.ready(&[]);
    running.signal(Signal::SIGKILL);
    running.end();
    Machine::assert_no_process_stays(&run.folder.text("main.ts"));
}

#[test]
fn after_a_start_that_failed() {
    let run = Run::of("console.log('it ran')");
    let without = PathBuf::from(env!("CARGO_BIN_EXE_without"));
    let command = run.command(&[]);
    assert_eq!(command.end().stdout(), "it ran\n");
    let ended = run.command(&[]).started_by(&without, &["pivot-root"]).end();
    assert_eq!((ended.code(), ended.stdout()), (125, String::new()), "{ended}");
    run.left_nothing();
}
