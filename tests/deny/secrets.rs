//! Secrets among modules, and what is denied within what is granted: by the preload, and by the kernel through native
//! code, which the preload does not guard.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use secure_bun_tests::{Folder, JSON, is_root, native};

use super::{Act, Refusal, kernel};

const SECRETS: [&str; 6] = [".env", ".env.local", ".npmrc", ".git/config", "tls.pem", "deploy.key"];

#[test]
fn secrets_at_the_top_of_a_project_are_not_there() {
    for secret in SECRETS {
        let folder = native(Folder::with(secret, "secret").package());
        let open = format!("open({:?}, 0)", folder.text(secret));
        let (outside, inside) = Act::new(folder, &kernel::act(&open)).under(r#"{"ffi": true}"#).both();
        assert!(outside.as_i64().unwrap() >= 0, "{secret}: {outside}");
        assert_eq!(inside, -libc::ENOENT, "{secret}");
    }
}

#[test]
fn importing_a_secret() {
    let folder = Folder::with(".env", "A=1").package();
    let source = "import text from './.env' with { type: 'text' }; console.log(text);";
    let folder = folder.file("main.ts", source);
    assert_eq!(folder.bun(["run", "main.ts"]).prints(), "A=1\n");
    let ended = folder.secure_bun(["run", "--policy", "function", "main.ts"]).end();
    assert_eq!((ended.code(), ended.stdout()), (1, String::new()), "{ended}");
    assert!(ended.stderr().contains("Cannot find module './.env'"), "{ended}");
}

#[test]
fn reading_a_secret_of_the_project() {
    let folder = Folder::with(".env", "A=1").package();
    Act::new(folder, "Bun.file('.env').text()").refused_as(&Refusal {
        permission: "read",
        resource: Some("[FOLDER]/.env"),
        rule: "default",
        fix: "allow.read: [\"[FOLDER]/.env\"]",
    });
}

#[test]
fn reading_a_secret_of_a_project_that_may_be_read() {
    let folder = Folder::with(".env", "A=1").file("data/.env", "B=2").package();
    let source = "console.log(await Bun.file('data/.env').text(), await Bun.file('.env').text())";
    let folder = folder.file("main.ts", source);
    assert_eq!(folder.bun(["run", "--no-env-file", "main.ts"]).prints(), "B=2 A=1\n");
    let refused = folder.secure_bun(["run", "--policy", "script", "main.ts"]).end();
    assert_eq!(refused.code(), 1, "{refused}");
    assert!(refused.stderr().contains("the secrets of an import root are granted by name only"), "{refused}");
    let named = ["run", "--policy", "script", "--allow-read=.env", "main.ts"];
    assert_eq!(folder.secure_bun(named).prints(), "B=2 A=1\n");
}

#[test]
fn what_is_denied_in_a_read_only_tree_does_not_exist() {
    let folder = native(Folder::with("data/private/a.txt", "a").file("data/b.txt", "b"));
    let list = format!(
        "[open({:?}, 0), open({:?}, 0) >= 0, open({:?}, 0)]",
        folder.text("data/private/a.txt"),
        folder.text("data/b.txt"),
        folder.text("data/private")
    );
    let policy = r#"{"ffi": true, "read": ["./data"], "deny": {"read": ["./data/private"]}}"#;
    let (outside, inside) = Act::new(folder, &kernel::act(&list)).under(policy).both();
    assert!(outside[0].as_i64().unwrap() >= 0 && outside[2].as_i64().unwrap() >= 0, "{outside}");
    assert_eq!(inside.to_string(), format!("[{},true,{}]", -libc::ENOENT, -libc::ENOENT));
}

#[test]
fn what_is_denied_in_a_writable_tree_cannot_be_opened() {
    let folder = native(Folder::with("data/private/a.txt", "a").file("data/key.txt", "k"));
    let list = format!(
        "[open({:?}, 0), open({:?}, 0), open({:?}, {})]",
        folder.text("data/private/a.txt"),
        folder.text("data/key.txt"),
        folder.text("data/private/new.txt"),
        libc::O_CREAT | libc::O_WRONLY
    );
    let policy = r#"{"ffi": true, "write": ["./data"], "deny": {"read": ["./data/private", "./data/key.txt"]}}"#;
    let (outside, inside) = Act::new(folder, &kernel::act(&list)).under(policy).both();
    assert!(outside.as_array().unwrap().iter().all(|fd| fd.as_i64().unwrap() >= 0), "{outside}");
    assert_eq!(inside.to_string(), format!("[{0},{0},{0}]", -libc::EACCES));
}

#[test]
fn protected_files_are_read_only_for_the_kernel_too() {
    // In a folder that nothing is imported from: at the top of an import root some of these are secrets, and not there.
    for protected in ["work/.git/config", "work/.npmrc", "work/bunfig.toml"] {
        let folder = native(Folder::with(protected, "honest"));
        let open = format!("open({:?}, {})", folder.text(protected), libc::O_WRONLY);
        let (outside, inside) =
            Act::new(folder, &kernel::act(&open)).under(r#"{"ffi": true, "write": ["./work"]}"#).both();
        assert!(outside.as_i64().unwrap() >= 0, "{protected}: {outside}");
        // To the user who takes root's programs the file is nobody's; to its own user it lies on a read-only mount.
        let errno = if is_root() { libc::EACCES } else { libc::EROFS };
        assert_eq!(inside, -errno, "{protected}");
    }
}

#[test]
fn a_protected_file_is_not_moved_away_with_the_folder_above_it() {
    let rename = format!(
        "call({}, text('work/.git'), text('work/aside')) || (call({}, text('work/.git'), 0o755), call({}, text('work/.git/config'), 0o644))",
        libc::SYS_rename,
        libc::SYS_mkdir,
        libc::SYS_creat
    );
    let folder = native(Folder::with("work/.git/config", "honest"));
    let (outside, inside) =
        Act::new(folder, &kernel::act(&rename)).under(r#"{"ffi": true, "write": ["./work"]}"#).once_more(|folder| {
            std::fs::remove_dir_all(folder.path("work/.git")).unwrap();
            std::fs::rename(folder.path("work/aside"), folder.path("work/.git")).unwrap();
        });
    assert!(outside.as_i64().unwrap() >= 0, "{outside}");
    assert_eq!(inside, -libc::EBUSY);
}

#[test]
fn protected_files_below_the_top_are_read_only_for_the_kernel_too() {
    for protected in ["packages/a/.git/config", "packages/a/.npmrc"] {
        let folder = native(Folder::with(protected, "honest"));
        let open = format!("open({:?}, {})", folder.text(protected), libc::O_WRONLY);
        let (outside, inside) = Act::new(folder, &kernel::act(&open)).under(r#"{"ffi": true, "write": ["."]}"#).both();
        assert!(outside.as_i64().unwrap() >= 0, "{protected}: {outside}");
        assert!(inside.as_i64().unwrap() < 0, "{protected} was opened for writing");
    }
}

#[test]
fn the_policy_in_force_is_not_writable_from_inside() {
    let folder = Folder::with("fn.ts", "export default () => Bun.write('./strict.json', '{}');")
        .file("strict.json", r#"{"write": ["."]}"#);
    let envelope = folder.secure_bun(["run", JSON, "--policy", "strict.json", "fn.ts"]).envelope();
    assert_eq!(envelope.at("/ok"), false, "{}", envelope.json);
    assert_eq!(folder.read("strict.json"), r#"{"write": ["."]}"#);
}

#[test]
fn nothing_that_decides_about_the_next_run_is_writable() {
    let store = "../home/.local/state/secure-bun/trust.json";
    let deciding = ["policy.json", "base.json", store];
    let files = Folder::with("policy.json", "{}").file("base.json", "{}").file(store, "{}");
    let folder = native(files);
    for file in deciding {
        // By their modes anybody may write them, so it is the mount that refuses.
        fs::set_permissions(folder.path(file), fs::Permissions::from_mode(0o666)).unwrap();
    }
    let opens = deciding.map(|file| format!("open({:?}, {})", folder.text(file), libc::O_WRONLY));
    let local = folder.text("../home/.local");
    let rename = format!("call({}, text({local:?}), text({:?}))", libc::SYS_rename, format!("{local}-aside"));
    let list = format!("[{}, {rename}]", opens.join(", "));
    let policy = r#"{"extends": "./base.json", "ffi": true, "write": [".", "${HOME}"]}"#;
    let (outside, inside) = Act::new(folder, &kernel::act(&list)).under(policy).once_more(|folder| {
        fs::rename(folder.path("../home/.local-aside"), folder.path("../home/.local")).unwrap();
    });
    assert!(outside.as_array().unwrap().iter().all(|answer| answer.as_i64().unwrap() >= 0), "{outside}");
    let read_only = -libc::EROFS;
    assert_eq!(inside.to_string(), format!("[{read_only},{read_only},{read_only},{}]", -libc::EBUSY));
}

#[test]
fn a_grant_inside_a_denied_folder_grants_nothing_to_the_kernel_either() {
    let base = r#"{"read": ["./data/a"], "write": ["./out/b"]}"#;
    let policy = r#"{"extends": "./base.json", "ffi": true, "deny": {"read": ["./data"], "write": ["./out"]}}"#;
    let files = Folder::with("data/a/x.txt", "a").file("out/b/x.txt", "b").file("base.json", base);
    let folder = native(files);
    // By its mode anybody may write it, so it is the mount that refuses.
    fs::set_permissions(folder.path("out/b/x.txt"), fs::Permissions::from_mode(0o666)).unwrap();
    let list = format!(
        "[open({:?}, 0), open({:?}, {})]",
        folder.text("data/a/x.txt"),
        folder.text("out/b/x.txt"),
        libc::O_WRONLY
    );
    let (outside, inside) = Act::new(folder, &kernel::act(&list)).under(policy).both();
    assert!(outside.as_array().unwrap().iter().all(|fd| fd.as_i64().unwrap() >= 0), "{outside}");
    assert_eq!(inside.to_string(), format!("[{},{}]", -libc::ENOENT, -libc::EROFS));
}
