//! Real servers of the machine and the clients that programs have for them: under a policy that names the server, they
//! work as they do without one. `scripts/services` installs both.

mod databases;
mod servers;
mod web;

use std::path::Path;

use secure_bun_tests::{Folder, services};

/// Runs `main.mjs` with the packages of `scripts/services`, outside and inside, where only these ports are granted.
#[track_caller]
fn the_same_inside(folder: Folder, program: &str, ports: &[u16], words: &[&str]) -> String {
    let folder = folder.file("main.mjs", program).package();
    std::os::unix::fs::symlink(services().join("node_modules"), folder.path("node_modules")).expect("a link");
    let grants: Vec<String> = ports.iter().map(|port| format!("localhost:{port}")).collect();
    let grant = format!("--allow-net={}", grants.join(","));
    let read = format!("--allow-read=.,{}", services().display());
    let outside = folder.bun(["run", "main.mjs"]).words(words).prints();
    let inside = folder.secure_bun(["run", &grant, &read, "main.mjs"]).words(words).prints();
    assert_eq!(inside, outside, "outside is on the right");
    let refused = folder.secure_bun(["run", "--allow-net=localhost:1", &read, "main.mjs"]).words(words).end();
    assert_ne!(refused.code(), 0, "without the grant: {refused}");
    inside
}

/// The first of these programs that is there.
fn program(names: &[&str]) -> std::path::PathBuf {
    let found = names.iter().find(|name| Path::new(name).exists());
    found.unwrap_or_else(|| panic!("these tests need {}: scripts/services installs it", names[0])).into()
}
