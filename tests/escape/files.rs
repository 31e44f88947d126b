//! Links, renames and metadata: ways from what is granted to what is not.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use secure_bun_tests::Folder;
use serde_json::json;

use super::{Attack, NATIVE_WRITER, WRITER, secret};

/// A tree that may be written to, with something in it that may not be read.
const MASKED: &str = r#"{"ffi": true, "write": ["./out"], "deny": {"read": ["./out/sub/key.txt"]}}"#;

fn masked() -> Folder {
    Folder::with("out/sub/key.txt", "secret").file("out/own.txt", "own")
}

#[test]
fn a_chain_of_symbolic_links() {
    let target = secret();
    let act = format!(
        "(raw.symlinkSync('b', 'out/a'), raw.symlinkSync('{}', 'out/b'), raw.readFileSync('out/a', 'utf8'))",
        target.text("secret.txt")
    );
    let remove = |folder: &Folder| ["out/a", "out/b"].map(|link| fs::remove_file(folder.path(link)).unwrap());
    Attack::new(Folder::new(), &act).under(WRITER).undone_fails_with(|folder| _ = remove(folder), "ENOENT");
}

#[test]
fn a_symbolic_link_to_the_program_itself() {
    let act = "(raw.symlinkSync('../lib.ts', 'out/lib.ts'), raw.writeFileSync('out/lib.ts', 'evil'), 0)";
    let undo = |folder: &Folder| {
        fs::write(folder.path("lib.ts"), "honest").unwrap();
        fs::remove_file(folder.path("out/lib.ts")).unwrap();
    };
    let folder = Attack::new(Folder::with("lib.ts", "honest"), act).under(WRITER).undone_fails_with(undo, "EROFS");
    assert_eq!(folder.read("lib.ts"), "honest");
}

#[test]
fn a_folder_link_up_to_the_root() {
    let target = secret();
    let act = format!(
        "(raw.symlinkSync('/', 'out/root'), raw.readFileSync('out/root{}', 'utf8'))",
        target.text("secret.txt")
    );
    let undo = |folder: &Folder| fs::remove_file(folder.path("out/root")).unwrap();
    Attack::new(Folder::new(), &act).under(WRITER).undone_fails_with(undo, "ENOENT");
}

#[test]
fn a_copy_that_follows_links() {
    let target = secret();
    let folder = Folder::with("data/a.txt", "a");
    symlink(target.path("secret.txt"), folder.path("data/link")).unwrap();
    let act = "(raw.cpSync('data', 'out/copy', { recursive: true, dereference: true }), raw.readFileSync('out/copy/link', 'utf8'))";
    let undo = |folder: &Folder| fs::remove_dir_all(folder.path("out/copy")).unwrap();
    // Copying is JavaScript over the guarded functions.
    Attack::new(folder, act).under(WRITER).undone_fails_with(undo, "ERR_ACCESS_DENIED");
}

#[test]
fn a_hard_link_that_makes_a_module_writable() {
    let act = "(raw.linkSync('lib.ts', 'out/lib.ts'), raw.writeFileSync('out/lib.ts', 'evil'), 0)";
    let undo = |folder: &Folder| {
        fs::write(folder.path("lib.ts"), "honest").unwrap();
        fs::remove_file(folder.path("out/lib.ts")).unwrap();
    };
    let folder = Attack::new(Folder::with("lib.ts", "honest"), act).under(WRITER).undone_fails_with(undo, "EXDEV");
    assert_eq!(folder.read("lib.ts"), "honest");
}

#[test]
fn a_hard_link_to_what_is_denied() {
    let act = "(raw.linkSync('out/sub/key.txt', 'out/copy'), raw.readFileSync('out/copy', 'utf8'))";
    let undo = |folder: &Folder| fs::remove_file(folder.path("out/copy")).unwrap();
    Attack::new(masked(), act).under(MASKED).undone_fails_with(undo, "EXDEV");
}

