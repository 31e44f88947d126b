//! Signals to the launcher mean the program, and its end by a signal is the launcher's.

use nix::sys::signal::Signal;
use secure_bun_tests::Folder;

const LISTENER: &str = "
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'])
        process.on(signal, () => { console.log('heard ' + signal); process.exit(5); });
    setInterval(() => {}, 1000);
    console.log('ready');
";

#[test]
fn a_program_hears_what_is_sent_to_the_launcher() {
    let folder = Folder::with("main.ts", LISTENER);
    let signals = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGUSR2];
    for words in [&["run", "main.ts"][..], &["run", "--limit", "output=1mb", "main.ts"]] {
        for signal in signals {
            let running = folder.secure_bun(words).start();
            running.says("ready\n");
            running.signal(signal);
            let ended = running.end();
            assert_eq!((ended.code(), ended.stdout()), (5, format!("ready\nheard {signal}\n")), "{words:?}");
        }
    }
}

#[test]
fn sigusr1_reaches_the_program_as_well() {
    let source = LISTENER.replace("SIGUSR2", "SIGUSR1");
    let folder = Folder::with("main.ts", source);
    let running = folder.secure_bun(["run", "main.ts"]).start();
    running.says("ready\n");
    running.signal(Signal::SIGUSR1);
    assert_eq!(running.end().stdout(), "ready\nheard SIGUSR1\n");
}

#[test]
fn a_program_that_does_not_listen_is_ended_and_so_is_the_launcher_by_the_same_signal() {
    let folder = Folder::with("main.ts", "setInterval(() => {}, 1000); console.log('ready');");
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let outside = folder.bun(["run", "main.ts"]).start();
        outside.says("ready\n");
        outside.signal(signal);
        assert_eq!(outside.end().signal(), Some(signal));

        let inside = folder.secure_bun(["run", "main.ts"]).start();
        inside.says("ready\n");
        inside.signal(signal);
        assert_eq!(inside.end().signal(), Some(signal));
    }
}

#[test]
fn a_program_that_ends_itself_by_a_signal() {
    for signal in [Signal::SIGKILL, Signal::SIGTERM, Signal::SIGUSR2] {
        let folder =
            Folder::with("main.ts", format!("process.kill(process.pid, '{signal}'); await Bun.sleep(10_000);"));
        assert_eq!(folder.bun(["run", "main.ts"]).end().signal(), Some(signal));
        assert_eq!(folder.secure_bun(["run", "main.ts"]).end().signal(), Some(signal));
    }
}

#[test]
fn many_signals_at_once_do_no_harm() {
    let source = "let heard = false; process.on('SIGUSR2', () => { if (!heard) console.log('heard'); heard = true; });
        process.on('SIGTERM', () => process.exit(0)); setInterval(() => {}, 1000); console.log('ready');";
    let folder = Folder::with("main.ts", source);
    let running = folder.secure_bun(["run", "main.ts"]).start();
    running.says("ready\n");
    for _ in 0..200 {
        running.signal(Signal::SIGUSR2);
    }
    running.says("heard\n");
    running.signal(Signal::SIGTERM);
    assert_eq!(running.end().stdout(), "ready\nheard\n");
}
