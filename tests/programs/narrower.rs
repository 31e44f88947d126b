//! A narrower sandbox for one child, `{ sandbox }`: what the program may and its child may not, in every style of starting
//! one; what is wider is refused before anything runs; and a child that goes its own way meets the kernel.

use secure_bun_tests::{Folder, JSON};
use snapbox::str;

use super::granting;

const PROGRAMS: &str = r#"["sh", "bun", "python3", "cat", "ls"]"#;

/// A project whose program may start some, read all of it, and write to `out`, a temporary folder apart.
fn project(source: &str) -> Folder {
    let policy = format!(
        r#"{{"extends": "script", "run": {PROGRAMS}, "write": ["./out"], "env": "APP_*", "eval": true,
            "limits": {{"processes": 32}}}}"#
    );
    granting(PROGRAMS, source)
        .file("policy.json", policy)
        .file("data/a", "the contents of a\n")
        .file("data/b", "the contents of b\n")
        .file("out/old", "as it was\n")
}

fn run(folder: &Folder) -> String {
    folder.secure_bun(["run", "--policy", "policy.json", "main.ts"]).env("APP_MODE", "test").prints()
}

/// Starts `command` as a child of the program, and then again in `sandbox`: what is printed each time.
#[track_caller]
fn both(command: &[&str], sandbox: &str) -> (String, String) {
    let folder = project(&format!(
        "const start = (options: object) => {{
            const {{ exitCode, stdout, stderr }} = Bun.spawnSync({}, {{ ...options, stderr: 'pipe' }});
            return exitCode + ' ' + stdout + stderr;
        }};
        console.log(JSON.stringify([start({{}}), start({{ sandbox: {sandbox} }})]));",
        serde_json::json!(command)
    ));
    let said = run(&folder).replace(&folder.text(""), "[PROJECT]");
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

#[track_caller]
fn kept_by_the_kernel(command: &[&str], sandbox: &str, without: &str, within: &str) {
    let (control, narrowed) = both(command, sandbox);
    assert_eq!(control, without, "the control");
    assert!(narrowed.contains(within), "{narrowed}");
    assert_ne!(narrowed, control);
}

const PYTHON: &str = "python3";

#[test]
fn files_that_are_read() {
    let command = ["sh", "-c", "cat data/a data/b"];
    let cat = r#"{"run": "cat", "read": "./data/a"}"#;
    let (control, narrowed) = both(&command, cat);
    assert_eq!(control, "0 the contents of a\nthe contents of b\n");
    assert!(narrowed.contains(" the contents of a\n") && narrowed.contains("data/b: Permission denied"), "{narrowed}");
}

