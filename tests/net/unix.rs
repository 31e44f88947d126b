//! Unix sockets of the host, by their paths.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::thread;

use secure_bun_tests::{Folder, JSON};

const CLIENT: &str = r#"
import net from "node:net";
const socket = net.connect(process.argv[2], () => socket.end("hello"));
let text = "";
socket.on("data", (part) => (text += part)).on("close", () => console.log(text || "nothing"));
socket.on("error", (error) => console.log(error.code));
"#;

/// Says back what it is told, at a socket in a folder of its own.
fn echo(folder: &Folder) -> PathBuf {
    let path = folder.path("sockets/echo.sock");
    let listener = UnixListener::bind(&path).expect("a socket");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut text = String::new();
            let _ = stream.read_to_string(&mut text);
            let _ = stream.write_all(text.as_bytes());
        }
    });
    path
}

fn folder() -> Folder {
    Folder::with("main.mjs", CLIENT).folder("sockets")
}

fn grant(path: &Path) -> String {
    format!("--allow-net=unix:{}", path.display())
}

#[test]
fn one_that_is_granted_is_connected() {
    let folder = folder();
    let path = echo(&folder);
    let words = ["main.mjs", path.to_str().unwrap()];
    assert_eq!(folder.bun(words).prints(), "hello\n");
    assert_eq!(folder.secure_bun(["run", &grant(&path)]).words(words).prints(), "hello\n");
}

#[test]
fn another_one_is_not_and_any_host_means_none() {
    let folder = folder();
    let path = echo(&folder);
    let words = ["main.mjs", path.to_str().unwrap()];
    for grant in [grant(&folder.path("sockets/other.sock")), "--allow-net".to_owned()] {
        let envelope = folder.secure_bun(["run", JSON, &grant]).words(words).envelope();
        assert!(!envelope.text("/stdout").contains("hello"), "{envelope:?}");
        assert_eq!(envelope.at("/denials/0/resource"), "unix:[FOLDER]/sockets/echo.sock");
    }
}

/// Where the program may write, it can put a link to another socket in the place of its own.
#[test]
fn a_link_in_its_place_leads_nowhere() {
    let program = CLIENT.replace(
        "const socket",
        "import { symlinkSync, unlinkSync } from 'node:fs';\nconst [target, link] = process.argv.slice(3);\n\
         unlinkSync(link); symlinkSync(target, link);\nconst socket",
    );
    let folder = folder().file("link.mjs", program).folder("own").file("own/link.sock", "");
    let (path, link) = (echo(&folder), folder.path("own/link.sock"));
    let (path_text, link_text) = (path.to_str().unwrap(), link.to_str().unwrap());
    let words = ["link.mjs", link_text, path_text, link_text];
    assert_eq!(folder.bun(words).prints(), "hello\n");
    let write = format!("--allow-write={}", folder.text("own"));
    let ended = folder.secure_bun(["run", &write, &grant(&link)]).words(words).end();
    assert_eq!(ended.stdout(), "ECONNREFUSED\nnothing\n", "{ended}");
}
