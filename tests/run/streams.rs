//! Standard input, standard output, standard error, exit codes.

use std::io::Read;
use std::os::fd::OwnedFd;

use secure_bun_tests::{Command, Folder, JSON};

use super::the_same_inside;

const MEGABYTE: usize = 1 << 20;

#[test]
fn standard_input_reaches_a_script() {
    let folder = Folder::with("main.ts", "console.log((await Bun.stdin.text()).toUpperCase())");
    let text = "line\n".repeat(100_000);
    let inside = folder.secure_bun(["run", "main.ts"]).input(text.as_str()).prints();
    assert_eq!(inside, folder.bun(["run", "main.ts"]).input(text.as_str()).prints());
    assert_eq!(inside.len(), text.len() + 1);
}

#[test]
fn standard_input_is_live() {
    let echo = "for await (const line of console) { console.log('got ' + line); if (line === 'end') break; }";
    let folder = Folder::with("main.ts", echo);
    let mut running = folder.secure_bun(["run", "main.ts"]).open_input().start();
    running.tell("one");
    running.says("got one\n");
    running.tell("end");
    assert_eq!(running.end().stdout(), "got one\ngot end\n");
}

#[test]
fn a_function_may_read_standard_input_itself() {
    let folder = Folder::with("fn.ts", "export default async () => (await Bun.stdin.text()).length;");
    assert_eq!(folder.secure_bun(["run", "fn.ts"]).input("12345").prints(), "5\n");
}

#[test]
fn both_outputs_and_the_exit_code_come_through() {
    for code in [0, 1, 3, 42, 255] {
        let source = format!("console.log('out'); console.error('err'); process.exitCode = {code};");
        let ended = the_same_inside(&Folder::with("main.ts", source));
        assert_eq!(ended.code(), code);
    }
}

#[test]
fn an_error_that_nobody_catches() {
    let ended = the_same_inside(&Folder::with("main.ts", "console.log('before');\nthrow new TypeError('what');\n"));
    assert_eq!((ended.code(), ended.stdout()), (1, "before\n".to_owned()));
    assert!(ended.stderr().contains("TypeError: what"), "{ended}");
}

#[test]
fn a_rejection_that_nobody_handles() {
    let ended = the_same_inside(&Folder::with("main.ts", "Promise.reject(new Error('late'));\n"));
    assert_eq!(ended.code(), 1);
}

#[test]
fn ten_megabytes_arrive_whole() {
    let source = "const line = 'x'.repeat(1023) + '\\n'; for (let n = 0; n < 10240; n++) process.stdout.write(line);";
    let folder = Folder::with("main.ts", source);
    for words in [&["run", "main.ts"][..], &["run", "--limit", "output=20mb", "main.ts"]] {
        let ended = folder.secure_bun(words).end();
        assert_eq!((ended.code(), ended.output.len()), (0, 10 * MEGABYTE), "{words:?}");
        assert!(ended.output.chunks(1024).all(|line| line[..1023].iter().all(|byte| *byte == b'x')), "{words:?}");
    }
    let envelope = folder.secure_bun(["run", JSON, "main.ts"]).envelope();
    assert_eq!(envelope.text("/stdout").len(), 10 * MEGABYTE);
    assert_eq!(envelope.at("/truncated"), false);
}

#[test]
fn a_reader_that_takes_its_time_gets_everything() {
    let source = "await Bun.write(Bun.stdout, 'x'.repeat(2 << 20)); console.error('written');";
    let folder = Folder::with("main.ts", source);
    let (mut reader, writer) = std::io::pipe().unwrap();
    let command = folder.secure_bun(["run", "--limit", "output=4mb", "main.ts"]);
    let running = command.stdout(OwnedFd::from(writer)).start();
    // The pipe and the launcher hold less than half a megabyte: the program has to wait for us.
    let mut text = vec![0; 64 * 1024];
    let mut total = 0;
    loop {
        let n = reader.read(&mut text).unwrap();
        if n == 0 {
            break;
        }
        total += n;
        std::thread::yield_now();
    }
    assert_eq!(total, 2 * MEGABYTE);
    let ended = running.end();
    assert_eq!((ended.code(), ended.stderr()), (0, "written\n".to_owned()));
}

#[test]
fn a_program_learns_that_its_reader_has_gone() {
    let source = "const text = 'x'.repeat(65536);
        for (;;) try { require('fs').writeSync(1, text); } catch (error) { console.error(error.code); process.exit(9); }";
    let folder = Folder::with("main.ts", source);
    let without_reader = |command: Command| {
        let (reader, writer) = std::io::pipe().unwrap();
        let running = command.stdout(OwnedFd::from(writer)).start();
        drop(reader);
        running.end()
    };
    let outside = without_reader(folder.bun(["run", "main.ts"]));
    assert_eq!((outside.code(), outside.stderr()), (9, "EPIPE\n".to_owned()));
    // Straight to the reader, and through the launcher, which counts.
    for words in [&["run", "main.ts"][..], &["run", "--limit", "output=1000mb", "main.ts"]] {
        let inside = without_reader(folder.secure_bun(words));
        assert_eq!((inside.code(), inside.stderr()), (9, "EPIPE\n".to_owned()), "{words:?}");
    }
}

#[test]
fn the_console_of_a_call_is_on_standard_error_and_the_result_alone_on_standard_output() {
    let source = "console.log('while loading');
        export default () => {
            console.log('log'); console.info('info'); console.debug('debug'); console.warn('warn'); console.error('error');
            console.table([{ a: 1 }]);
            process.stdout.write('written\\n');
            return { ok: 'yes' };
        };";
    let ended = Folder::with("fn.ts", source).secure_bun(["run", "fn.ts"]).end();
    assert_eq!((ended.code(), ended.stdout()), (0, "while loading\n{\"ok\":\"yes\"}\n".to_owned()), "{ended}");
    for word in ["log", "info", "debug", "warn", "error", "written", "│ a │"] {
        assert!(ended.stderr().contains(word), "{word}: {ended}");
    }
}