#[test]
fn files_that_are_written() {
    let command = ["sh", "-c", "echo new > out/new && echo written"];
    kept_by_the_kernel(&command, r#"{"read": "./out"}"#, "0 written\n", "cannot create out/new");
    kept_by_the_kernel(&["sh", "-c", "echo new > /tmp/new && echo written"], "{}", "0 written\n", "Permission denied");
    let (_, granted) = both(&command, r#"{"write": "./out"}"#);
    assert_eq!(granted, "0 written\n");
}

/// What nobody has named is a matter of modules, which only Bun has.
#[test]
fn the_project_is_read_by_bun_alone() {
    let line = ["sh", "-c", "read x < data/a && echo $x"];
    kept_by_the_kernel(&line, "{}", "0 the contents of a\n", "Permission denied");
    let import = ["bun", "-e", "import a from './data/a' with { type: 'text' }; console.log(a)"];
    assert_eq!(both(&import, "{}").1, "0 the contents of a\n\n");
}

#[test]
fn other_programs() {
    kept_by_the_kernel(&["sh", "-c", "ls data; echo done"], "{}", "0 a\nb\ndone\n", "Cannot fork");
    let some = r#"{"run": "cat", "read": "./data"}"#;
    let line = ["sh", "-c", "cat data/a; ls data"];
    kept_by_the_kernel(&line, some, "0 the contents of a\na\nb\n", " the contents of a\nsh: 1: ls: Permission denied");
}

#[test]
fn the_program_itself_once_more() {
    let again = "import os; os.execv('/usr/bin/env', ['env'])";
    let (_, narrowed) = both(&[PYTHON, "-c", again], "{}");
    assert!(narrowed.contains("Permission"), "{narrowed}");
    let again = "import os, sys; os.execv(sys.executable, ['python3', '-c', 'print(1)'])";
    kept_by_the_kernel(&[PYTHON, "-c", again], "{}", "0 1\n", "PermissionError");
}

/// No mount of its own takes a part out of what a child is granted. Those of the program do.
#[test]
fn a_part_of_a_folder_that_is_granted() {
    let error = |sandbox: &str| {
        let said = answers(&[sandbox]);
        said.contains("is denied to the child, but lies in a folder that is granted").then_some(()).ok_or(said)
    };
    error("{ write: './out', deny: { write: './out/old' } }").unwrap();
    error("{ write: './out', deny: { read: './out/old' } }").unwrap();
    let line = ["sh", "-c", "read x < data/a && echo $x; read x < data/b && echo $x"];
    let without_b = r#"{"read": "./data", "deny": {"read": "./data/b"}}"#;
    let (control, narrowed) = both(&line, without_b);
    assert_eq!(control, "0 the contents of a\nthe contents of b\n");
    assert!(narrowed.contains(" the contents of a\n") && narrowed.contains("data/b: Permission denied"), "{narrowed}");
}

#[test]
fn a_program_among_all_that_is_denied() {
    let all = |deny: &str| {
        project(&format!(
        "try {{
            const {{ stderr }} = Bun.spawnSync(['sh', '-c', 'ls'], {{ stderr: 'pipe', sandbox: {{ run: true, deny: {deny} }} }});
            console.log(stderr.toString());
        }} catch (error) {{ console.log(error.message) }}"
    ))
    };
    let program =
        |denied: &str| format!(r#"{{"run": true, "limits": {{"processes": 32}}, "deny": {{"run": [{denied}]}}}}"#);
    let said = run(&all("{ run: 'ls' }").file("policy.json", program("")));
    assert!(said.contains("/ls is denied to the child, but lies in a folder that is granted"), "{said}");
    let said = run(&all("{}").file("policy.json", program("\"ls\"")));
    assert!(said.contains("ls: Permission denied"), "{said}");
}

#[test]
fn variables() {
    let line = ["sh", "-c", "echo $APP_MODE ${PATH:+path} $TMPDIR"];
    kept_by_the_kernel(&line, "{}", "0 test path /tmp\n", "0 path /tmp\n");
    assert_eq!(both(&line, r#"{"env": "APP_MODE"}"#).1, "0 test path /tmp\n");
}

#[test]
fn signals_to_the_program() {
    kept_by_the_kernel(&["sh", "-c", "kill -0 $PPID && echo reached"], "{}", "0 reached\n", "kill:");
}

/// To Landlock these are nothing, and the mounts are those of the program.
#[test]
fn attributes_of_files_that_the_program_may_write_to() {
    let change = "import os; os.chmod('out/old', 0o600); os.utime('out/old', (1, 1)); print('changed')";
    kept_by_the_kernel(&[PYTHON, "-c", change], r#"{"read": "."}"#, "0 changed\n", "Error");
    let elsewhere = r#"{"write": "${TMP}"}"#;
    kept_by_the_kernel(&[PYTHON, "-c", change], elsewhere, "0 changed\n", "PermissionError");
    let same = r#"{"write": ["./out", "${TMP}"]}"#;
    assert_eq!(both(&[PYTHON, "-c", change], same).1, "0 changed\n");
}

#[test]
fn watching_folders() {
    let watch = "import ctypes, os; libc = ctypes.CDLL(None, use_errno=True); fd = libc.inotify_init1(0); \
                 print('watched' if libc.inotify_add_watch(fd, b'out', 2) >= 0 else os.strerror(ctypes.get_errno()))";
    kept_by_the_kernel(&[PYTHON, "-c", watch], r#"{"read": "./data"}"#, "0 watched\n", "not permitted");
}

#[test]
fn processes_of_others() {
    let look = "import os; open(f'/proc/{os.getppid()}/environ').read(); print('read')";
    kept_by_the_kernel(&[PYTHON, "-c", look], "{}", "0 read\n", "No such file");
}

#[test]
fn limits_of_a_process() {
    let line = ["sh", "-c", "ulimit -n; ulimit -f; ulimit -t"];
    let narrower = r#"{"limits": {"open_files": 20, "file_mb": 2, "cpu_ms": 1500}}"#;
    kept_by_the_kernel(&line, narrower, "0 1000\n2097152\nunlimited\n", "0 20\n4096\n3\n");
    let write = [PYTHON, "-c", "open('/tmp/large', 'wb').write(bytes(2 << 20)); print('written')"];
    let narrower = r#"{"write": "${TMP}", "limits": {"file_mb": 1}}"#;
    kept_by_the_kernel(&write, narrower, "0 written\n", "File too large");
}

#[test]
fn javascript_is_told_of_the_narrower_policy() {
    let code =
        "const said = []; const attempt = act => { try { said.push(act()) } catch (error) { said.push(error.name) } };
        attempt(() => eval('1 + 1')); attempt(() => require('fs').readFileSync('data/a', 'utf8').length);
        attempt(() => { try { require('fs').readFileSync('data/b') } catch (error) { return error.rule } });
        attempt(() => typeof WebAssembly); attempt(() => process.env.APP_MODE); console.log(said.join());";
    let (control, narrowed) = both(&["bun", "-e", code], r#"{"read": "./data/a", "wasm": false}"#);
    assert_eq!(control, "0 2,18,,object,test\n");
    assert_eq!(narrowed, "0 EvalError,18,default,undefined,\n");
}

const EVERY_STYLE: &str = "
    import * as cp from 'node:child_process';
    import { promisify } from 'node:util';
    import { createRequire } from 'node:module';
    const { execFileSync } = createRequire(import.meta.url)('child_process');
    const line = 'read x < data/a && echo $x || echo refused';
    const text = (child: cp.ChildProcess) => new Promise(resolve => {
        let said = '';
        child.stdout!.on('data', data => said += data);
        child.on('close', () => resolve(said));
    });
    const styles: Record<string, (options: object) => unknown> = {
        'Bun.spawn': options => new Response(Bun.spawn(['sh', '-c', line], options).stdout).text(),
        'Bun.spawn of an object': options => new Response(Bun.spawn({ cmd: ['sh', '-c', line], ...options }).stdout).text(),
        'Bun.spawnSync': options => Bun.spawnSync(['sh', '-c', line], options).stdout,
        'Bun.spawnSync of an object': options => Bun.spawnSync({ cmd: ['sh', '-c', line], ...options }).stdout,
        spawn: options => text(cp.spawn('sh', ['-c', line], options)),
        'spawn with a shell': options => text(cp.spawn(line, { shell: true, ...options })),
        spawnSync: options => cp.spawnSync('sh', ['-c', line], options).stdout,
        exec: options => text(cp.exec(line, options)),
        'exec as a promise': async options => (await promisify(cp.exec)(line, options)).stdout,
        execSync: options => cp.execSync(line, options),
        execFile: options => text(cp.execFile('sh', ['-c', line], options)),
        'execFile as a promise': async options => (await promisify(cp.execFile)('sh', ['-c', line], options)).stdout,
        execFileSync: options => cp.execFileSync('sh', ['-c', line], options),
        'execFileSync by require': options => execFileSync('sh', ['-c', line], options),
        fork: options => text(cp.fork('forked.ts', { silent: true, ...options })),
    };
    for (const [name, style] of Object.entries(styles)) {
        const start = async (options: object) => String(await style({ stderr: 'ignore', ...options })).trim();
        console.log(name + ':', await start({}), '/', await start({ sandbox: {} }));
    }";

#[test]
fn every_style_of_starting_one() {
    let forked =
        "try { console.log(require('node:fs').readFileSync('data/a', 'utf8')) } catch { console.log('refused') }";
    let folder = project(EVERY_STYLE).file("forked.ts", forked);
    let said = run(&folder);
    assert_eq!(said.lines().count(), 15, "{said}");
    for line in said.lines() {
        assert!(line.ends_with(": the contents of a / refused"), "{said}");
    }
}

#[test]
fn the_child_is_the_process_that_was_started() {
    let folder = project(
        "const sandbox = {};
        const child = Bun.spawn(['sh', '-c', 'read line; echo $line $$; exit 7'], { sandbox, stdin: 'pipe', argv0: 'shell' });
        child.stdin.write('a line\\n'), child.stdin.end();
        console.log(await new Response(child.stdout).text() === `a line ${child.pid}\\n`, await child.exited);
        const ended = Bun.spawn(['sh', '-c', 'echo ready; read never'], { sandbox, stdin: 'pipe' });
        for await (const chunk of ended.stdout) { ended.kill('SIGTERM'); break; }
        await ended.exited;
        console.log(ended.signalCode);
        const { stdout } = Bun.spawnSync(['sh', '-c', 'echo $0; echo $1'], { sandbox, argv0: 'name', cwd: 'data' });
        console.log(stdout.toString().trim());
        const pipe = Bun.spawnSync(['sh', '-c', 'kill -PIPE $$'], { sandbox });
        console.log(pipe.signalCode);",
    );
    assert_eq!(run(&folder), "true 7\nSIGTERM\nname\nSIGPIPE\n");
}

#[test]
fn messages() {
    let folder = project(
        "import { fork } from 'node:child_process';
        const child = fork('./answer.ts', { sandbox: {} });
        child.on('message', message => { console.log('node', message); child.kill(); });
        child.send('ping');
        const other = Bun.spawn(['bun', 'answer.ts'], { sandbox: {}, ipc: message => { console.log('bun', message); other.kill() } });
        await new Promise(resolve => child.on('exit', resolve));
        other.send('ping');
        await other.exited;",
    )
    .file("answer.ts", "process.on('message', message => process.send(message + ' pong'));");
    assert_eq!(run(&folder), "node ping pong\nbun ping pong\n");
}

/// What comes of `sandbox: VALUE`, for each of these.
fn answers(values: &[&str]) -> String {
    let values: Vec<String> = values.iter().map(|value| format!("() => ({value})")).collect();
    let folder = project(&format!(
        "for (const value of [{}]) {{
            try {{
                console.log(Bun.spawnSync(['sh', '-c', 'echo started'], {{ sandbox: value() }}).stdout.toString());
            }} catch (error) {{
                const {{ name, code, message, permission, resource, rule, fix }} = error;
                console.log(name, code + '\\n  ' + message);
                if (permission) console.log(' ', permission, resource, '|', rule, '|', fix);
            }}
        }}",
        values.join(", ")
    ));
    run(&folder).replace(&folder.text(""), "[PROJECT]")
}

#[test]
fn a_wider_policy_starts_nothing_and_is_named() {
    let said = answers(&[
        "{ read: '/etc/passwd' }",
        "{ write: './data', run: 'git' }",
        "{ read: './data', env: '*' }",
        "{ limits: { memory_mb: 64 } }",
        "{ kernel: { require: [] } }",
    ]);
    snapbox::assert_data_eq!(
        said,
        str![[r#"
SecurityError ERR_ACCESS_DENIED
  the policy of the child is wider than that of its program: allow.read "/etc/passwd" (sandbox:1:9) reads what is not granted there. To start it, narrow the child's policy, or grant its program more
  read /etc/passwd | allow.read "/etc/passwd" (sandbox:1:9) | narrow the child's policy, or grant its program more
SecurityError ERR_ACCESS_DENIED
  the policy of the child is wider than that of its program: allow.write "./data" (sandbox:1:10) writes what is not granted there; allow.run "git" (sandbox:1:25) is not granted there. To start it, narrow the child's policy, or grant its program more
  write ./data | allow.write "./data" (sandbox:1:10) | narrow the child's policy, or grant its program more
SecurityError ERR_ACCESS_DENIED
  the policy of the child is wider than that of its program: allow.env "*" (sandbox:1:24) is not granted there. To start it, narrow the child's policy, or grant its program more
  env * | allow.env "*" (sandbox:1:24) | narrow the child's policy, or grant its program more
SecurityError ERR_ACCESS_DENIED
  the policy of the child is wider than that of its program: limits.memory_mb is counted for the whole tree, and is no lower for one child. To start it, narrow the child's policy, or grant its program more
  run null | limits.memory_mb | narrow the child's policy, or grant its program more
SecurityError ERR_ACCESS_DENIED
  the policy of the child is wider than that of its program: kernel is for a whole run: the layers of a child are those of its program. To start it, narrow the child's policy, or grant its program more
  run null | kernel | narrow the child's policy, or grant its program more

"#]]
    );
}

#[test]
fn what_is_no_policy_starts_nothing() {
    let said = answers(&[
        "{ raed: './data' }",
        "5",
        "['script']",
        "'nobody'",
        "() => ({})",
        "{ extends: './missing.json' }",
        "{ deny: { run: 'sh' } }",
    ]);
    snapbox::assert_data_eq!(
        said,
        str![[r#"
TypeError ERR_INVALID_ARG_VALUE
  Bun.spawnSync: "sandbox" is not a valid policy: sandbox:1:2: unknown key "raed" in the policy (did you mean "read"?)
TypeError ERR_INVALID_ARG_VALUE
  Bun.spawnSync: "sandbox" has to be a policy: an object, or the name of a preset or of a policy file
TypeError ERR_INVALID_ARG_VALUE
  Bun.spawnSync: "sandbox" has to be a policy: an object, or the name of a preset or of a policy file
TypeError ERR_INVALID_ARG_VALUE
  Bun.spawnSync: "sandbox" is not a valid policy: sandbox:1:12: "nobody" is neither a preset nor a policy file (the presets are function, fetch, script, bun-install, bun-test, bun-x, bun-build, dev, trusted; a file is written ./base.json)
TypeError ERR_INVALID_ARG_VALUE
  Bun.spawnSync: "sandbox" has to be a policy: an object, or the name of a preset or of a policy file
TypeError ERR_INVALID_ARG_VALUE
  Bun.spawnSync: "sandbox" is not a valid policy: sandbox:1:12: cannot read [FOLDER]/missing.json: No such file or directory (os error 2)
Error undefined
  Bun.spawnSync: [..]/sh is denied by deny.run "sh" (sandbox:1:16)

"#]]
    );
}

/// What the launcher does for a program it does for that one alone.
#[test]
fn what_reaches_the_network_is_refused_by_name() {
    for (key, value) in [("secrets", "'A'"), ("host", "'a.b'")] {
        let said = answers(&[&format!("{{ {key}: {value} }}")]);
        assert!(said.contains(&format!("allow.{key} is not available yet")), "{said}");
    }
}

/// The launcher answers for the whole tree: a child has what its program has, or the kernel gives it no sockets.
#[test]
fn the_network_of_its_program_or_none() {
    let [granted, other] = [(); 2].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let [granted_at, other_at] = [&granted, &other].map(|server| server.local_addr().unwrap().to_string());
    let child = format!(
        "import net from 'node:net';
        const reach = (address: string) => new Promise((resolve) => {{
            const [host, port] = address.split(':');
            const socket = net.connect(Number(port), host, () => {{ socket.destroy(); resolve('reached'); }});
            socket.on('error', (error: any) => resolve(error.code));
        }});
        console.log(await reach('{granted_at}'), await reach('{other_at}'));"
    );
    let act = |sandbox: &str| {
        let main = format!(
            "try {{
                console.log(Bun.spawnSync(['bun', 'child.ts'], {{ sandbox: {sandbox}, stderr: 'inherit' }}).stdout.toString().trim());
            }} catch (error) {{ console.log(error.name, error.message); }}"
        );
        let policy = format!(r#"{{"extends": "script", "run": "bun", "net": "{granted_at}", "listen": 3000}}"#);
        let folder =
            Folder::with("main.ts", main).package().file("policy.json", policy).file("child.ts", child.clone());
        folder.secure_bun(["run", "--policy", "policy.json", "main.ts"]).prints()
    };
    assert_eq!(act("undefined"), "reached ECONNREFUSED\n");
    assert_eq!(act(&format!("{{ net: '{granted_at}', listen: 3000 }}")), "reached ECONNREFUSED\n");
    assert_eq!(act("{}"), "ERR_ACCESS_DENIED ERR_ACCESS_DENIED\n");
    let part = act(&format!("{{ net: '{granted_at}' }}"));
    let words =
        "the network of a child is all that its program has, or nothing: allow.listen \"*:3000\" makes a difference";
    assert!(part.starts_with("TypeError") && part.contains(words), "{part}");
    let wider = act(&format!("{{ net: ['{granted_at}', '{other_at}'], listen: 3000 }}"));
    assert!(wider.starts_with("SecurityError") && wider.contains(&other_at), "{wider}");
}

#[test]
fn a_preset_a_file_and_nothing() {
    let folder = project(
        "for (const sandbox of ['script', './child.json', undefined, null]) {
            const { stdout, stderr } = Bun.spawnSync(['sh', '-c', 'read x < data/b; echo $x'], { sandbox });
            console.log(stdout.toString().trim(), stderr.toString().includes('denied'));
        }",
    )
    .file("child.json", r#"{"read": "./data/a"}"#);
    assert_eq!(run(&folder), "the contents of b false\n true\nthe contents of b false\nthe contents of b false\n");
}

#[test]
fn what_is_refused_is_listed() {
    let folder =
        project("export default () => { try { Bun.spawn(['sh'], { sandbox: { read: '/etc/passwd' } }) } catch {} };");
    let envelope = folder.secure_bun(["run", JSON, "--policy", "policy.json", "main.ts"]).envelope();
    assert_eq!(envelope.text("/denials/0/permission"), "read");
    assert_eq!(envelope.text("/denials/0/resource"), "/etc/passwd");
}

#[test]
fn narrower_twice() {
    let inner = "
        const start = sandbox => {
            try {
                const { stdout, stderr } = Bun.spawnSync(['sh', '-c', 'read x < data/a; read y < data/b; echo $x $y'], { sandbox });
                console.log(stdout.toString().trim(), stderr.toString().includes('data/b'));
            } catch (error) { console.log(error.rule) }
        };
        start(undefined), start({ read: './data/a' }), start({ read: './out' });";
    let (_, narrowed) = both(&["bun", "-e", inner], r#"{"run": "sh", "read": "./data"}"#);
    assert_eq!(
        narrowed,
        "0 the contents of a the contents of b false\nthe contents of a true\nallow.read \"./out\" (sandbox:1:9)\n"
    );
}

#[test]
fn there_is_an_end_to_it() {
    let nest = r#"/run/secure-bun/narrow '{"run": "sh", "read": "./nest"}' sh nest $(($1 + 1)) || echo $1 $?"#;
    let folder = project(
        "console.log(Bun.spawnSync(['sh', 'nest', '1']).stdout + '', Bun.spawnSync(['sh', 'nest', '1']).stderr + '');",
    )
    .file("nest", nest);
    let said = run(&folder);
    // One is that of the program.
    assert!(said.starts_with("16 125\n"), "{said}");
    assert!(said.contains("cannot be made any narrower: the kernel keeps 16 sandboxes in one another"), "{said}");
}

/// The JavaScript of a child is as good as its author: without the preload, the kernel answers.
#[test]
fn a_child_without_its_preload() {
    let read =
        "try { require('fs').readFileSync('data/b'); console.log('read') } catch (error) { console.log(error.code) }";
    let code = format!(
        "const start = options => console.log(Bun.spawnSync([process.execPath, '-e', {}], options).stdout.toString().trim());
        start({{ env: {{}} }});
        start({{ env: {{ ...process.env, SECURE_BUN_CHILD_POLICY: '', SECURE_BUN_CHILD_TABLE: '', BUN_OPTIONS: '' }} }});",
        serde_json::json!(read)
    );
    let (control, narrowed) = both(&["bun", "-e", &code], r#"{"run": "bun", "read": "./data/a", "import": []}"#);
    assert_eq!(control, "0 read\nread\n");
    assert_eq!(narrowed, "0 EACCES\nEACCES\n");
}

/// The variable is what a child is compared with, and no more than that.
#[test]
fn a_child_that_forges_its_own_policy() {
    let forge = "SECURE_BUN_CHILD_POLICY='{\"run\": \"sh\", \"read\": \"'$PWD'/data\"}'; export SECURE_BUN_CHILD_POLICY
        exec /run/secure-bun/narrow '{\"read\": \"./data\"}' sh -c 'read x < data/b && echo $x'";
    let sandbox = r#"{"run": "sh", "read": "./data/a"}"#;
    kept_by_the_kernel(&["sh", "-c", forge], sandbox, "0 the contents of b\n", "Permission denied");
}

#[test]
fn a_shell_may_narrow_too() {
    let folder = project("").file("policy.json", r#"{"run": "sh", "read": "./data"}"#);
    let spawn = |line: &str| folder.secure_bun(["spawn", "--policy", "policy.json", "--", "sh", "-c", line]).end();
    let ended =
        spawn("/run/secure-bun/narrow '{\"read\": \"./data/a\"}' sh -c 'read x < data/a; read y < data/b; echo $x $y'");
    assert!(ended.stdout() == "the contents of a\n" && ended.stderr().contains("data/b"), "{ended}");
    spawn("exec /run/secure-bun/narrow '{\"raed\": \".\"}' sh").is(str![[r#"
exit code 2
--- stderr
error: unknown key "raed" in the policy
 --> sandbox:1:2
  |
1 | {"raed": "."}
  |  ^^^^^^
  |
  = help: did you mean "read"?

"#]]);
    spawn("exec /run/secure-bun/narrow '{\"read\": \"/\"}' sh").is(str![[r#"
exit code 2
--- stderr
secure-bun: error: the policy of the child is wider than that of its program: allow.read "/" (sandbox:1:10) reads what is not granted there
secure-bun: help: narrow the child's policy, or grant its program more

"#]]);
    spawn("exec /run/secure-bun/narrow {} git").is(str![[r#"
exit code 127
--- stderr
secure-bun: error: there is no program git on PATH
secure-bun: help: name it with its path

"#]]);
    spawn("exec /run/secure-bun/narrow {}").is(str![[r#"
exit code 2
--- stderr
secure-bun: error: what to run is missing
secure-bun: help: narrow [--check] [--name NAME] POLICY PROGRAM [ARGUMENTS…]

"#]]);
}

/// Where nothing can be started there is nothing to narrow.
#[test]
fn it_is_there_where_programs_are() {
    let folder = Folder::with("main.ts", "console.log(require('node:fs').existsSync('/run/secure-bun/narrow'));");
    assert_eq!(folder.secure_bun(["run", "main.ts"]).prints(), "false\n");
}
