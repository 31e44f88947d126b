//! `secure-bun policy check | show | schema | why`.

use std::os::unix::fs::symlink;

use secure_bun_tests::{Folder, str};

const POLICY: &str = r#"{
  // Reads its data, but not all of it.
  "extends": "function",
  "read": ["./data"],
  "deny": { "read": ["./data/private"] },
  "limits": { "wall_ms": 2000 }
}"#;

fn folder() -> Folder {
    Folder::with("p.json", POLICY).file("data/private/a.txt", "").file("main.ts", "")
}

#[test]
fn check_says_that_it_is_valid() {
    folder().secure_bun(["policy", "check", "p.json"]).shows(str![[r#"
exit code 0
--- stdout
p.json is valid

"#]]);
    folder().secure_bun(["policy", "check", "function"]).shows(str![[r#"
exit code 0
--- stdout
function is valid

"#]]);
}

#[test]
fn check_shows_what_is_wrong() {
    folder().file("p.json", "{ \"raed\": true }").secure_bun(["policy", "check", "p.json"]).shows(str![[r#"
exit code 2
--- stderr
error: unknown key "raed" in the policy
 --> p.json:1:3
  |
1 | { "raed": true }
  |   ^^^^^^
  |
  = help: did you mean "read"?

"#]]);
    let host = r#"{ "host": ["db.*"] }"#;
    folder().file("p.json", host).secure_bun(["policy", "check", "p.json"]).shows(str![[r#"
exit code 2
--- stderr
error: allow.host is not available yet
 --> p.json:1:12
  |
1 | { "host": ["db.*"] }
  |            ^^^^^^
  |
  = help: this version cannot enforce it, so nothing runs: remove it

"#]]);
}

#[test]
fn show_prints_what_it_comes_to() {
    folder().secure_bun(["policy", "show", "p.json"]).shows(str![[r#"
exit code 0
--- stdout
{
  "version": 1,
  "allow": {
    "read": [
      "[FOLDER]/data"
    ],
    "import": [
      "${PROJECT}"
    ],
    "workers": 0,
    "eval": false,
    "wasm": true
  },
  "deny": {
    "read": [
      "[FOLDER]/data/private"
    ]
  },
  "limits": {
    "wall_ms": 2000,
    "cpu_ms": 1000,
    "memory_mb": 128,
    "processes": 16,
    "threads": 64,
    "open_files": 256,
    "tmp_mb": 16,
    "file_mb": 16,
    "output_kb": 1024
  },
  "js": {
    "freeze": "none"
  }
}

"#]]);
}

#[test]
fn what_show_prints_is_a_policy_of_the_same_meaning() {
    let folder = folder();
    let shown = folder.secure_bun(["policy", "show", "p.json"]).prints().replace("[FOLDER]", &folder.text(""));
    let folder = folder.file("shown.json", &shown);
    assert_eq!(
        folder.secure_bun(["policy", "show", "shown.json"]).prints().replace("[FOLDER]", &folder.text("")),
        shown
    );
}

#[test]
fn show_tells_where_each_statement_stands() {
    folder().secure_bun(["policy", "show", "--origins", "p.json"]).shows(str![[r#"
exit code 0
--- stdout
{
  "version": 1,
  "allow": {
    "read": [
      {
        "value": "[FOLDER]/data",
        "from": "p.json:4:12"
      }
    ],
    "import": [
      {
        "value": "${PROJECT}",
        "from": "default"
      }
    ],
    "workers": {
      "value": 0,
      "from": "preset function:7:16"
    },
    "eval": {
      "value": false,
      "from": "preset function:8:13"
    },
    "wasm": {
      "value": true,
      "from": "preset function:9:13"
    }
  },
  "deny": {
    "read": [
      {
        "value": "[FOLDER]/data/private",
        "from": "p.json:5:22"
      }
    ]
  },
  "limits": {
    "wall_ms": {
      "value": 2000,
      "from": "p.json:6:26"
    },
    "cpu_ms": {
      "value": 1000,
      "from": "preset function:13:15"
    },
    "memory_mb": {
      "value": 128,
      "from": "preset function:14:18"
    },
    "processes": {
      "value": 16,
      "from": "preset function:16:18"
    },
    "threads": {
      "value": 64,
      "from": "preset function:18:16"
    },
    "open_files": {
      "value": 256,
      "from": "preset function:19:19"
    },
    "tmp_mb": {
      "value": 16,
      "from": "preset function:21:15"
    },
    "file_mb": {
      "value": 16,
      "from": "preset function:20:16"
    },
    "output_kb": {
      "value": 1024,
      "from": "preset function:15:18"
    }
  },
  "js": {
    "freeze": {
      "value": "none",
      "from": "preset function:23:21"
    }
  }
}

"#]]);
}

#[test]
fn schema_prints_the_schema() {
    let schema: serde_json::Value = serde_json::from_str(&folder().secure_bun(["policy", "schema"]).prints()).unwrap();
    assert_eq!(schema["title"], "secure-bun policy");
    assert!(schema["properties"]["limits"].is_object());
}

#[test]
fn why_is_allowed() {
    folder().secure_bun(["policy", "why", "--policy", "p.json", "read", "data/x.txt"]).shows(str![[r#"
exit code 0
--- stdout
allowed by allow.read "./data" (p.json:4:12)
in the sandbox it is not there, as on this machine

"#]]);
}

#[test]
fn why_is_denied_by_a_rule() {
    folder().secure_bun(["policy", "why", "--policy", "p.json", "read", "data/private/a.txt"]).shows(str![[r#"
exit code 1
--- stdout
reading "data/private/a.txt" is not allowed: the policy denies it. To allow it: remove deny.read "./data/private" (p.json:5:22)
in the sandbox it is not there: no mount shows it

"#]]);
}

#[test]
fn why_is_denied_by_default() {
    folder().secure_bun(["policy", "why", "--policy", "p.json", "read", "/etc/passwd"]).shows(str![[r#"
exit code 1
--- stdout
reading "/etc/passwd" is not allowed: no rule of the policy grants it. To allow it: allow.read: ["/etc/passwd"]
in the sandbox it is not there: no mount shows it

"#]]);
}

#[test]
fn why_is_denied_without_a_resource() {
    folder().secure_bun(["policy", "why", "--policy", "p.json", "eval"]).shows(str![[r#"
exit code 1
--- stdout
compiling code from a string is not allowed: the policy denies it. To allow it: allow.eval: true

"#]]);
}

#[test]
fn why_asks_for_a_permission_that_exists() {
    folder().secure_bun(["policy", "why", "--policy", "p.json", "reed", "x"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: there is no permission "reed"
secure-bun: help: the permissions are read, write, import, net, listen, fetch, env, run, sys, workers, ffi, eval, wasm, host, secrets

"#]]);
}

#[test]
fn why_asks_for_a_resource_that_fits() {
    folder().secure_bun(["policy", "why", "--policy", "p.json", "net", "nowhere"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: net needs a resource of its kind, such as a path or host:port

"#]]);
}

#[test]
fn why_answers_for_the_policy_that_run_would_use() {
    let folder = folder().file("secure-bun.json", r#"{ "read": ["/etc"], "limits": { "wall_ms": 5 } }"#);
    folder.secure_bun(["policy", "why", "read", "/etc/passwd"]).shows(str![[r#"
exit code 1
--- stdout
reading "/etc/passwd" is not allowed: no rule of the policy grants it. To allow it: allow.read: ["/etc/passwd"]
in the sandbox it is not there: no mount shows it

"#]]);
    folder.secure_bun(["policy", "why", "--program", "main.ts", "eval"]).shows(str![[r#"
exit code 1
--- stdout
compiling code from a string is not allowed: the policy denies it. To allow it: allow.eval: true
--- stderr
secure-bun: warning: secure-bun.json came with the program and may only narrow preset script. Ignored: allow.read "/etc" (secure-bun.json:1:12) reads what is not granted there. To approve all of it: secure-bun policy trust secure-bun.json

"#]]);
}

#[test]
fn why_says_what_the_kernel_shows() {
    let policy =
        r#"{ "read": ["./data"], "write": ["./out"], "deny": { "read": ["./data/private", "./out/private"] } }"#;
    let folder = folder().file("p.json", policy).file("data/a.txt", "").file("out/private/b.txt", "");
    let folder = folder.file("out/.npmrc", "").file("lib/c.ts", "").package();
    symlink("a.txt", folder.path("data/link")).unwrap();
    let why = |permission, path| folder.secure_bun(["policy", "why", "--policy", "p.json", permission, path]);
    why("read", "data/a.txt").shows(str![[r#"
exit code 0
--- stdout
allowed by allow.read "./data" (p.json:1:12)
in the sandbox it is in the read-only mount of [FOLDER]/data/a.txt

"#]]);
    why("read", "data/link").shows(str![[r#"
exit code 0
--- stdout
allowed by allow.read "./data" (p.json:1:12)
in the sandbox a symbolic link leads to [FOLDER]/data/a.txt, which is in the read-only mount of [FOLDER]/data/a.txt

"#]]);
    why("read", "data/gone").shows(str![[r#"
exit code 0
--- stdout
allowed by allow.read "./data" (p.json:1:12)
in the sandbox it is not there, as on this machine

"#]]);
    why("read", "data/private/a.txt").shows(str![[r#"
exit code 1
--- stdout
reading "data/private/a.txt" is not allowed: the policy denies it. To allow it: remove deny.read "./data/private" (p.json:1:62)
in the sandbox it is not there: no mount shows it

"#]]);
    why("write", "data/a.txt").shows(str![[r#"
exit code 1
--- stdout
writing "data/a.txt" is not allowed: no rule of the policy grants it. To allow it: allow.write: ["data/a.txt"]
in the sandbox it is in the read-only mount of [FOLDER]/data/a.txt

"#]]);
    why("write", "out/new.txt").shows(str![[r#"
exit code 0
--- stdout
allowed by allow.write "./out" (p.json:1:33)
in the sandbox it is in the writable mount of [FOLDER]/out, but nothing has this name

"#]]);
    why("write", "out/private/b.txt").shows(str![[r#"
exit code 1
--- stdout
writing "out/private/b.txt" is not allowed: the policy denies it. To allow it: remove deny.read "./out/private" (p.json:1:80)
in the sandbox it is covered: [FOLDER]/out/private is masked and cannot be opened

"#]]);
    why("write", "out/.npmrc").shows(str![[r#"
exit code 1
--- stdout
writing "out/.npmrc" is not allowed: a tool outside the sandbox would obey what is written there. To allow it: allow.write: ["out/.npmrc"]
in the sandbox it is in the read-only mount of [FOLDER]/out/.npmrc

"#]]);
    why("read", "lib/c.ts").shows(str![[r#"
exit code 1
--- stdout
reading "lib/c.ts" is not allowed: no rule of the policy grants it. To allow it: allow.read: ["lib/c.ts"]
in the sandbox it is in the read-only mount of [FOLDER]/lib
so only the guards in JavaScript refuse it: modules are loaded from there, and native code could read it

"#]]);
    why("import", "lib/c.ts").shows(str![[r#"
exit code 0
--- stdout
allowed by allow.import "${PROJECT}" (default)
in the sandbox it is in the read-only mount of [FOLDER]/lib

"#]]);
}

#[test]
fn why_knows_what_every_program_finds() {
    let folder = folder();
    let why = |permission, path| folder.secure_bun(["policy", "why", "--policy", "function", permission, path]);
    why("write", "/dev/null").shows(str![[r#"
exit code 1
--- stdout
writing "/dev/null" is not allowed: no rule of the policy grants it. To allow it: allow.write: ["/dev/null"]
in the sandbox it is the device /dev/null

"#]]);
    why("read", "/dev/none").shows(str![[r#"
exit code 1
--- stdout
reading "/dev/none" is not allowed: no rule of the policy grants it. To allow it: allow.read: ["/dev/none"]
in the sandbox it is not there, as on this machine

"#]]);
}

#[test]
fn why_says_when_nothing_would_run() {
    let folder = folder().file("p.json", r#"{ "write": ["./missing"] }"#);
    folder.secure_bun(["policy", "why", "--policy", "p.json", "write", "missing/a"]).shows(str![[r#"
exit code 0
--- stdout
allowed by allow.write "./missing" (p.json:1:13)
but nothing runs under this policy: allow.write "./missing" (p.json:1:13): [FOLDER]/missing cannot be opened: No such file or directory (os error 2)

"#]]);
}

#[test]
fn why_asks_for_a_program_that_is_there() {
    folder().secure_bun(["policy", "why", "--policy", "p.json", "--program", "missing.ts", "read", "x"]).shows(str![[
        r#"
exit code 2
--- stderr
secure-bun: error: cannot find the program missing.ts: No such file or directory (os error 2)

"#
    ]]);
}

#[test]
fn an_unknown_command_of_policy() {
    folder().secure_bun(["policy", "chekc", "p.json"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: unknown command "chekc"
secure-bun: help: did you mean schema, check?

"#]]);
}
