//! Native code that does with its sockets what it likes while the launcher acts on them.

use std::process::Command;

use secure_bun_tests::Folder;

/// The folder with a program of `native/`, compiled.
fn compiled(source: &str) -> Folder {
    let folder = Folder::with("attack.c", source);
    let output = Command::new("cc")
        .args(["-O1", "-pthread", "-o", "attack", "attack.c"])
        .current_dir(folder.path(""))
        .output()
        .unwrap_or_else(|error| panic!("these tests need a C compiler: cc: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    folder
}

/// `O_NONBLOCK` belongs to the socket: another thread takes it off between the launcher's look and its call.
#[test]
fn a_connection_that_waits_keeps_no_other_waiting() {
    let folder = compiled(include_str!("native/blocking.c"));
    let program = folder.text("attack");
    assert_eq!(folder.program(program.as_ref()).prints(), "others are answered\n");
    let flags = ["spawn", "--allow-net=localhost:1", "--allow-run=./attack", "--allow-read=.", "--limit", "threads=64"];
    assert_eq!(folder.secure_bun(flags).words(["--", "./attack"]).prints(), "others are answered\n");
}
