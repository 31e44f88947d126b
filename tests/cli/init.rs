//! `secure-bun policy init`: a policy proposed from what a program's text names.

use std::os::unix::fs::symlink;

use secure_bun_tests::{Folder, str};

const FUNCTION: &str = r#"import { readFile, writeFile } from "node:fs/promises";
import express from "express";
import os from "node:os";
import { table } from "./lib/table.js";

const DATA = "./data/a.txt";
export default async function (name: string) {
  await readFile(DATA);
  await Bun.file(name).text();
  await writeFile("./out/result.txt", process.env.NODE_ENV ?? "");
  await Bun.write("/tmp/scratch", "");
  os.hostname();
  new Worker("./lib/worker.ts");
  new Function("return 1");
  await secrets.get("SALT");
  return table;
}
"#;

fn function() -> Folder {
    Folder::with("src/main.ts", FUNCTION)
        .package()
        .file("src/lib/table.ts", "export const table = Bun.file(import.meta.dir + '/table.json');\n")
        .file("src/lib/worker.ts", "Bun.file(`/etc/hosts`);\nprocess.env[Bun.argv[2]];\n")
        .file("data/a.txt", "")
}

#[test]
fn a_function_and_what_it_imports() {
    function().secure_bun(["policy", "init", "src/main.ts"]).shows(str![[r#"
exit code 0
--- stdout
// Proposed by `secure-bun policy init`: what the text of src/main.ts and of 2 files that it imports names.
// Read it before you use it. What a program hides, or computes, is not seen in its text.
// Packages were not read: express (src/main.ts:2).
{
  "$schema": "./policy.schema.json",
  "version": 1,
  // What preset function allows is not repeated.
  "extends": "function",
  "allow": {
    // read: computed at src/main.ts:9; name here what it needs.
    "read": [
      "./data/a.txt", // src/main.ts:8
      "./src/lib/table.json", // src/lib/table.ts:1
      "/etc/hosts", // src/lib/worker.ts:1
    ],
    "write": [
      "${TMP}", // src/main.ts:11
      "./out/result.txt", // src/main.ts:10 (not there: create it, or grant its folder instead)
    ],
    // env: computed at src/lib/worker.ts:2; name here what it needs.
    "env": [
      "NODE_ENV", // src/main.ts:10
    ],
    "sys": [
      "hostname", // src/main.ts:12
    ],
    "workers": 1, // src/main.ts:13
    "eval": true, // src/main.ts:14
    "secrets": [
      "SALT", // src/main.ts:15
    ],
  }
}

"#]]);
}

#[test]
fn what_the_preset_allows_is_not_repeated() {
    let folder = Folder::with("main.ts", "Bun.file('./data/a.txt'); Bun.file('./.env'); new Worker('./w.ts')\n");
    let folder = folder.package().file("w.ts", "");
    folder.secure_bun(["policy", "init", "main.ts"]).shows(str![[r#"
exit code 0
--- stdout
// Proposed by `secure-bun policy init`: what the text of main.ts and of one file that it imports names.
// Read it before you use it. What a program hides, or computes, is not seen in its text.
{
  "$schema": "./policy.schema.json",
  "version": 1,
  // What preset script allows is not repeated.
  "extends": "script",
  "allow": {
    "read": [
      "./.env", // main.ts:1
    ],
  }
}

"#]]);
    folder.secure_bun(["policy", "init", "--extends", "function", "main.ts"]).shows(str![[r#"
exit code 0
--- stdout
// Proposed by `secure-bun policy init`: what the text of main.ts and of one file that it imports names.
// Read it before you use it. What a program hides, or computes, is not seen in its text.
{
  "$schema": "./policy.schema.json",
  "version": 1,
  // What preset function allows is not repeated.
  "extends": "function",
  "allow": {
    "read": [
      "./.env", // main.ts:1
      "./data/a.txt", // main.ts:1
    ],
    "workers": 1, // main.ts:1
  }
}

"#]]);
}

#[test]
fn a_program_that_needs_nothing() {
    Folder::with("main.ts", "console.log(1)").secure_bun(["policy", "init", "main.ts"]).shows(str![[r#"
exit code 0
--- stdout
// Proposed by `secure-bun policy init`: what the text of main.ts names.
// Read it before you use it. What a program hides, or computes, is not seen in its text.
{
  "$schema": "./policy.schema.json",
  "version": 1,
  // What preset script allows is not repeated.
  "extends": "script",
}

"#]]);
}

#[test]
fn paths_start_from_the_working_directory_and_are_written_from_the_policy() {
    let program = "Bun.file('a.txt'); Bun.file('../b.txt'); Bun.file('/usr/share'); Bun.write('/tmp/x/y', '')\n";
    let folder = Folder::with("main.ts", program).package().folder("below");
    let init = folder.secure_bun(["policy", "init", "--extends", "function", "../main.ts"]);
    init.from(&folder.path("below")).shows(str![[r#"
exit code 0
--- stdout
// Proposed by `secure-bun policy init`: what the text of main.ts names.
// Read it before you use it. What a program hides, or computes, is not seen in its text.
{
  "$schema": "./policy.schema.json",
  "version": 1,
  // What preset function allows is not repeated.
  "extends": "function",
  "allow": {
    "read": [
      "./b.txt", // main.ts:1
      "./below/a.txt", // main.ts:1
      "/usr/share", // main.ts:1
    ],
    "write": [
      "${TMP}", // main.ts:1
    ],
  }
}

"#]]);
}

#[test]
fn without_a_project_what_is_imported_has_to_be_granted() {
    let folder = Folder::with("main.ts", "import './a.ts'; import './b.json'").file("a.ts", "").file("b.json", "{}");
    folder.secure_bun(["policy", "init", "main.ts"]).shows(str![[r#"
exit code 0
--- stdout
// Proposed by `secure-bun policy init`: what the text of main.ts and of one file that it imports names.
// Read it before you use it. What a program hides, or computes, is not seen in its text.
{
  "$schema": "./policy.schema.json",
  "version": 1,
  // What preset script allows is not repeated.
  "extends": "script",
  "allow": {
    "import": [
      "${PROJECT}", // the default
      "./a.ts", // main.ts:1
      "./b.json", // main.ts:1
    ],
  }
}

"#]]);
}

#[test]
fn what_is_proposed_is_what_it_takes() {
    let program = r#"
import { readFile, writeFile } from "node:fs/promises";
const text = await readFile("./data/a.txt", "utf8");
await writeFile("./out.txt", text + process.env.GREETING);
console.log("done");
"#;
    let folder = Folder::with("main.ts", program).package().file("data/a.txt", "text").file("out.txt", "");
    let run = |folder: &Folder| folder.secure_bun(["run", "main.ts"]).env("GREETING", "!");
    assert_eq!(run(&folder).end().code(), 1);
    folder.secure_bun(["policy", "init", "--write", "main.ts"]).shows(str![[r#"
exit code 0
--- stdout
wrote [FOLDER]/secure-bun.jsonc: read it, then `secure-bun policy trust` it, or name it with --policy

"#]]);
    assert_eq!(run(&folder).end().code(), 1, "nobody has approved it");
    folder.secure_bun(["policy", "trust", "secure-bun.jsonc"]).prints();
    assert_eq!(run(&folder).prints(), "done\n");
    assert_eq!(folder.read("out.txt"), "text!");
}

#[test]
fn it_is_written_over_nothing() {
    let folder = Folder::with("main.ts", "").file("secure-bun.json", "{ }");
    folder.secure_bun(["policy", "init", "--write", "main.ts"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: cannot write [FOLDER]/secure-bun.jsonc: there is secure-bun.json
secure-bun: help: compare it with what `secure-bun policy init` prints without --write

"#]]);
    assert!(!folder.path("policy.schema.json").exists());
    std::fs::remove_file(folder.path("secure-bun.json")).unwrap();
    let folder = folder.file("policy.schema.json", "{}");
    folder.secure_bun(["policy", "init", "--write", "main.ts"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: cannot write [FOLDER]/policy.schema.json: there is something else
secure-bun: help: move it away

"#]]);
    assert_eq!(folder.read("policy.schema.json"), "{}");
    assert!(!folder.path("secure-bun.jsonc").exists());
}

#[test]
fn the_schema_is_written_over_that_of_another_version_alone() {
    let folder = Folder::with("policy.schema.json", r#"{ "title": "secure-bun policy" }"#);
    folder.secure_bun(["policy", "schema", "--write"]).shows(str![[r#"
exit code 0
--- stdout
wrote policy.schema.json: a policy beside it names it by "$schema": "./policy.schema.json"

"#]]);
    assert_eq!(folder.read("policy.schema.json"), folder.secure_bun(["policy", "schema"]).prints());
    std::fs::remove_file(folder.path("policy.schema.json")).unwrap();
    let folder = folder.file("notes.txt", "mine");
    symlink("notes.txt", folder.path("policy.schema.json")).unwrap();
    folder.secure_bun(["policy", "schema", "--write"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: cannot write [FOLDER]/policy.schema.json: there is something else
secure-bun: help: move it away

"#]]);
    assert_eq!(folder.read("notes.txt"), "mine");
}

#[test]
fn what_is_no_program() {
    let folder = Folder::with("main.ts", "const a = 1;\nconst = 2;\n").folder("src");
    folder.secure_bun(["policy", "init", "main.ts"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: cannot read the program main.ts: line 2: Unexpected token

"#]]);
    folder.secure_bun(["policy", "init", "missing.ts"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: cannot find the program missing.ts: No such file or directory (os error 2)

"#]]);
    folder.secure_bun(["policy", "init", "src"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: src is a directory, not a program
secure-bun: help: name a file, such as index.ts in it

"#]]);
    folder.secure_bun(["policy", "init", "--extends", "functoin", "main.ts"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: there is no preset "functoin"
secure-bun: help: the presets are function, fetch, script, bun-install, bun-test, bun-x, bun-build, dev, trusted

"#]]);
    folder.secure_bun(["policy", "init"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: missing: <PROGRAM>

"#]]);
}

#[test]
fn imports_that_go_round_or_cannot_be_read() {
    let main = "import './a.ts'; import './broken.ts'; import './gone.ts'; import 'left-pad';\n\
                import './long.ts'; import './binary.ts'";
    let folder = Folder::with("main.ts", main)
        .package()
        .file("a.ts", "import './main.ts'; import '@scope/name/file'; import fs from 'fs'; fs.readFileSync('/a')")
        .file("broken.ts", "const = 1")
        .file("long.ts", "x".repeat((1 << 20) + 1))
        .file("binary.ts", b"\xff\xfe")
        .file("node_modules/left-pad/index.js", "fetch('https://x.test')");
    folder.secure_bun(["policy", "init", "main.ts"]).shows(str![[r#"
exit code 0
--- stdout
// Proposed by `secure-bun policy init`: what the text of main.ts and of one file that it imports names.
// Read it before you use it. What a program hides, or computes, is not seen in its text.
// Packages were not read: @scope/name (a.ts:1), left-pad (main.ts:1).
// Not read: main.ts:1: there is no file "./gone.ts".
// Not read: broken.ts: line 1: Unexpected token.
// Not read: long.ts: it is longer than 1024 KiB.
// Not read: binary.ts: stream did not contain valid UTF-8.
{
  "$schema": "./policy.schema.json",
  "version": 1,
  // What preset script allows is not repeated.
  "extends": "script",
  "allow": {
    "read": [
      "/a", // a.ts:1
    ],
  }
}

"#]]);
}

#[test]
fn imports_are_found_as_bun_finds_them() {
    let main = "import './folder'; import './plain'; import './compiled.js'; import './compiled.mjs';
require('./common'); await import('./lazy.tsx?x=1'); new Worker('worker.ts'); export * from './again.ts';
import type { T } from './types.ts'; import './link.ts'; import '/absent/x.ts'; import data from './data.json';\n";
    let asks = |name: &str| format!("export const x = process.env.{name};\n");
    let folder = Folder::with("main.ts", main)
        .package()
        .file("folder/index.ts", asks("FOLDER"))
        .file("plain.ts", asks("PLAIN"))
        .file("compiled.ts", asks("COMPILED"))
        .file("compiled.mts", asks("COMPILED_MODULE"))
        .file("common.cjs", asks("COMMON").replace("export ", ""))
        .file("lazy.tsx", asks("LAZY"))
        .file("worker.ts", asks("WORKER"))
        .file("again.ts", asks("AGAIN"))
        .file("types.ts", asks("TYPES"))
        .file("target.ts", asks("LINK"))
        .file("data.json", "{}");
    symlink("target.ts", folder.path("link.ts")).unwrap();
    let proposed = folder.secure_bun(["policy", "init", "main.ts"]).prints();
    let lines = proposed.lines().filter_map(|line| line.strip_prefix("      \""));
    let named: Vec<&str> = lines.filter_map(|line| line.split('"').next()).collect();
    let expected = ["AGAIN", "COMMON", "COMPILED", "COMPILED_MODULE", "FOLDER", "LAZY", "LINK", "PLAIN", "WORKER"];
    assert_eq!(named, expected, "{proposed}");
    assert!(proposed.contains("// Not read: main.ts:3: there is no file \"/absent/x.ts\".\n"), "{proposed}");
}

#[test]
fn names_do_not_break_out_of_their_comment_or_their_string() {
    let program = "Bun.file('./a\\n\\u001b[2J\\u202e\", \"/'); import './x\\n\"read\": true,\\n'; Bun.file('./*')";
    let folder = Folder::with("main.ts", program);
    folder.secure_bun(["policy", "init", "--write", "main.ts"]).prints();
    assert_eq!(folder.secure_bun(["policy", "check", "secure-bun.jsonc"]).prints(), "secure-bun.jsonc is valid\n");
    folder.secure_bun(["policy", "init", "main.ts"]).shows(str![[r#"
exit code 0
--- stdout
// Proposed by `secure-bun policy init`: what the text of main.ts names.
// Read it before you use it. What a program hides, or computes, is not seen in its text.
// Not read: main.ts:1: there is no file "./x\n\"read\": true,\n".
{
  "$schema": "./policy.schema.json",
  "version": 1,
  // What preset script allows is not repeated.
  "extends": "script",
  "allow": {
    // read: computed at main.ts:1; name here what it needs.
    "read": [
      "./a\n\u001b[2J\u202e\", \"", // main.ts:1
    ],
  }
}

"#]]);
}

#[test]
fn deep_nesting_is_read_to_its_end() {
    let deep = |open: &str, close: &str| format!("{}a{}; eval('1')", open.repeat(100_000), close.repeat(100_000));
    for program in [deep("(", ")"), deep("[", "]"), deep("!", ""), deep("f(", ")"), deep("", ".b")] {
        let proposed = Folder::with("main.js", program).secure_bun(["policy", "init", "main.js"]).prints();
        assert!(proposed.contains("\"eval\": true, // main.js:1\n"), "{proposed}");
    }
}
