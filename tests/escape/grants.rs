//! What earlier runs, and the code itself, leave behind to widen what is granted next.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};

use secure_bun_tests::{Folder, JSON, str};

use super::{Attack, secret};

/// Reads `path` outside; inside, under the policy, nothing is run at all.
#[track_caller]
fn runs_nothing(folder: Folder, policy: &str, read: &str, message: &str) {
    let attack = Attack::new(folder, &format!("raw.readFileSync('{read}', 'utf8')"));
    assert_eq!(attack.outside(), "secret");
    let folder = attack.folder.file("policy.json", policy);
    let ended = folder.secure_bun(["run", "--policy", "policy.json", "fn.ts"]).end();
    assert_eq!((ended.code(), ended.stdout()), (2, String::new()), "{ended}");
    assert!(ended.stderr().contains(message), "{ended}");
}

#[test]
fn a_link_that_an_earlier_run_left_in_the_place_of_a_grant() {
    let target = secret();
    let policy = r#"{"write": ["./out"], "read": ["./out/cache"]}"#;
    let plant = format!(
        "(raw.rmSync('out/cache', {{ recursive: true }}), raw.symlinkSync('{}', 'out/cache'), 'planted')",
        target.text("")
    );
    let (folder, envelope) = Attack::new(Folder::new().folder("out/cache"), &plant).under(policy).inside();
    // A mount point cannot be removed while it is in use; without the second grant it can.
    assert_eq!(envelope.result(), "!EBUSY");
    let (folder, envelope) = Attack::new(folder, &plant).under(super::WRITER).inside();
    assert_eq!(envelope.result(), "planted");
    runs_nothing(folder, policy, "out/cache/secret.txt", "is a symbolic link");
}

