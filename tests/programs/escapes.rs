//! Ways to run what is not granted, through a shell or an interpreter that is. Each works outside. Inside, everything
//! that the program can write to is mounted noexec, and Landlock lets nothing be executed but what is granted.

use std::path::{Path, PathBuf};

use secure_bun_tests::Folder;

use super::granting;

/// Copies the program `evil` and the library `evil.so` into a temporary folder `$D`, and runs a line of shell there.
const DROPPER: &str = "
    import { chmodSync, copyFileSync, mkdtempSync, rmSync } from 'node:fs';
    import { tmpdir } from 'node:os';
    const D = mkdtempSync(tmpdir() + '/evil-');
    for (const name of ['evil', 'evil.so', 'evil.sh']) {
        copyFileSync(import.meta.dirname + '/' + name, D + '/' + name);
        chmodSync(D + '/' + name, 0o755);
    }
    const { exitCode, stdout, stderr } = Bun.spawnSync(['sh', '-c', LINE], { env: { ...process.env, D, HERE: import.meta.dirname } });
    rmSync(D, { recursive: true });
    console.log(exitCode + ' ' + stdout + stderr);
";

/// The test's own shell, and the libraries it has loaded.
fn libraries() -> Vec<PathBuf> {
    let script = "while read -r _ _ _ _ _ path; do echo \"$path\"; done < /proc/self/maps";
    let output = std::process::Command::new("/bin/sh").args(["-c", script]).output().unwrap();
    let mut paths: Vec<PathBuf> = String::from_utf8(output.stdout).unwrap().lines().map(PathBuf::from).collect();
    paths.retain(|path| path.is_absolute());
    paths.dedup();
    paths
}

pub(crate) fn library(name: &str) -> PathBuf {
    let is_it = |path: &PathBuf| path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(name));
    libraries().into_iter().find(is_it).unwrap_or_else(|| panic!("a shell has {name}"))
}

fn dropping(programs: &str, line: &str) -> Folder {
    let line = serde_json::Value::from(line);
    let contents = |path: &Path| std::fs::read(path).unwrap();
    granting(programs, &DROPPER.replace("LINE", &line.to_string()))
        .file("evil", contents(Path::new("/bin/echo")))
        .file("evil.so", contents(&library("libc")))
        .file("evil.sh", "#!/bin/sh\necho evil\n")
}

/// The line prints `evil` outside; inside it says `refusal` instead.
#[track_caller]
fn stopped(programs: &str, line: &str, refusal: &str) {
    let folder = dropping(programs, line);
    let outside = folder.bun(["run", "main.ts"]).end();
    assert_eq!(outside.stdout(), "0 evil\n\n", "the test shows nothing: {outside}");
    let inside = folder.secure_bun(["run", "--policy", "policy.json", "main.ts"]).end();
    assert_eq!(inside.code(), 0, "{inside}");
    assert!(!inside.stdout().contains("evil\n\n") && inside.stdout().contains(refusal), "{inside}");
}

