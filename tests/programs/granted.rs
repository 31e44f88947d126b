//! Granted programs do what they do outside: with their libraries, modules, interpreters and subcommands.

use std::os::unix::fs::PermissionsExt;

use secure_bun_tests::Folder;

use super::{granting, the_same_inside};

const PRINT: &str = "
    const print = (...command: string[]) => {
        const { exitCode, stdout, stderr } = Bun.spawnSync(command);
        console.log(exitCode, stdout.toString(), stderr.toString());
    };
";

fn printing(programs: &str, commands: &str) -> Folder {
    granting(programs, &format!("{PRINT}{commands}"))
}

fn executable(folder: Folder, path: &str, contents: &str) -> Folder {
    let folder = folder.file(path, contents);
    std::fs::set_permissions(folder.path(path), std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

#[test]
fn a_program_by_name_with_any_arguments() {
    let ended = the_same_inside(&printing(
        r#"["sh", "cat", "ls"]"#,
        "print('sh', '-c', 'echo $0 $#; exit 7', 'x y', 'z'); print('cat', 'package.json'); print('ls');",
    ));
    assert!(ended.stdout().starts_with("7 x y 1"), "{ended}");
}

#[test]
fn a_program_by_path() {
    the_same_inside(&printing(r#"["/bin/echo"]"#, "print('/bin/echo', 'hello');"));
}

#[test]
fn a_folder_of_programs() {
    let folder = printing(r#"["./tools", "sh"]"#, "print('./tools/one'); print('./tools/two');");
    let folder = executable(folder, "tools/one", "#!/bin/sh\necho one\n");
    the_same_inside(&executable(folder, "tools/two", "#!/usr/bin/env sh\necho two\n"));
}

/// Nothing but the script is granted: what runs it comes along.
#[test]
fn a_script_brings_its_interpreter() {
    let folder = printing(r#"["./tool"]"#, "print('./tool', 'a b');");
    the_same_inside(&executable(folder, "tool", "#!/bin/sh -e\necho \"$0\" \"$1\"\n"));
    let folder = printing(r#"["./tool"]"#, "print('./tool');");
    the_same_inside(&executable(folder, "tool", "#!/usr/bin/env sh\necho by env\n"));
}

#[test]
fn python_with_its_modules_native_ones_too() {
    let source = "import json, ctypes, hashlib, sqlite3, ssl, asyncio, multiprocessing, encodings.idna, sys; \
                  print(hashlib.sha256(b'x').hexdigest(), sys.argv, sys.version, ctypes.CDLL(None).getuid() >= 0)";
    the_same_inside(&printing(r#"["python3"]"#, &format!("print('python3', '-c', \"{source}\", 'arg');")));
}

#[test]
fn python_starts_what_is_granted_too() {
    let source = "import subprocess; print(subprocess.run(['sh', '-c', 'echo below'], capture_output=True))";
    the_same_inside(&printing(r#"["python3", "sh"]"#, &format!("print('python3', '-c', \"{source}\");")));
}

#[test]
fn git_with_its_subcommands() {
    let folder = printing(r#"["git"]"#, "print('git', 'log', '--format=%s'); print('git', 'status', '--short');");
    let git = |line: &str| {
        let line = format!("git -c user.name=A -c user.email=a@example.com {line}");
        assert_eq!(folder.program(std::path::Path::new("/bin/sh")).words(["-c", &line]).end().code(), 0);
    };
    git("init --quiet");
    git("commit --quiet --allow-empty --message first");
    // The folder of a repository is a secret of a project: it is granted by its name.
    let folder = folder.file(
        "policy.json",
        r#"{"extends": "script", "read": ["./.git"], "run": ["git"], "limits": {"processes": 8}}"#,
    );
    let ended = the_same_inside(&folder);
    assert!(ended.stdout().starts_with("0 first\n"), "{ended}");
}

#[test]
fn all_programs() {
    the_same_inside(&printing("true", "print('sh', '-c', 'ls | tr a-z A-Z | sort'); print('env', 'echo', 'x');"));
}

#[test]
fn any_program_but_the_denied_ones() {
    let folder = printing("true", "print('sh', '-c', 'ls; tr a b </dev/null; echo $?');");
    let folder = folder.file("policy.json", r#"{"extends": "script", "run": {"allow": true, "deny": ["tr"]}}"#);
    let inside = folder.secure_bun(["run", "--policy", "policy.json", "main.ts"]).prints();
    assert!(inside.starts_with("0 main.ts\npackage.json\npolicy.json\n127\n"), "{inside}");
    assert!(inside.contains("tr: Permission denied"), "{inside}");
}

#[test]
fn where_nothing_is_granted_nothing_changes() {
    let folder = Folder::with("main.ts", "console.log(process.pid === 1 || process.ppid === 1, process.env.PATH);");
    assert_eq!(
        folder.secure_bun(["run", "main.ts"]).prints(),
        "false /run/secure-bun/bin:/usr/local/bin:/usr/bin:/bin\n"
    );
}

#[test]
fn a_grant_that_cannot_be_kept_is_an_error() {
    let cases = [
        (r#"["no-such-program"]"#, "there is no program \"no-such-program\""),
        (r#"["./absent"]"#, "cannot be opened"),
        (r#"["./package.json"]"#, "is not an executable file"),
    ];
    for (programs, message) in cases {
        let ended = granting(programs, "").secure_bun(["run", "--policy", "policy.json", "main.ts"]).end();
        assert_eq!(ended.code(), 2, "{ended}");
        assert!(ended.stderr().contains(message), "{ended}");
    }
}

#[test]
fn checking_a_policy_tells_what_comes_with_a_script() {
    let folder = executable(granting("[]", ""), "tool", "#!/usr/bin/env sh\n");
    let folder = folder.file("policy.json", r#"{"run": ["./tool"]}"#);
    let ended = folder.secure_bun(["policy", "check", "policy.json"]).end();
    assert_eq!((ended.code(), ended.stdout().as_str()), (0, "policy.json is valid\n"), "{ended}");
    for program in ["/usr/bin/env", "/sh"] {
        assert!(ended.stderr().contains(&format!("{program} as well, which runs [FOLDER]/tool")), "{ended}");
    }
    let folder = folder.file("policy.json", r#"{"run": {"allow": ["./tool"], "deny": ["env"]}}"#);
    let ended = folder.secure_bun(["policy", "check", "policy.json"]).end();
    assert_eq!(ended.code(), 2, "{ended}");
}

#[test]
fn a_script_whose_interpreter_is_denied_is_refused() {
    let folder = executable(granting("[]", ""), "tool", "#!/bin/sh\n");
    let folder = folder.file("policy.json", r#"{"run": {"allow": ["./tool"], "deny": ["sh"]}}"#);
    let ended = folder.secure_bun(["run", "--policy", "policy.json", "main.ts"]).end();
    assert_eq!(ended.code(), 2, "{ended}");
    assert!(ended.stderr().contains("is run by"), "{ended}");
}

#[test]
fn a_program_that_may_be_written_to_is_refused() {
    let folder = executable(granting("[]", ""), "bin/tool", "#!/bin/sh\n");
    let folder = folder.file("policy.json", r#"{"run": ["./bin/tool"], "write": ["./bin"]}"#);
    let ended = folder.secure_bun(["run", "--policy", "policy.json", "main.ts"]).end();
    assert_eq!(ended.code(), 2, "{ended}");
    assert!(ended.stderr().contains("which the program may write to"), "{ended}");
}
