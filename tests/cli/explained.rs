//! Errors that Bun and the kernel make, not the preload: what the policy has to do with them is said all the same.

use std::os::unix::fs::symlink;

use secure_bun_tests::{Folder, JSON};

/// A folder that may be read, with a link in it to a file that may not.
fn linked(program: &str) -> Folder {
    let folder = Folder::with("fn.ts", program).file("data/own.txt", "own").file("elsewhere/secret.txt", "secret");
    symlink(folder.path("elsewhere/secret.txt"), folder.path("data/link")).unwrap();
    folder
}

const READS: &str = "import fs from 'node:fs';\nexport default (path: string) => fs.readFileSync(path, 'utf8');\n";

/// Calls the function with a path, under a policy that lets it read `data`.
fn called(folder: &Folder, path: &str) -> secure_bun_tests::Envelope {
    let policy = r#"{"read": ["./data"], "import": ["./fn.ts"]}"#;
    std::fs::write(folder.path("p.json"), policy).unwrap();
    folder.secure_bun(["run", JSON, "--policy", "p.json", "--input", &format!("{path:?}"), "fn.ts"]).envelope()
}

#[test]
fn a_link_that_leaves_what_may_be_read() {
    let folder = linked(READS);
    assert_eq!(called(&folder, "data/own.txt").result(), "own");
    let envelope = called(&folder, "data/link");
    let target = "[FOLDER]/elsewhere/secret.txt";
    assert_eq!(envelope.text("/error/code"), "ENOENT", "Bun's own");
    assert_eq!(
        envelope.text("/error/message"),
        format!(
            "ENOENT: no such file or directory, open 'data/link'; reading {target:?} is not allowed: no rule of the \
             policy grants it. To allow it: allow.read: [{target:?}]"
        )
    );
    assert_eq!(envelope.text("/error/permission"), "read");
    assert_eq!(envelope.text("/error/resource"), target);
    assert_eq!(envelope.text("/denials/0/resource"), target);
}

#[test]
fn a_file_that_is_just_not_there_is_nobodys_fault() {
    let folder = linked(READS);
    let envelope = called(&folder, "data/missing");
    assert_eq!(envelope.text("/error/message"), "ENOENT: no such file or directory, open 'data/missing'");
    assert!(envelope.json.pointer("/error/permission").is_none(), "{}", envelope.json);
}

#[test]
fn links_in_a_circle_come_to_an_end() {
    let folder = linked(READS);
    symlink("round", folder.path("data/round")).unwrap();
    assert_eq!(called(&folder, "data/round").at("/ok"), false);
}

/// The help that follows what Bun printed.
fn help(program: &str, flags: &[&str]) -> Option<String> {
    let folder = linked(program);
    let grant = format!("-R={}", folder.text("data"));
    let ended = folder.secure_bun([&["run", "--policy", "script", &grant], flags, &["fn.ts"]].concat()).end();
    assert_eq!(ended.code(), 1, "{ended}");
    let stderr = ended.stderr();
    let line = stderr.lines().find_map(|line| line.strip_prefix("secure-bun: help: "));
    line.map(|line| line.replace("[FOLDER]/", ""))
}

#[test]
fn a_script_that_fails_at_once_or_later() {
    let read = "import fs from 'node:fs';\nconst read = () => fs.readFileSync('data/link');\n";
    let expected = r#"reading "elsewhere/secret.txt" is not allowed: no rule of the policy grants it. To allow it: allow.read: ["elsewhere/secret.txt"]"#;
    assert_eq!(help(&format!("{read}read();"), &[]).as_deref(), Some(expected));
    assert_eq!(help(&format!("{read}setTimeout(read, 1);"), &[]).as_deref(), Some(expected));
}

#[test]
fn a_rejection_that_nobody_handles() {
    let expected = r#"reading "elsewhere/secret.txt" is not allowed: no rule of the policy grants it. To allow it: allow.read: ["elsewhere/secret.txt"]"#;
    for program in [
        "import fs from 'node:fs/promises';\nvoid fs.readFile('data/link');",
        "import fs from 'node:fs/promises';\nawait fs.readFile('data/link');",
        "import fs from 'node:fs/promises';\nsetTimeout(async () => { await fs.readFile('data/link'); }, 1);",
        "void Bun.file('data/link').text();",
        "await Bun.file('data/link').text();",
        "const { resolve, promise } = Promise.withResolvers();\nresolve(Bun.file('data/link').json());\nvoid promise;",
    ] {
        assert_eq!(help(program, &[]).as_deref(), Some(expected), "{program}");
    }
}