#[test]
fn a_new_name_for_what_is_denied() {
    let act = "(raw.renameSync('out/sub/key.txt', 'out/copy'), raw.readFileSync('out/copy', 'utf8'))";
    let undo = |folder: &Folder| fs::rename(folder.path("out/copy"), folder.path("out/sub/key.txt")).unwrap();
    Attack::new(masked(), act).under(MASKED).undone_fails_with(undo, "EBUSY");
}

#[test]
fn a_new_name_for_the_folder_around_what_is_denied() {
    let act = "(raw.renameSync('out/sub', 'out/moved'), raw.readFileSync('out/moved/key.txt', 'utf8'))";
    let undo = |folder: &Folder| fs::rename(folder.path("out/moved"), folder.path("out/sub")).unwrap();
    Attack::new(masked(), act).under(MASKED).undone_fails_with(undo, "EACCES");
}

#[test]
fn an_exchange_with_what_is_denied() {
    let exchange = 2;
    let act =
        format!("call({}, -100, text('out/sub/key.txt'), -100, text('out/own.txt'), {exchange})", libc::SYS_renameat2);
    let folder = Attack::by_native_code(masked(), &act).under(MASKED).refused_with(libc::EBUSY);
    assert_eq!(folder.read("out/own.txt"), "secret", "as the control left it");
}

#[test]
fn removing_a_tree_around_what_is_denied() {
    let act = "(raw.rmSync('out/sub', { recursive: true }), 0)";
    let undo = |folder: &Folder| {
        fs::create_dir(folder.path("out/sub")).unwrap();
        fs::write(folder.path("out/sub/key.txt"), "secret").unwrap();
    };
    let folder = Attack::new(masked(), act).under(MASKED).undone_fails_with(undo, "EBUSY");
    assert_eq!(folder.read("out/sub/key.txt"), "secret");
}

#[test]
fn metadata_of_what_may_only_be_read() {
    let read = r#"{"ffi": true, "read": ["./data.txt"], "write": ["${TMP}"]}"#;
    let times = "new BigInt64Array(4)";
    for act in [
        format!("call({}, -100, text('data.txt'), 0o600)", libc::SYS_fchmodat),
        format!("call({}, -100, text('data.txt'), {times}, 0)", libc::SYS_utimensat),
        format!("call({}, text('data.txt'), 0)", libc::SYS_truncate),
        format!("call({}, -100, text('data.txt'), -1, -1, 0)", libc::SYS_fchownat),
    ] {
        Attack::by_native_code(Folder::with("data.txt", ""), &act).under(read).refused_with(libc::EROFS);
    }
}

