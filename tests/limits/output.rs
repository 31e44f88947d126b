//! Output.

use std::time::Duration;

use secure_bun_tests::{Folder, JSON};

use super::{ends_at, shared};

const FLOOD: &str =
    "export default () => { const line = 'x'.repeat(1023) + '\\n'; for (;;) process.stdout.write(line); };";
const FLOOD_SCRIPT: &str = "const line = 'x'.repeat(1023) + '\\n'; for (;;) require('fs').writeSync(1, line);";

#[test]
fn a_flood_that_is_captured() {
    let _processors = shared();
    let source = FLOOD_SCRIPT.replace("for (;;)", "export default () => { for (;;)") + " };";
    let envelope = ends_at(&source, "output=64kb,wall=20s", "output_kb", 124);
    assert!(envelope.text("/stdout").len() <= 64 << 10);
    assert_eq!(envelope.at("/truncated"), true);
}

#[test]
fn a_flood_that_is_relayed_is_cut_at_the_limit() {
    let _processors = shared();
    let folder = Folder::with("main.ts", FLOOD_SCRIPT);
    let ended = folder.secure_bun(["run", "--limit", "output=64kb,wall=20s", "main.ts"]).end();
    assert_eq!((ended.code(), ended.output.len()), (124, 64 << 10));
    assert!(
        ended.stderr().starts_with("secure-bun: error: the output limit of 64 KB is exceeded ("),
        "{}",
        ended.stderr()
    );
    assert!(ended.took < Duration::from_secs(10), "{:?}", ended.took);
}

#[test]
fn both_outputs_count_together() {
    let source = "const fs = require('fs'); const text = 'x'.repeat(40 << 10); fs.writeSync(1, text); fs.writeSync(2, text); fs.writeSync(1, 'end');";
    let folder = Folder::with("main.ts", source);
    assert_eq!(folder.secure_bun(["run", "--limit", "output=64kb", "main.ts"]).end().code(), 124);
    assert_eq!(folder.secure_bun(["run", "--limit", "output=128kb", "main.ts"]).end().code(), 0);
}

#[test]
fn a_host_that_does_not_read_does_not_outwit_the_clock() {
    let _processors = shared();
    let folder = Folder::with("fn.ts", FLOOD);
    let (reader, writer) = std::io::pipe().unwrap();
    let command = folder.secure_bun(["run", "--limit", "output=900mb,wall=300ms", "fn.ts"]);
    let ended = command.stdout(std::os::fd::OwnedFd::from(writer)).start().end();
    drop(reader);
    assert_eq!(ended.code(), 124, "{ended}");
    assert!(ended.took < Duration::from_secs(3), "{:?}", ended.took);
}

#[test]
fn what_fits_is_told_whole() {
    let folder = Folder::with("main.ts", "process.stdout.write('x'.repeat(64 << 10))");
    let envelope = folder.secure_bun(["run", JSON, "--limit", "output=64kb", "main.ts"]).envelope();
    assert_eq!((envelope.text("/stdout").len(), envelope.at("/ok").as_bool()), (64 << 10, Some(true)));
}
