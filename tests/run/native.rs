//! Native code: libraries that a policy names, and those beside the program's modules.

use std::path::{Path, PathBuf};

use secure_bun_tests::{Envelope, Folder, JSON};

const COSINE: &str = "import { dlopen } from 'bun:ffi';
export default (path: string) => dlopen(path, { cos: { args: ['f64'], returns: 'f64' } }).symbols.cos(0);
";

/// The mathematical library of this system, which needs nothing but the C library.
fn mathematics() -> PathBuf {
    let folders = ["/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"];
    let found = folders.iter().map(|folder| Path::new(folder).join("libm.so.6")).find(|path| path.is_file());
    found.expect("a C library with libm.so.6, which Bun needs itself")
}

/// A project with a library of its own, and another library beside it.
fn project() -> Folder {
    let library = std::fs::read(mathematics()).unwrap();
    Folder::new()
        .file("app/package.json", "{}")
        .file("app/fn.ts", COSINE)
        .file("app/native/own.so", &library)
        .file("app/native/old.so", &library)
        .file("other/other.so", &library)
}

/// The cosine of 0 by way of the library, under a policy.
fn cosine(folder: &Folder, policy: &str, library: &str) -> Envelope {
    std::fs::write(folder.path("policy.json"), policy).unwrap();
    let path = serde_json::Value::from(folder.text(library)).to_string();
    folder.secure_bun(["run", JSON, "--policy", "policy.json", "--input", &path, "app/fn.ts"]).envelope()
}

#[test]
fn a_named_library_is_loaded_and_no_other() {
    let folder = project();
    let policy = r#"{"ffi": ["./other/other.so"]}"#;
    assert_eq!(cosine(&folder, policy, "other/other.so").result(), 1);
    let refused = cosine(&folder, policy, "app/native/own.so");
    assert_eq!(refused.text("/error/permission"), "ffi", "{}", refused.json);
    assert_eq!(refused.text("/error/fix"), r#"allow.ffi: ["[FOLDER]/app/native/own.so"]"#);
}

#[test]
fn libraries_of_a_named_folder_but_a_denied_one() {
    let folder = project();
    let policy = r#"{"ffi": {"allow": ["./app/native"], "deny": ["./app/native/old.so"]}}"#;
    assert_eq!(cosine(&folder, policy, "app/native/own.so").result(), 1);
    assert_eq!(cosine(&folder, policy, "app/native/old.so").text("/error/permission"), "ffi");
}

/// The guards ask the policy; that the kernel refuses as well is seen by a library that loads another.
#[test]
fn true_means_what_modules_are_loaded_from() {
    let folder = project();
    assert_eq!(cosine(&folder, r#"{"ffi": true}"#, "app/native/own.so").result(), 1);
    let outside = cosine(&folder, r#"{"ffi": true, "read": ["./other"]}"#, "other/other.so");
    assert!(outside.text("/error/message").contains("failed to map segment"), "{}", outside.json);
}

#[test]
fn something_denied_in_what_may_be_read_beside_it_is_no_obstacle() {
    let folder = project().file("app/data/private/a.txt", "a").file("app/data/b.txt", "b");
    let policy = r#"{"ffi": true, "read": ["./app/data"], "deny": {"read": ["./app/data/private"]}}"#;
    assert_eq!(cosine(&folder, policy, "app/native/own.so").result(), 1);
}

/// `/lib` is a symbolic link on most hosts, and becomes one inside where the host's folders are shown too.
#[test]
fn libraries_beside_other_programs_or_the_whole_system() {
    let folder = project();
    for also in [r#""run": ["sh"]"#, r#""run": true"#, r#""read": true"#] {
        let policy = format!(r#"{{"ffi": true, {also}}}"#);
        assert_eq!(cosine(&folder, &policy, "app/native/own.so").result(), 1, "{also}");
    }
}

#[test]
fn what_can_be_written_to_is_not_executable() {
    let folder = project();
    let written = cosine(&folder, r#"{"ffi": true, "write": ["./app"]}"#, "app/native/own.so");
    assert!(written.text("/error/message").contains("failed to map segment"), "{}", written.json);
    // A library that is named is bound by itself, and cannot be changed.
    let policy = r#"{"ffi": ["./app/native/own.so"], "write": ["./app"]}"#;
    assert_eq!(cosine(&folder, policy, "app/native/own.so").result(), 1);
    let folder = folder.file(
        "app/fn.ts",
        "import fs from 'node:fs';\nexport default (path: string) => fs.writeFileSync(path, 'mine');\n",
    );
    let changed = cosine(&folder, policy, "app/native/own.so");
    assert_eq!(changed.at("/ok"), false, "{}", changed.json);
    assert_eq!(cosine(&folder, policy, "app/native/new.so").at("/ok"), true, "its neighbours can be");
}