/// Landlock leaves this to the read-only mount, and the filter too where something else may be written to.
#[test]
fn cutting_off_what_may_only_be_read() {
    let (reading, both) = (libc::O_RDONLY | libc::O_TRUNC, libc::O_RDWR);
    let opened = |call: String| format!("(fd => fd < 0 ? fd : {call})(open(FILE, {both}))");
    let ways = [
        format!("open(FILE, {reading})"),
        format!("open(FILE, {})", libc::O_WRONLY | libc::O_TRUNC),
        // Once more what is open already.
        format!("open('/proc/self/fd/' + open(FILE, 0), {reading})"),
        format!("call({}, open(FOLDER, {}), text(NAME), {reading}, 0)", libc::SYS_openat, libc::O_DIRECTORY),
        format!("call({}, text(FILE), 0)", libc::SYS_truncate),
        opened(format!("call({}, fd, 0)", libc::SYS_ftruncate)),
        // A hole in place of what is there.
        opened(format!("call({}, fd, 3, 0, 4)", libc::SYS_fallocate)),
        opened(format!("call({}, fd, 0, 0, 8)", libc::SYS_fallocate)),
    ];
    for (grant, file) in [("./data", "data/file.txt"), ("./data/file.txt", "data/file.txt"), ("./out", "lib/file.txt")]
    {
        // The last one lies in the import root alone.
        let policy = format!(r#"{{"ffi": true, "read": ["{grant}"], "write": ["${{TMP}}"]}}"#);
        let (folder, name) = file.split_once('/').unwrap();
        let act = ways.join(", ").replace("FILE", &format!("'{file}'"));
        let act = act.replace("FOLDER", &format!("'{folder}'")).replace("NAME", &format!("'{name}'"));
        let attack = Attack::by_native_code(Folder::with(file, "data"), &format!("[{act}]")).under(&policy);
        let undo = |folder: &Folder| fs::write(folder.path(file), "data").unwrap();
        let folder = attack.comes_to(undo, &json!(vec![-libc::EROFS; ways.len()]));
        assert_eq!(folder.read(file), "data");
    }
}

#[test]
fn the_way_up_from_an_open_folder() {
    let target = secret();
    let up = "../".repeat(12);
    let act = format!(
        "call({}, open('out', {}), text('{up}{}'), 0)",
        libc::SYS_openat,
        libc::O_DIRECTORY,
        target.text("secret.txt")
    );
    Attack::by_native_code(Folder::new(), &act).under(NATIVE_WRITER).refused_with(libc::ENOENT);
}

#[test]
fn watching_what_is_not_granted() {
    let target = secret();
    let act = format!(
        "call({}, call({}, 0), text('{}'), {})",
        libc::SYS_inotify_add_watch,
        libc::SYS_inotify_init1,
        target.text(""),
        libc::IN_CREATE
    );
    Attack::by_native_code(Folder::new(), &act).refused_with(libc::ENOENT);
}

#[test]
fn whether_a_hidden_path_exists() {
    let target = secret();
    let ask = |call: i64| format!("call({call}, -100, text('{}'), new Uint8Array(256), 0)", target.text("secret.txt"));
    for call in [libc::SYS_newfstatat, libc::SYS_faccessat] {
        let act = if call == libc::SYS_faccessat { ask(call).replace("new Uint8Array(256)", "0") } else { ask(call) };
        Attack::by_native_code(Folder::new(), &act).refused_with(libc::ENOENT);
    }
}

#[test]
fn files_that_run_as_somebody_else() {
    // As root, such a file in a granted folder would be a way to root for every user of the machine.
    let modes = [
        "raw.chmodSync('out/a', 0o4755)",
        "raw.chmodSync('out/a', 0o2755)",
        "raw.fchmodSync(raw.openSync('out/a'), 0o6755)",
    ];
    for mode in modes {
        let act = format!("(raw.writeFileSync('out/a', ''), {mode}, 0)");
        let folder = Attack::new(Folder::new(), &act).under(WRITER).fails_with("EPERM");
        fs::set_permissions(folder.path("out/a"), fs::Permissions::from_mode(0o644)).unwrap();
    }
    for act in [
        format!("open('out/b', {}, 0o4755)", libc::O_CREAT | libc::O_WRONLY),
        format!("call({}, -100, text('out'), {}, 0o4755)", libc::SYS_openat, libc::O_TMPFILE | libc::O_WRONLY),
    ] {
        let act = act.replace("open('out/b', ", &format!("call({}, -100, text('out/b'), ", libc::SYS_openat));
        let folder = Attack::by_native_code(Folder::new(), &act)
            .under(NATIVE_WRITER)
            .comes_to(|folder| _ = fs::remove_file(folder.path("out/b")), &json!(-libc::EPERM));
        assert!(!folder.path("out/b").exists());
    }
}

#[test]
fn device_nodes_and_pipes_in_a_granted_folder() {
    let make = format!("call({}, -100, text('out/pipe'), {}, 0)", libc::SYS_mknodat, libc::S_IFIFO | 0o600);
    let undo = |folder: &Folder| fs::remove_file(folder.path("out/pipe")).unwrap();
    let folder = Attack::by_native_code(Folder::new(), &make).under(NATIVE_WRITER).comes_to(undo, &json!(-libc::EPERM));
    assert!(!folder.path("out/pipe").exists());
}
