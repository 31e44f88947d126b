//! Programs that may be started, in the hands of an attacker: a shell and Python, with all of the C library.

use secure_bun_tests::Folder;
use serde_json::{Value, json};

use super::Attack;

const PYTHON: &str = r#"{"run": ["sh", "python3"], "limits": {"processes": 16, "wall_ms": 20000}}"#;

/// What Python prints. `call(number, …)` makes a system call and gives its result, or the errno as a negative number.
fn python(line: &str) -> Attack {
    let script = format!(
        "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n\
         def call(*words):\n    answer = libc.syscall(*words)\n    return -ctypes.get_errno() if answer == -1 else answer\n\
         print({line})"
    );
    let script = Value::from(script);
    let run = format!(
        "(() => {{ const {{ stdout, stderr }} = Bun.spawnSync(['python3', '-c', {script}]);
            const text = stdout.toString().trim(); return text === '' ? '!' + stderr.toString() : JSON.parse(text); }})()"
    );
    Attack::new(Folder::new(), &run).under(PYTHON)
}

#[test]
fn the_process_group_of_the_launcher() {
    let kill = "Bun.spawnSync(['sh', '-c', 'kill -9 0; echo survived']).stdout.toString()";
    let attack = Attack::new(Folder::new(), kill).under(PYTHON);
    let outside = attack.folder.bun(["run", "outside.ts"]).end();
    assert!(outside.signal().is_some(), "the test shows nothing: {outside}");
    assert_eq!(attack.inside().1.result(), "survived\n");
}

#[test]
fn system_calls_that_reach_beyond_the_sandbox() {
    for (call, errno) in [
        (format!("call({}, 2, 1, 0)", libc::SYS_socket), libc::EAFNOSUPPORT),
        (format!("call({}, 1, 1, 0)", libc::SYS_socket), libc::EAFNOSUPPORT),
        (format!("call({}, {})", libc::SYS_unshare, libc::CLONE_FS), libc::EPERM),
        (format!("call({}, {}, 0, 0, 0)", libc::SYS_ptrace, libc::PTRACE_TRACEME), libc::EPERM),
        (format!("call({}, 0, os.getppid(), 0)", libc::SYS_setpriority), libc::EACCES),
        (format!("call({}, b'x', 0)", libc::SYS_memfd_create), libc::ENOSYS),
        (format!("call({}, 2, 0, ctypes.byref(ctypes.c_uint(0x7fff0000)))", libc::SYS_seccomp), libc::EPERM),
    ] {
        python(&call).refused_with(errno);
    }
}

#[test]
fn signalling_init() {
    // Signal 0 only asks whether one may: outside, one's own parent.
    let attack = python(&format!("call({}, os.getppid(), 0)", libc::SYS_kill));
    attack.comes_to(|_| (), &json!(0));
    let (_, envelope) = python(&format!("call({}, 1, 9)", libc::SYS_kill)).inside();
    assert_eq!(envelope.result(), &json!(-libc::EPERM));
}

#[test]
fn descriptors_of_the_program_and_of_the_launcher() {
    // The last one is the listing itself.
    let (_, envelope) = python("[int(fd) for fd in os.listdir('/proc/self/fd')]").inside();
    assert_eq!(envelope.result(), &json!([0, 1, 2, 3]));
    let speak = "Bun.spawnSync(['sh', '-c', 'echo evil >&3']).exitCode === 0 ? 0 : -1";
    let (_, envelope) = Attack::new(Folder::new(), speak).under(PYTHON).inside();
    assert_eq!(envelope.result(), &json!(-1), "the channel is not a child's");
}

#[test]
fn processes_of_the_host() {
    let list = "[int(name) for name in os.listdir('/proc') if name.isdigit()]";
    let attack = python(list);
    let host = attack.outside();
    assert!(host.as_array().unwrap().contains(&json!(std::process::id())), "the test shows nothing: {host}");
    let (_, envelope) = attack.inside();
    let inside = envelope.result().as_array().unwrap();
    assert!(inside.len() == 2 && inside.iter().all(|pid| (2..20).contains(&pid.as_i64().unwrap())), "{inside:?}");
}

#[test]
fn the_memory_of_the_program_by_another() {
    // Whether one may outside is the machine's own rule; that there is such a file is what the attack needs.
    let write = "(lambda path: [os.path.exists(path), os.open(path, os.O_RDWR)])(f'/proc/{os.getppid()}/mem')";
    let (_, envelope) = python(write).inside();
    let refusal = envelope.result().as_str().unwrap();
    assert!(refusal.contains("Read-only file system"), "{refusal}");
}

#[test]
fn more_processes_than_granted() {
    let fork = "[os.fork() and 1 or (__import__('time').sleep(2), os._exit(0)) for _ in range(40)]";
    let attack = python(fork);
    assert_eq!(attack.outside().as_array().unwrap().len(), 40);
    let envelope = attack.inside().1;
    assert_eq!(envelope.at("/error/limit"), "processes", "{}", envelope.json);
}
