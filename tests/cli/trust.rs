//! `secure-bun policy trust`: approvals, what voids them, and where they are kept.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use secure_bun_tests::{Folder, str};

const PROGRAM: &str = "console.log((await Bun.file('/etc/passwd').text()).length > 0)";
const POLICY: &str = r#"{ "extends": "./base.json", "limits": { "wall_ms": 20000 } }"#;
const BASE: &str = r#"{ "read": ["/etc/passwd"] }"#;
const STORE: &str = "../home/.local/state/secure-bun/trust.json";

fn project() -> Folder {
    Folder::with("main.ts", PROGRAM).package().file("secure-bun.json", POLICY).file("base.json", BASE)
}

fn trust(folder: &Folder) -> String {
    folder.secure_bun(["policy", "trust", "secure-bun.json"]).prints()
}

fn mode(folder: &Folder, path: &str) -> u32 {
    fs::metadata(folder.path(path)).unwrap().permissions().mode() & 0o7777
}

#[track_caller]
fn assert_refused(folder: &Folder) {
    let ended = folder.secure_bun(["run", "main.ts"]).end();
    assert_eq!((ended.code(), ended.stdout()), (1, String::new()), "{ended}");
    assert!(ended.stderr().contains("To approve all of it: secure-bun policy trust secure-bun.json"), "{ended}");
}

