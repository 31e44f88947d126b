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

/// The help that follows a command of Bun's shell which works outside, in a script that may read `data`. `@` is the
/// folder.
fn help_with(command: &str, flags: &[&str]) -> Option<String> {
    let program = |folder: &Folder| {
        let command = command.replace('@', &folder.text(""));
        let program = format!("import {{ $ }} from 'bun';\nawait $`{command}`;\n");
        std::fs::write(folder.path("fn.ts"), program).unwrap();
    };
    let outside = linked("");
    program(&outside);
    let ended = outside.bun(["run", "fn.ts"]).end();
    assert_eq!(ended.code(), 0, "the test shows nothing: {ended}");
    let folder = linked("");
    program(&folder);
    let grant = format!("-R={}", folder.text("data"));
    let ended = folder.secure_bun([&["run", "--policy", "script", &grant], flags, &["fn.ts"]].concat()).end();
    assert_ne!(ended.code(), 0, "{ended}");
    let stderr = ended.stderr();
    let line = stderr.lines().find_map(|line| line.strip_prefix("secure-bun: help: "));
    line.map(|line| line.replace("[FOLDER]/", ""))
}

fn not_allowed(act: &str, key: &str, resource: &str) -> String {
    let reason = "no rule of the policy grants it";
    format!("{act} \"{resource}\" is not allowed: {reason}. To allow it: allow.{key}: [\"{resource}\"]")
}

#[test]
fn a_command_of_the_shell_on_what_is_not_granted() {
    for (command, act, key, resource) in [
        ("ls elsewhere/secret.txt", "reading", "read", "elsewhere/secret.txt"),
        ("ls elsewhere/*.txt", "reading", "read", "elsewhere"),
        ("cd @/elsewhere && ls", "reading", "read", "elsewhere"),
        ("rm data/own.txt", "writing", "write", "data/own.txt"),
        ("mkdir data/new", "writing", "write", "data/new"),
        ("touch @/elsewhere/new", "writing", "write", "elsewhere/new"),
        ("mv data/own.txt data/other.txt", "writing", "write", "data/own.txt"),
        ("echo a > data/own.txt", "writing", "write", "data/own.txt"),
        ("echo a >> elsewhere/secret.txt", "writing", "write", "elsewhere/secret.txt"),
        ("\"env\" > /dev/null", "running", "run", "env"),
    ] {
        assert_eq!(help_with(command, &[]), Some(not_allowed(act, key, resource)), "{command}");
    }
}

#[test]
fn a_granted_program_that_is_refused_a_file() {
    let cat = &["--allow-run=cat,sh"];
    let expected = Some(not_allowed("reading", "read", "elsewhere/secret.txt"));
    assert_eq!(help_with("cat @/elsewhere/secret.txt", cat), expected);
    // Where it worked, or what it means by its words, is not known.
    assert_eq!(help_with("cat elsewhere/secret.txt", cat), None);
    assert_eq!(help_with("sh -c ': < @/elsewhere/secret.txt'", cat), None);
    let program = "import { execFileSync } from 'node:child_process';\nimport { resolve } from 'node:path';\n
        execFileSync('cat', [resolve('elsewhere/secret.txt')], { stdio: 'pipe' });";
    assert_eq!(help(program, cat), expected);
}

#[test]
fn a_command_of_the_shell_that_fails_by_itself_or_works_elsewhere() {
    for command in
        ["ls data/missing`;", "ls data/missing/*.txt`;", "false`;", "exit 1`;", "ls own.txt`.cwd('data/missing');"]
    {
        assert_eq!(help(&format!("import {{ $ }} from 'bun';\nawait $`{command}"), &[]), None, "{command}");
    }
}

#[test]
fn a_command_whose_failure_the_program_takes_care_of_prints_what_it_does_under_bun() {
    let program = "import { $ } from 'bun';\nconst { exitCode, stderr } = await $`ls elsewhere/missing`.nothrow().quiet();
        console.log(exitCode, String(stderr));\nawait $`ls elsewhere/missing`.catch(({ message }) => console.log(message));";
    let folder = linked(program);
    let outside = folder.bun(["run", "fn.ts"]).end();
    let inside = folder.secure_bun(["run", "--policy", "script", "fn.ts"]).end();
    assert_eq!((inside.code(), inside.stdout()), (0, outside.stdout()), "{inside}");
    assert_eq!(inside.stderr(), outside.stderr());
}

