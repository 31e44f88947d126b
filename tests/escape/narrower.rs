//! A child in a narrower sandbox than that of the program which starts it, and Python in it: outside it reaches a file
//! beside those that it is granted, inside its program does and it does not.

use secure_bun_tests::Folder;
use serde_json::{Value, json};

use super::Attack;

const PROGRAM: &str = r#"{"run": ["sh", "python3"], "read": ["."], "write": ["./out", "${TMP}"],
    "limits": {"processes": 16, "wall_ms": 20000}}"#;

/// What Python gives for an expression, as a child with next to nothing; the name of the error where it throws one.
fn child(expression: &str) -> Attack {
    let script = format!(
        "import ctypes, json, os, resource, struct\nlibc = ctypes.CDLL(None, use_errno=True)\n\
         def call(*words):\n    answer = libc.syscall(*words)\n    return -ctypes.get_errno() if answer == -1 else answer\n\
         def read(path, **where):\n    return os.read(os.open(path, os.O_RDONLY, **where), 99).decode()\n\
         def first(*steps):\n    return steps[-1]\n\
         try:\n    said = {expression}\nexcept OSError as error:\n    said = '!' + os.strerror(error.errno)\n\
         print(json.dumps(said))"
    );
    let run = format!(
        "(() => {{ const {{ stdout, stderr }} = Bun.spawnSync(['python3', '-c', {}], {{ stderr: 'pipe',
                sandbox: {{ read: './open', write: './out' }} }});
            const text = stdout.toString().trim(); return text === '' ? '!' + stderr.toString() : JSON.parse(text); }})()",
        Value::from(script)
    );
    let folder = Folder::with("secret.txt", "secret").file("open/a", "open").file("out/old", "old");
    Attack::new(folder, &run).under(PROGRAM)
}

#[test]
fn it_reads_what_it_is_granted() {
    child("read('open/a')").comes_to(|_| (), &json!("open"));
}

#[test]
fn other_ways_to_a_file() {
    for way in [
        "read('secret.txt')",
        "read('secret.txt', dir_fd=os.open('.', os.O_PATH))",
        "read('/proc/self/cwd/secret.txt')",
        "read('/proc/self/root' + os.getcwd() + '/secret.txt')",
        "read('/proc/thread-self/root' + os.getcwd() + '/secret.txt')",
        "first(os.symlink('../secret.txt', 'out/link'), read('out/link'))",
        "first(os.chdir('open'), read('../secret.txt'))",
        "read(f'/proc/self/fd/{os.open(\"secret.txt\", os.O_PATH)}')",
    ] {
        let attack = child(way);
        let undo = |folder: &Folder| drop(std::fs::remove_file(folder.path("out/link")));
        attack.undone_fails_with(undo, "Permission denied");
    }
}

#[test]
fn the_file_comes_to_a_place_that_is_granted() {
    let undo = |folder: &Folder| {
        for name in ["out/hard", "out/moved"] {
            let _ = std::fs::remove_file(folder.path(name));
        }
        std::fs::write(folder.path("secret.txt"), "secret").unwrap();
    };
    let writes_all = PROGRAM.replace("./out", ".");
    for (way, by_landlock) in [
        ("first(os.link('secret.txt', 'out/hard'), read('out/hard'))", "Invalid cross-device link"),
        ("first(os.rename('secret.txt', 'out/moved'), read('out/moved'))", "Permission denied"),
    ] {
        child(way).undone_fails_with(undo, "Invalid cross-device link");
        child(way).under(&writes_all).undone_fails_with(undo, by_landlock);
    }
}

/// A domain is stacked on those that are there, and a filter too: what is allowed once more is not allowed more.
#[test]
fn sandboxes_of_its_own_that_allow_everything() {
    let [create, add, restrict] =
        [libc::SYS_landlock_create_ruleset, libc::SYS_landlock_add_rule, libc::SYS_landlock_restrict_self];
    let landlock = format!(
        "first({NO_NEW_PRIVILEGES}, (lambda rules: first(\
             call({add}, rules, 1, struct.pack('=Qi', 1 << 2, os.open('/', os.O_PATH)), 0), call({restrict}, rules, 0))\
         )(call({create}, ctypes.byref(ctypes.c_uint64(1 << 2)), 8, 0)), read('secret.txt'))"
    );
    child(&landlock).fails_with("Permission denied");
    let filter = format!("first({NO_NEW_PRIVILEGES}, {}, read('secret.txt'))", filter(0));
    child(&filter).fails_with("Permission denied");
}

/// What Landlock and seccomp ask for outside; inside it holds already.
const NO_NEW_PRIVILEGES: &str = "libc.prctl(38, 1, 0, 0, 0)";

/// `seccomp` with a filter that allows everything, and these flags.
fn filter(flags: u32) -> String {
    format!(
        "(lambda code: call({}, 1, {flags}, struct.pack('HxxxxxxP', 1, ctypes.addressof(code))))\
         (ctypes.create_string_buffer(struct.pack('HBBI', 6, 0, 0, 0x7fff0000)))",
        libc::SYS_seccomp
    )
}

/// Whoever holds the listener of a filter may answer for what is asked, also for those it was not meant for.
#[test]
fn a_filter_with_a_listener() {
    let listener = format!("first({NO_NEW_PRIVILEGES}, {})", filter(1 << 3));
    let attack = child(&listener);
    assert!(attack.outside().as_i64().unwrap() >= 0, "the test shows nothing");
    let program = attack.folder.read("fn.ts").replace("sandbox:", "nothing:");
    for source in [attack.folder.read("fn.ts"), program] {
        let folder = child("0").folder.file("fn.ts", source);
        let attack = Attack { folder, policy: PROGRAM.into() };
        assert_eq!(attack.inside().1.result(), &json!(-libc::EPERM));
    }
}

/// With a limit of 0 the host's handler of core dumps would be started for a crash inside, as root.
#[test]
fn the_limit_of_core_dumps() {
    let attack = child("first(resource.setrlimit(resource.RLIMIT_CORE, (0, 0)), 1)");
    assert_eq!(attack.outside(), json!(1));
    let (_, envelope) = attack.inside();
    assert!(envelope.result().as_str().unwrap().contains("not allowed"), "{}", envelope.json);
}

#[test]
fn the_program_that_started_it() {
    let parent = "os.getppid()";
    for (way, errno) in [
        (format!("call({}, {parent}, 0)", libc::SYS_kill), libc::EPERM),
        (format!("call({}, {parent}, {parent}, 0)", libc::SYS_tgkill), libc::EPERM),
    ] {
        child(&way).refused_with(errno);
    }
    for way in ["read(f'/proc/{os.getppid()}/environ')", "os.readlink(f'/proc/{os.getppid()}/fd/0')"] {
        child(way).fails_with("No such file or directory");
    }
}