#[test]
fn it_says_what_is_granted_and_then_it_holds() {
    let folder = project();
    assert_refused(&folder);
    folder.secure_bun(["policy", "trust", "secure-bun.json"]).shows(str![[r#"
exit code 0
--- stdout
secure-bun.json grants beyond preset script:
  allow.read "/etc/passwd" (base.json:1:12) reads what is not granted there
approved, until it or what it extends changes

"#]]);
    assert_eq!(folder.secure_bun(["run", "main.ts"]).end().stderr(), "");
    assert_eq!(folder.secure_bun(["run", "main.ts"]).prints(), "true\n");
}

#[test]
fn approvals_are_kept_for_their_owner_alone() {
    let folder = project();
    trust(&folder);
    assert_eq!((mode(&folder, STORE), mode(&folder, "../home/.local/state/secure-bun")), (0o600, 0o700));
    let state = folder.path("../state");
    let elsewhere = folder.secure_bun(["policy", "trust", "secure-bun.json"]).env("XDG_STATE_HOME", &state);
    elsewhere.prints();
    assert_eq!((mode(&folder, "../state/secure-bun/trust.json"), mode(&folder, "../state/secure-bun")), (0o600, 0o700));
}

#[test]
fn a_change_of_the_file_voids_it() {
    let folder = project();
    trust(&folder);
    let folder = folder.file("secure-bun.json", format!("{POLICY} "));
    assert_refused(&folder);
    let folder = folder.file("secure-bun.json", POLICY);
    assert_eq!(folder.secure_bun(["run", "main.ts"]).prints(), "true\n");
}

#[test]
fn a_change_of_what_it_extends_voids_it() {
    let folder = project();
    trust(&folder);
    let folder = folder.file("base.json", r#"{ "read": ["/etc/passwd", "/etc/group"] }"#);
    assert_refused(&folder);
}

#[test]
fn what_others_can_change_since_is_no_longer_approved() {
    let folder = project();
    trust(&folder);
    fs::set_permissions(folder.path(""), fs::Permissions::from_mode(0o777)).unwrap();
    assert_refused(&folder);
    fs::set_permissions(folder.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(folder.secure_bun(["run", "main.ts"]).prints(), "true\n");
}

#[test]
fn a_pipe_in_place_of_an_approved_file_stops_nobody() {
    let folder = project();
    trust(&folder);
    fs::remove_file(folder.path("secure-bun.json")).unwrap();
    assert_eq!(folder.program("/usr/bin/mkfifo".as_ref()).words(["secure-bun.json"]).end().code(), 0);
    folder.secure_bun(["run", "main.ts"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: the policy secure-bun.json is not a regular file

"#]]);
    folder.secure_bun(["policy", "trust", "secure-bun.json"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: secure-bun.json is not a regular file

"#]]);
}

#[test]
fn another_folder_has_no_approval() {
    let folder = project();
    trust(&folder);
    let folder = folder.file("copy/secure-bun.json", POLICY).file("copy/base.json", BASE).file("copy/main.ts", PROGRAM);
    let ended = folder.secure_bun(["run", "copy/main.ts"]).end();
    assert!(ended.stderr().contains("Ignored: allow.read"), "{ended}");
}

#[test]
fn what_is_approved_is_listed_and_taken_back() {
    let folder = project();
    folder.secure_bun(["policy", "trust", "--list"]).shows(str![[r#"
exit code 0
--- stdout
nothing is approved

"#]]);
    trust(&folder);
    folder.secure_bun(["policy", "trust", "--list"]).shows(str![[r#"
exit code 0
--- stdout
[FOLDER]/secure-bun.json: approved

"#]]);
    let folder = folder.file("base.json", "{}");
    folder.secure_bun(["policy", "trust", "--list"]).shows(str![[r#"
exit code 0
--- stdout
[FOLDER]/secure-bun.json: no longer what was approved

"#]]);
    let folder = folder.file("base.json", BASE);
    folder.secure_bun(["policy", "trust", "--remove", "secure-bun.json"]).shows(str![[r#"
exit code 0
--- stdout
secure-bun.json is no longer approved

"#]]);
    assert_refused(&folder);
    folder.secure_bun(["policy", "trust", "--remove", "secure-bun.json"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: secure-bun.json is not approved
secure-bun: help: `secure-bun policy trust --list`

"#]]);
}

#[test]
fn one_that_grants_nothing_beyond() {
    let folder = project().file("base.json", r#"{ "eval": false }"#);
    folder.secure_bun(["policy", "trust", "secure-bun.json"]).shows(str![[r#"
exit code 0
--- stdout
secure-bun.json grants nothing beyond preset script
approved, until it or what it extends changes

"#]]);
}

#[test]
fn one_that_cannot_be_approved_leaves_nothing_behind() {
    let folder = project().file("base.json", r#"{ "raed": true }"#).file("p.json", "{}");
    let trust = |file: &str| folder.secure_bun(["policy", "trust", file]);
    trust("secure-bun.json").shows(str![[r#"
exit code 2
--- stderr
error: unknown key "raed" in the policy
 --> base.json:1:3
  |
1 | { "raed": true }
  |   ^^^^^^
  |
  = help: did you mean "read"?

"#]]);
    trust("missing.json").shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: cannot read the policy missing.json: No such file or directory (os error 2)

"#]]);
    trust("p.json").shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: p.json is never used by itself, so there is nothing to approve
secure-bun: help: secure-bun.json, secure-bun.jsonc and package.json are, outside node_modules; name others with --policy

"#]]);
    trust("package.json").shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: package.json has no policy
secure-bun: help: it stands under the key "secureBun"

"#]]);
    folder.secure_bun(["policy", "trust"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: missing: <FILE>

"#]]);
    assert!(!folder.path(STORE).exists());
}

#[test]
fn one_that_others_can_change_is_not_approved() {
    let folder = project();
    fs::set_permissions(folder.path("base.json"), fs::Permissions::from_mode(0o666)).unwrap();
    folder.secure_bun(["policy", "trust", "secure-bun.json"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: [FOLDER]/base.json is not approved: others can change [FOLDER]/base.json
secure-bun: help: what the policy grants is relative to its folder, which they could replace; take away their right to write

"#]]);
    fs::set_permissions(folder.path("base.json"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(folder.path(""), fs::Permissions::from_mode(0o777)).unwrap();
    folder.secure_bun(["policy", "trust", "secure-bun.json"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: [FOLDER]/base.json is not approved: others can change [FOLDER]
secure-bun: help: what the policy grants is relative to its folder, which they could replace; take away their right to write

"#]]);
    assert!(!folder.path(STORE).exists());
}

#[test]
fn approvals_that_others_could_have_written_are_not_believed() {
    let folder = project();
    trust(&folder);
    fs::set_permissions(folder.path(STORE), fs::Permissions::from_mode(0o666)).unwrap();
    folder.secure_bun(["run", "main.ts"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: [..]/home/.local/state/secure-bun/trust.json can be changed by others, so approvals in it prove nothing
secure-bun: help: remove it, and approve again what you trust

"#]]);
}

#[test]
fn approvals_that_are_damaged_run_nothing() {
    let folder = project();
    trust(&folder);
    fs::write(folder.path(STORE), "{").unwrap();
    folder.secure_bun(["run", "main.ts"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: cannot read the approvals in [..]/home/.local/state/secure-bun/trust.json: EOF while parsing an object at line 1 column 1
secure-bun: help: remove the file, and approve again what you trust

"#]]);
}

#[test]
fn one_in_a_manifest() {
    let manifest = r#"{ "name": "x", "secureBun": { "read": ["/etc/passwd"] } }"#;
    let folder = Folder::with("main.ts", PROGRAM).file("package.json", manifest);
    folder.secure_bun(["policy", "trust", "package.json"]).shows(str![[r#"
exit code 0
--- stdout
package.json grants beyond preset script:
  allow.read "/etc/passwd" (package.json:1:40) reads what is not granted there
approved, until it or what it extends changes

"#]]);
    assert_eq!(folder.secure_bun(["run", "main.ts"]).prints(), "true\n");
}

#[test]
fn what_it_prints_cannot_be_dressed_up() {
    let policy = "{ \"read\": [\"/etc/passwd\", \"/etc/\u{1b}[1A\u{1b}[2Kgroup\n  nothing\u{202e}\"] }";
    let folder = Folder::with("main.ts", PROGRAM).file("secure-bun.json", policy);
    folder.secure_bun(["policy", "trust", "secure-bun.json"]).shows(str![[r#"
exit code 0
--- stdout
secure-bun.json grants beyond preset script:
  allow.read "/etc/passwd" (secure-bun.json:1:12) reads what is not granted there
  allow.read "/etc/\u001b[1A\u001b[2Kgroup\u000a  nothing\u{202e}" (secure-bun.json:1:27) reads what is not granted there
approved, until it or what it extends changes

"#]]);
}