/// What a program says of an error is its own word: it gets a line that is bounded and harmless, and nothing else.
#[test]
fn forged_errors() {
    const LONGEST: usize = 40_000;
    for (reason, explained) in [
        ("Object.assign(new Error('x'), { code: 'EACCES', syscall: 'open', path: '/root/.ssh/id_rsa' })", true),
        ("Object.assign(new Error('x'), { code: 'EACCES', syscall: 'open', path: '/a\\x1b[2J\\u202eb\\n\\r' })", true),
        (
            "Object.assign(new Error('y'.repeat(1e6)), { code: 'ENOENT', syscall: 'open', path: '/' + 'z'.repeat(1e6) })",
            true,
        ),
        (
            "Object.assign(new Error('x'), { code: 'EACCES', syscall: 'stat', path: process.cwd() + '/data/own.txt' })",
            false,
        ),
        (
            "Object.assign(new Error('x'), { permission: 'read', resource: '/etc/shadow', rule: 'default', code: 'ERR_ACCESS_DENIED' })",
            false,
        ),
        ("Object.assign(new Error('x'), { stderr: 'bun: command not found: \\x1b[2Jsu\\n' })", true),
        ("Object.assign(new Error('x'), { stderr: 'a\\n'.repeat(1e6) + 'bun: command not found: su\\n' })", false),
        ("Object.assign(new Error('x'), { stderr: new Uint8Array(1 << 24).fill(10) })", false),
        ("Object.assign(new Error('x'), { get stderr() { throw this } })", false),
        ("Object.assign(new Error('x'), { stderr: new Proxy(new Uint8Array(9), {}) })", false),
        (
            "Object.assign(new Error('x'), { stack: '    at /' + 'q'.repeat(1e6) + ':1:1', code: 'EACCES', path: '/etc/shadow' })",
            true,
        ),
        ("new Proxy(new Error('x'), { get: () => { throw 1; }, getOwnPropertyDescriptor: () => { throw 2; } })", false),
        (
            "new Proxy(new Error('x'), { get: (_, key) => key === 'code' ? 'EACCES' : key === 'path' ? '/etc/shadow' : 7 })",
            true,
        ),
    ] {
        let program = format!("import fs from 'node:fs';\nfs.existsSync('data');\nvoid Promise.reject({reason});");
        let found = help(&program, &["--limit", "wall=20s"]);
        assert_eq!(found.is_some(), explained, "{reason}: {found:?}");
        let line = found.unwrap_or_default();
        assert!(line.len() < LONGEST && !line.contains(['\x1b', '\u{202e}', '\r']), "{reason}: {line}");
        let folder = linked(&program).file("p.json", r#"{"read": ["./data"], "import": ["./fn.ts"]}"#);
        let envelope = folder.secure_bun(["run", JSON, "--policy", "p.json", "fn.ts"]).envelope();
        assert_eq!((envelope.at("/ok"), envelope.at("/exit/code")), (&false.into(), &1.into()), "{reason}");
    }
}

#[test]
fn cat_fails_as_commands_of_the_shell_do() {
    let program = "import { $ } from 'bun';\nconst told = ({ name, exitCode, stderr }) => console.log(name, exitCode, String(stderr ?? ''));\n
        const missing = $`cat data/missing`.quiet();\nawait missing.catch(told);\n
        const refused = $`cat elsewhere/secret.txt`;\nawait refused.catch(told);\n
        const { exitCode, stderr } = await $`cat elsewhere/secret.txt`.nothrow().quiet();\nconsole.log(exitCode, String(stderr));\n
        console.log(await $`cat data/own.txt`.text());";
    let folder = linked(program);
    let grant = format!("-R={}", folder.text("data"));
    let printed = folder.secure_bun(["run", "--policy", "script", &grant, "fn.ts"]).prints();
    let words = "No such file or directory\n\n";
    let expected = format!(
        "ShellError 1 cat: data/missing: {words}SecurityError undefined \n1 cat: elsewhere/secret.txt: {words}own\n"
    );
    assert_eq!(printed, expected);
}