#[test]
fn a_link_to_another_folder_of_the_project_in_the_place_of_a_grant() {
    let folder = Folder::with("src/secret.txt", "secret").folder("out");
    symlink("../src", folder.path("out/cache")).unwrap();
    runs_nothing(folder, r#"{"write": ["./out", "./out/cache"]}"#, "out/cache/secret.txt", "is a symbolic link");
}

#[test]
fn a_link_that_came_with_the_code() {
    let target = secret();
    let folder = Folder::new();
    symlink(target.path(""), folder.path("data")).unwrap();
    runs_nothing(folder, r#"{"read": ["./data"]}"#, "data/secret.txt", "is a symbolic link");
}

#[test]
fn a_link_whose_target_is_granted_is_followed() {
    let target = secret();
    let folder = Folder::new();
    symlink(target.path(""), folder.path("data")).unwrap();
    let policy = serde_json::json!({ "read": ["./data", target.text("")] }).to_string();
    let (_, envelope) = Attack::new(folder, "fs.readFileSync('data/secret.txt', 'utf8')").under(&policy).inside();
    assert_eq!(envelope.result(), "secret");
}

/// `tree` with a link `link` to it, and something in it that flags deny by way of the link.
#[track_caller]
fn denied_by_way_of_a_link(allow: &str, deny: &str, act: &str, code: &str) {
    let tree = Folder::with("tree/private/a.txt", "secret").folder("links");
    symlink(tree.path("tree"), tree.path("links/way")).unwrap();
    let act = act.replace("TREE", &tree.text("tree"));
    let attack = Attack::new(Folder::new(), &act);
    assert_ne!(attack.outside(), format!("!{code}"));
    let flags = [allow, deny].map(|flag| flag.replace("LINK", &tree.text("links/way")));
    let words = ["run", JSON, "--policy", "function", &flags[0], &flags[1], "fn.ts"];
    let envelope = attack.folder.secure_bun(words).envelope();
    assert_eq!(envelope.result(), &format!("!{code}"));
}

#[test]
fn a_denial_that_names_a_link() {
    let read = "raw.readFileSync('TREE/private/a.txt', 'utf8')";
    denied_by_way_of_a_link("--allow-read=LINK", "--deny-read=LINK/private", read, "ENOENT");
}

#[test]
fn a_denial_of_writing_that_names_a_link() {
    let write = "raw.writeFileSync('TREE/private/a.txt', 'evil')";
    denied_by_way_of_a_link("--allow-write=LINK", "--deny-write=LINK/private", write, "EROFS");
}

#[test]
fn a_secret_in_an_import_root_that_is_named_by_a_link() {
    let root = Folder::with("root/.env", "secret").file("root/lib.ts", "export default 1;").folder("links");
    symlink(root.path("root"), root.path("links/way")).unwrap();
    let act = Attack::new(Folder::new(), &format!("raw.readFileSync('{}', 'utf8')", root.text("root/.env")));
    let policy = serde_json::json!({ "import": [root.text("links/way")] }).to_string();
    // The program's own file has to be loaded as well.
    let policy = policy.replace("[\"", "[\"${PROJECT}\", \"");
    act.under(&policy).fails_with("ENOENT");
}

#[test]
fn the_policy_that_the_one_in_force_extends() {
    let write = "raw.writeFileSync('base.json', '{\"read\": [\"/\"]}')";
    let folder = Folder::with("base.json", r#"{"write": ["."]}"#);
    let undo = |folder: &Folder| fs::write(folder.path("base.json"), r#"{"write": ["."]}"#).unwrap();
    let code = if secure_bun_tests::is_root() { "EACCES" } else { "EROFS" };
    let folder = Attack::new(folder, write).under(r#"{"extends": "./base.json"}"#).undone_fails_with(undo, code);
    assert_eq!(folder.read("base.json"), r#"{"write": ["."]}"#);
}

#[test]
fn the_launchers_own_cache() {
    let home = Folder::new().folder(".cache/secure-bun");
    let write = format!("(raw.writeFileSync('{}/.cache/secure-bun/x', ''), 0)", home.text(""));
    let policy = serde_json::json!({ "write": [home.text("")] }).to_string();
    Attack::new(Folder::new(), &write)
        .under(&policy)
        .undone_fails_with(|_| fs::remove_file(home.path(".cache/secure-bun/x")).unwrap(), "EROFS");
}

#[test]
fn a_grant_that_changes_while_the_plan_is_made() {
    let target = secret();
    let folder = Folder::new().folder("work");
    let (here, aside, link) = (folder.path("work/sub"), folder.path("work/aside"), folder.path("work/link"));
    fs::create_dir_all(here.join("inner")).unwrap();
    fs::write(here.join("inner/secret.txt"), "own").unwrap();
    symlink(target.path(""), &link).unwrap();
    let attack = Attack::new(folder, "raw.readFileSync('work/sub/inner/secret.txt', 'utf8')");
    let folder = attack.folder.file("policy.json", r#"{"read": ["./work/sub/inner"]}"#);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                // In turn the folder and the link have the name.
                let _ = fs::rename(&here, &aside).and_then(|()| fs::rename(&link, &here));
                let _ = fs::rename(&here, &link).and_then(|()| fs::rename(&aside, &here));
            }
        });
        for _ in 0..40 {
            let ended = folder.secure_bun(["run", JSON, "--policy", "policy.json", "fn.ts"]).end();
            assert!(!ended.stdout().contains("\"result\":\"secret\""), "{ended}");
        }
        over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_manifest_that_never_ends() {
    let folder = Folder::with("main.ts", "console.log('ran')");
    symlink("/dev/zero", folder.path("package.json")).unwrap();
    // Without the project around it, the program is all there is.
    folder.secure_bun(["run", "main.ts"]).after("ulimit -v 4000000").shows(str![[r#"
exit code 0
--- stdout
ran

"#]]);
}

#[test]
fn a_manifest_that_nobody_writes() {
    let folder = Folder::with("main.ts", "console.log('ran')");
    let made = std::process::Command::new("mkfifo").arg(folder.path("package.json")).status().unwrap();
    assert!(made.success());
    assert_eq!(folder.secure_bun(["run", "main.ts"]).prints(), "ran\n");
}