#[test]
fn what_the_program_takes_care_of_is_not_explained() {
    let program = "import fs from 'node:fs';\nprocess.on('uncaughtException', () => process.exit(1));\n
        setTimeout(() => fs.readFileSync('data/link'), 1);";
    assert_eq!(help(program, &[]), None);
    let program = "process.on('unhandledRejection', () => process.exit(1));\nvoid Bun.file('data/link').text();";
    assert_eq!(help(program, &[]), None);
    let program = "Bun.file('data/link').text().catch(() => process.exit(1));";
    assert_eq!(help(program, &[]), None);
}

#[test]
fn who_asked_for_what_the_kernel_refused() {
    let folder = linked("import { read } from 'dep';\nvoid (async () => { await 1; read('data/link'); })();\n")
        .file(
            "node_modules/dep/index.js",
            "const fs = require('fs');\nexports.read = (path) => fs.readFileSync(path);\n",
        )
        .file("node_modules/dep/package.json", r#"{"name": "dep", "version": "2.0.1"}"#)
        .file("p.json", r#"{"read": ["./data"], "import": ["./fn.ts", "./node_modules"]}"#);
    let envelope = folder.secure_bun(["run", JSON, "--policy", "p.json", "fn.ts"]).envelope();
    assert_eq!(envelope.at("/exit/code"), 1, "{}", envelope.json);
    assert_eq!(envelope.text("/error/resource"), "[FOLDER]/elsewhere/secret.txt");
    assert_eq!(envelope.text("/denials/0/at"), "node_modules/dep/index.js:2:29");
    assert_eq!(envelope.text("/denials/0/package"), "dep@2.0.1");
}

#[test]
fn a_limit_that_the_kernel_keeps_by_an_error() {
    let open = "import fs from 'node:fs';\nfor (;;) fs.openSync('/dev/null');";
    assert_eq!(
        help(open, &["--limit", "open_files=100"]).as_deref(),
        Some("the open files limit of 100 is reached. To allow more: limits.open_files: 200")
    );
    let fill = "import fs from 'node:fs';\nfs.writeFileSync('/tmp/x', new Uint8Array(9 << 20));";
    assert_eq!(
        help(fill, &["--limit", "tmp=8mb"]).as_deref(),
        Some("the tmp limit of 8 MB is reached. To allow more: limits.tmp_mb: 16")
    );
}

#[test]
fn what_no_policy_grants() {
    let program = "import fs from 'node:fs';\nfs.existsSync('data');\nprocess.kill(1, 0);";
    assert_eq!(help(program, &[]).as_deref(), Some("the sandbox refuses kill whatever the policy says"));
}

#[test]
fn a_module_outside_of_what_may_be_imported() {
    let folder = Folder::new().file("app/package.json", "{}").file("lib/x.ts", "export default 1;");
    let folder = folder
        .file("app/fn.ts", "const path = '../lib/x.ts';\nexport default async () => (await import(path)).default;");
    let run = |flags: &[&str]| {
        let words = [&["run", JSON, "--policy", "function"], flags, &["app/fn.ts"]].concat();
        folder.secure_bun(words).envelope()
    };
    assert_eq!(run(&["--allow-import=app,lib"]).result(), 1);
    let envelope = run(&[]);
    assert_eq!(envelope.text("/error/permission"), "import", "{}", envelope.json);
    assert_eq!(envelope.text("/error/resource"), "[FOLDER]/lib/x.ts");
}

#[test]
fn the_line_in_typescript() {
    let program = "interface Input {\n  path: string;\n}\ntype Also = Input | null;\n\nimport fs from 'node:fs';\n\
        export default (input: Also) => {\n  const text: Buffer = fs.readFileSync('/etc/passwd');\n  return text.length;\n};\n";
    let folder = Folder::with("fn.ts", program);
    let envelope = folder.secure_bun(["run", JSON, "--policy", "function", "fn.ts"]).envelope();
    assert!(envelope.text("/error/stack").contains("[FOLDER]/fn.ts:8:27"), "{}", envelope.json);
    assert_eq!(envelope.text("/denials/0/at"), "fn.ts:8:27");
}

#[test]
fn the_package_that_asked() {
    let asks = "const fs = require('fs');\nexports.ask = () => { try { fs.readFileSync('/etc/passwd') } catch {} };";
    let folder = Folder::with("fn.ts", "import { ask } from '@scope/nosy';\nexport default () => ask();")
        .package()
        .file("node_modules/@scope/nosy/index.js", asks)
        .file("node_modules/@scope/nosy/package.json", r#"{"name": "@scope/nosy", "version": "1.4.0"}"#);
    let envelope = folder.secure_bun(["run", JSON, "--policy", "function", "fn.ts"]).envelope();
    assert_eq!(envelope.at("/ok"), true, "{}", envelope.json);
    assert_eq!(envelope.text("/denials/0/package"), "@scope/nosy@1.4.0");
    assert_eq!(envelope.text("/denials/0/at"), "node_modules/@scope/nosy/index.js:2:32");
}