#[test]
fn a_program_dropped_into_a_temporary_folder() {
    stopped(r#"["sh"]"#, "$D/evil evil", "Permission denied");
}

#[test]
fn a_program_of_the_project() {
    stopped(r#"["sh"]"#, "chmod +x ./evil 2>/dev/null; /bin/sh -c '$D/evil evil'", "Permission denied");
}

#[test]
fn another_program_of_the_host() {
    stopped(r#"["sh"]"#, "/bin/echo evil", "not found");
}

/// The program of the shell, and the shell itself.
#[test]
fn cutting_off_what_may_only_be_read() {
    for line in ["truncate -s 0 $HERE/evil.sh && echo evil", ": > $HERE/evil.sh && echo evil"] {
        stopped(r#"["sh", "truncate"]"#, line, "Read-only file system");
    }
}

/// Read by an interpreter that is granted, a script is data. Executed, it is a program.
#[test]
fn a_dropped_script() {
    stopped(r#"["sh"]"#, "$D/evil.sh", "Permission denied");
}

#[test]
fn a_dropped_program_by_way_of_the_loader() {
    let loader = library("ld");
    stopped(
        r#"["sh"]"#,
        &format!("for loader in {} /lib64/ld-linux-*; do exec $loader $D/evil evil; done", loader.display()),
        "failed to map segment",
    );
}

/// The loader is there for the granted programs, and so is everything that it could load; but not the sandbox's Bun.
#[test]
fn bun_itself_where_it_is_not_granted() {
    let folder = granting(
        r#"["sh"]"#,
        "const { stdout, stderr } = Bun.spawnSync(['sh', '-c', process.execPath + ' -e 1 || exec ' + LOADER + ' ' +
            process.execPath + ' -e \"console.log(1)\"']);
         console.log(stdout.toString() + stderr.toString());",
    );
    let source = folder.read("main.ts").replace("LOADER", &format!("'{}'", library("ld").display()));
    let folder = folder.file("main.ts", source);
    assert!(folder.bun(["run", "main.ts"]).prints().starts_with('\n'), "it runs outside");
    let inside = folder.secure_bun(["run", "--policy", "policy.json", "main.ts"]).prints();
    assert!(inside.contains("bun: Permission denied") && inside.contains("failed to map segment"), "{inside}");
}

const IS_LOADED: &str = "while read -r line; do case $line in *evil*) echo evil; break;; esac; done < /proc/self/maps";

#[test]
fn a_dropped_library_by_ld_preload() {
    stopped(
        r#"["sh"]"#,
        &format!("LD_PRELOAD=$D/evil.so exec sh -c '{IS_LOADED}'"),
        "from LD_PRELOAD cannot be preloaded (failed to map segment from shared object)",
    );
}

#[test]
fn a_dropped_library_by_ld_library_path() {
    let name = library("libc").file_name().unwrap().to_string_lossy().into_owned();
    let link = format!("cd $D && ln -s evil.so {name} && LD_LIBRARY_PATH=$D exec sh -c '{IS_LOADED}'");
    stopped(r#"["sh", "ln"]"#, &link, "failed to map segment from shared object");
}

#[test]
fn a_dropped_library_by_an_interpreter() {
    stopped(
        r#"["sh", "python3"]"#,
        "python3 -c 'import ctypes, os; ctypes.CDLL(os.environ[\"D\"] + \"/evil.so\"); print(\"evil\")'",
        "failed to map segment from shared object",
    );
}

#[test]
fn a_program_in_memory() {
    let source = "import os; fd = os.memfd_create(\"x\"); os.write(fd, open(os.environ[\"D\"] + \"/evil\", \"rb\").read()); \
                  os.execve(fd, [\"echo\", \"evil\"], {})";
    stopped(r#"["sh", "python3"]"#, &format!("python3 -c '{source}'"), "Function not implemented");
}

#[test]
fn a_path_with_a_folder_of_ones_own() {
    let line = "cd $D && mv evil ls && PATH=$D:$PATH && ls evil";
    stopped(r#"["sh", "mv"]"#, line, "Permission denied");
    let folder = granting(r#"["sh", "git"]"#, "console.log(process.env.PATH);");
    let path = folder.secure_bun(["run", "--policy", "policy.json", "main.ts"]).env("PATH", "/tmp:/usr/bin:/bin");
    let path = path.prints();
    assert!(
        path.trim()
            .split(':')
            .all(|folder| folder.starts_with("/usr/") || folder.starts_with("/run/") || folder == "/bin"),
        "{path}"
    );
}

#[test]
fn an_interpreter_that_is_not_granted() {
    let line = "printf '#!/bin/echo evil\\n' > $D/evil.sh; $D/evil.sh >$D/out; read -r word _ < $D/out; echo $word";
    stopped(r#"["sh"]"#, line, "Permission denied");
}

/// Set-user-id programs are as good as any other.
#[test]
fn privileges() {
    let line = "while read -r name value; do case $name in NoNewPrivs:) [ $value = 0 ] && echo evil;; esac; done \
                < /proc/self/status; [ -u /usr/bin/su ] || echo no su";
    let folder = dropping(r#"["sh", "/usr/bin/su"]"#, line);
    assert_eq!(folder.bun(["run", "main.ts"]).end().stdout(), "0 evil\n\n");
    assert_eq!(folder.secure_bun(["run", "--policy", "policy.json", "main.ts"]).end().stdout(), "0 \n");
}

/// What python says of the act, outside and inside.
#[track_caller]
fn python(source: &str) -> (String, String) {
    let source = serde_json::Value::from(source).to_string();
    let program = format!(
        "const p = Bun.spawnSync(['python3', '-c', {source}]); console.log(p.stdout.toString() + p.stderr.toString());"
    );
    let folder = granting(r#"["python3"]"#, &program);
    let inside = folder.secure_bun(["run", "--policy", "policy.json", "main.ts"]);
    (folder.bun(["run", "main.ts"]).prints(), inside.prints())
}

#[test]
fn the_memory_of_a_child_is_not_written_to() {
    let source = "import os, time
pid = os.fork()
if pid == 0:
    time.sleep(20)
try:
    open(f'/proc/{pid}/mem', 'r+b').close()
    print('opened')
finally:
    os.kill(pid, 9)";
    let (outside, inside) = python(source);
    assert_eq!(outside, "opened\n\n");
    assert!(inside.contains("Read-only file system"), "{inside}");
}

#[test]
fn other_processes_are_neither_traced_nor_read() {
    let source = "import os, time, ctypes
libc = ctypes.CDLL(None, use_errno=True)
pid = os.fork()
if pid == 0:
    time.sleep(20)
print('attach', libc.ptrace(16, pid, 0, 0), libc.process_vm_readv(pid, 0, 0, 0, 0, 0))
os.kill(pid, 9)";
    let (outside, inside) = python(source);
    assert_eq!(outside, "attach 0 0\n\n");
    assert_eq!(inside, "attach -1 -1\n\n");
}

#[test]
fn processes_outside_are_not_signalled_and_not_seen() {
    let mut other = std::process::Command::new("/bin/sleep").arg("100").spawn().unwrap();
    let source = format!(
        "import os\nprint(os.path.exists('/proc/{0}/cmdline'))\ntry:\n    os.kill({0}, 0)\n    print('there')\nexcept \
         ProcessLookupError:\n    print('nobody')\nprint(os.path.exists('/proc/1'))",
        other.id()
    );
    let (outside, inside) = python(&source);
    other.kill().unwrap();
    other.wait().unwrap();
    assert_eq!(outside, "True\nthere\nTrue\n\n");
    assert_eq!(inside, "False\nnobody\nFalse\n\n");
}

/// /proc shows each process the network that it is in.
#[test]
fn the_network_of_the_host_is_not_to_be_seen() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let source = format!(
        "print(any('0100007F:{:04X}' in line for line in open('/proc/self/net/tcp')))",
        listener.local_addr().unwrap().port()
    );
    assert_eq!(python(&source), ("True\n\n".to_owned(), "False\n\n".to_owned()));
}

#[test]
fn init_is_not_for_the_program_to_end() {
    let source = "import os
for number in (9, 15, 2, 1):
    try:
        os.kill(1, number)
    except PermissionError:
        pass
print('still here')";
    let folder = granting(r#"["python3"]"#, "console.log(Bun.spawnSync(['python3', 'a.py']).stdout.toString());");
    let folder = folder.file("a.py", source);
    let inside = folder.secure_bun(["run", "--policy", "policy.json", "main.ts"]).prints();
    assert_eq!(inside, "still here\n\n");
}

#[test]
fn namespaces_are_out_of_reach() {
    let source = "import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
pid = os.fork()
if pid == 0:
    os._exit(0 if libc.unshare(0x10000000) == 0 else ctypes.get_errno())
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
SYS_clone = 56 if os.uname().machine == 'x86_64' else 220
child = libc.syscall(SYS_clone, 0x10000000 | 17, 0, 0, 0, 0)
if child == 0:
    os._exit(0)
print('a namespace' if child > 0 else os.strerror(ctypes.get_errno()))";
    let (outside, inside) = python(source);
    // A host may refuse user namespaces itself.
    assert!(
        outside.ends_with("a namespace\n\n") || outside.contains("No space left") || outside.contains("not permitted"),
        "{outside}"
    );
    assert_eq!(inside, "1\nOperation not permitted\n\n");
}
