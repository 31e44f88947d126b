//! The channel to the launcher and the envelope: what a program may not say in the launcher's name.

use secure_bun_tests::{Envelope, Folder, JSON, is_root};

/// Calls a function file; its envelope is one line, whatever it did.
#[track_caller]
fn called(source: &str) -> Envelope {
    Folder::with("fn.ts", source).secure_bun(["run", JSON, "--policy", "function", "fn.ts"]).envelope()
}

/// An honest function does what this one would do without its trick.
#[track_caller]
fn broken(trick: &str) {
    let source = |trick: &str| {
        format!("import fs from 'node:fs'; export default () => {{ {trick}; Bun.sleepSync(2000); return 'honest'; }};")
    };
    assert_eq!(called(&source("").replace("Bun.sleepSync(2000);", "")).result(), "honest");
    let envelope = called(&source(trick));
    assert_eq!(envelope.text("/error/code"), "ERR_CHANNEL_BROKEN", "{}", envelope.json);
    assert_eq!(envelope.at("/exit/signal"), "SIGKILL");
}

#[test]
fn a_frame_with_a_guessed_token() {
    broken("fs.writeSync(3, 'SB1 0123456789abcdef0123456789abcdef result 1\\n1\\n')");
}

#[test]
fn a_second_hello() {
    broken("fs.writeSync(3, 'SB1 0123456789abcdef0123456789abcdef hello 2\\n{}\\n')");
}

#[test]
fn half_a_frame_that_swallows_the_next() {
    broken("fs.writeSync(3, 'SB1 0123456789abcdef0123456789abcdef result 100\\n')");
}

#[test]
fn a_frame_longer_than_any() {
    broken("fs.writeSync(3, 'SB1 '.repeat(10000))");
}

#[test]
fn the_guards_loaded_once_more_with_another_table() {
    // Both files can be read; the second instance would say hello with a token of its own.
    broken(
        "for (const path of ['/run/secure-bun/policy.js', '/run/secure-bun/guards/preload.js']) {
             delete require.cache[path]; require(path);
         }",
    );
}

#[test]
fn a_token_that_is_read_back_from_the_channel() {
    // Standard output of a shell is the control: what is written to a pipe can be read by whoever may open it.
    let steal = "const channel = fs.openSync('/proc/self/fd/3', fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
        const bytes = Buffer.alloc(65536);
        for (let round = 0; round < 5000; round++) {
            console.log('x'.repeat(1000));
            let text = '';
            try { text = bytes.subarray(0, fs.readSync(channel, bytes)).toString(); } catch (e) { if (e.code !== 'EAGAIN') throw e; }
            const token = /SB1 ([0-9a-f]+) log/.exec(text)?.[1];
            if (token === undefined) continue;
            const forged = '[1,\\n{\"ok\":true,\"result\":\"forged\",\"sandbox\":{\"status\":\"full\"}}\\n]';
            fs.writeSync(3, `SB1 ${token} result ${forged.length}\\n${forged}\\n`);
            Bun.sleepSync(2000);
        }";
    let envelope = called(&format!("import fs from 'node:fs'; export default () => {{ {steal} return 'honest'; }};"));
    // The channel of a launcher that is root belongs to root. Elsewhere the token is no secret from the program, and
    // what it says with it is still one line of the launcher's.
    let code = envelope.text("/error/code");
    assert!(if is_root() { code == "EACCES" } else { code == "ERR_CHANNEL_BROKEN" }, "{}", envelope.json);
}

#[test]
fn a_channel_that_is_closed() {
    let envelope = called("import fs from 'node:fs'; export default () => { fs.closeSync(3); return 'unheard'; };");
    assert_eq!(envelope.at("/ok"), false, "{}", envelope.json);
}

#[test]
fn the_table_that_the_launcher_left() {
    let envelope = called(
        "export default () => [globalThis[Symbol.for('secure-bun.table')] ?? null, Object.getOwnPropertySymbols(globalThis).map(String).filter(name => name.includes('secure-bun'))];",
    );
    assert_eq!(envelope.result(), &serde_json::json!([null, []]));
}

#[test]
fn a_worker_that_speaks_after_the_result() {
    let folder = Folder::with("worker.ts", "import fs from 'node:fs'; for (;;) { try { fs.writeSync(1, '{\"ok\":true,\"result\":\"forged\"}\\n'); } catch {} Bun.sleepSync(1); }")
        .package()
        .file("fn.ts", "export default () => { new Worker(new URL('./worker.ts', import.meta.url).href); Bun.sleepSync(100); return 'honest'; };")
        .file("policy.json", r#"{"workers": 1}"#);
    let ended = folder.secure_bun(["run", "--policy", "policy.json", "fn.ts"]).end();
    assert_eq!((ended.code(), ended.stdout().as_str()), (0, "\"honest\"\n"), "{ended}");
    assert!(ended.stderr().contains("forged"), "the test shows nothing: {ended}");
    let envelope = folder.secure_bun(["run", JSON, "--policy", "policy.json", "fn.ts"]).envelope();
    assert_eq!(envelope.result(), "honest");
}

#[test]
fn half_a_character_is_no_broken_frame() {
    let envelope = called("export default () => { console.log('\\ud83d'); throw new Error('\\ude00'); };");
    assert_eq!(envelope.text("/logs/0/text"), "\u{fffd}");
    assert_eq!(envelope.text("/error/message"), "\u{fffd}");
}

#[test]
fn a_denial_that_never_happened_does_not_change_what_the_launcher_measured() {
    let envelope = called(
        "export default () => { for (let i = 0; i < 1000; i++) try { require('fs').readFileSync('/secret/' + i + '\\n\\u001b[2J'); } catch {} return 1; };",
    );
    assert_eq!(envelope.result(), 1);
    assert!(envelope.at("/denials").as_array().unwrap().len() <= 128);
    assert_eq!(envelope.at("/sandbox/status"), "full");
}
