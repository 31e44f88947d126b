//! Projects and callers that try to run something before the guards, or instead of them.

use secure_bun_tests::{Folder, bun};

const HONEST: &str = "console.log('honest', globalThis.evil ?? 'untouched', process.env.FROM_ENV ?? 'unset');";
const EVIL: &str = "globalThis.evil = 'EVIL';";
const UNTOUCHED: &str = "honest untouched unset\n";

/// Outside the hostile file does something to the honest program, inside it does nothing.
#[track_caller]
fn shut_off(folder: &Folder) {
    assert_ne!(folder.bun(["run", "main.ts"]).end().stdout(), UNTOUCHED, "the test shows nothing");
    assert_eq!(folder.secure_bun(["run", "main.ts"]).prints(), UNTOUCHED);
    assert_eq!(folder.secure_bun(["run", "main.ts"]).from(&folder.path("")).prints(), UNTOUCHED);
}

fn project() -> Folder {
    Folder::with("main.ts", HONEST).package().file("evil.ts", EVIL)
}

#[test]
fn a_bunfig_with_a_preload() {
    shut_off(&project().file("bunfig.toml", "preload = ['./evil.ts']\n"));
}

#[test]
fn a_bunfig_with_definitions() {
    shut_off(&project().file("bunfig.toml", "[define]\n\"globalThis.evil\" = \"'EVIL'\"\n"));
}

#[test]
fn an_env_file() {
    shut_off(&project().file(".env", "FROM_ENV=EVIL\n"));
}

#[test]
fn a_tsconfig_that_remaps_paths() {
    let folder = Folder::with("main.ts", "import word from 'lib'; console.log(word);")
        .package()
        .file("node_modules/lib/index.js", "module.exports = 'honest';")
        .file("evil.ts", "export default 'EVIL';")
        .file("tsconfig.json", r#"{"compilerOptions": {"baseUrl": ".", "paths": {"lib": ["./evil.ts"]}}}"#);
    assert_eq!(folder.bun(["run", "main.ts"]).prints(), "EVIL\n", "the test shows nothing");
    assert_eq!(folder.secure_bun(["run", "main.ts"]).prints(), "honest\n");
}

/// The variable does something outside, and nothing inside.
#[track_caller]
fn variable_shut_off(name: &str, value: &str) {
    let folder = project();
    let outside = folder.bun(["run", "main.ts"]).env(name, value).end();
    assert_ne!(
        (outside.stdout().as_str(), outside.stderr().as_str()),
        (UNTOUCHED, ""),
        "the test shows nothing: {name}"
    );
    let everything = folder.secure_bun(["run", "--allow-env", "main.ts"]).env(name, value);
    assert_eq!(everything.prints(), UNTOUCHED);
}

#[test]
fn variables_that_command_bun() {
    variable_shut_off("BUN_OPTIONS", "--preload=./evil.ts");
    variable_shut_off("BUN_INSPECT_PRELOAD", "./evil.ts");
    variable_shut_off("BUN_JSC_noSuchOption", "1");
}

#[test]
fn variables_that_command_the_loader() {
    // The launcher itself is static; Bun's loader would complain of a library that is missing.
    variable_shut_off("LD_PRELOAD", "/no-such-library.so");
    variable_shut_off("LD_DEBUG", "files");
}

#[test]
fn a_bun_in_the_projects_own_bin() {
    let folder = project().folder("node_modules/.bin");
    std::os::unix::fs::symlink("/bin/echo", folder.path("node_modules/.bin/bun")).unwrap();
    let path = std::env::join_paths([folder.path("node_modules/.bin"), bun().parent().unwrap().to_path_buf()]).unwrap();
    let command = folder.secure_bun(["run", "main.ts"]).env("SECURE_BUN_BUN", "").env("PATH", path);
    assert_eq!(command.prints(), UNTOUCHED);
}

#[test]
fn modules_are_not_fetched_from_the_registry() {
    let folder = Folder::with("main.ts", "import 'surely-not-installed-anywhere';");
    let ended = folder.secure_bun(["run", "main.ts"]).end();
    assert_eq!(ended.code(), 1);
    assert!(ended.stderr().contains("Cannot find package 'surely-not-installed-anywhere'"), "{ended}");
}

#[test]
fn bytecode_beside_a_source_is_not_run() {
    let folder = Folder::with("src/lib.ts", "export default 'EVIL';").package();
    folder.bun(["build", "--target=bun", "--bytecode", "--format=cjs", "src/lib.ts", "--outdir", "out"]).end();
    assert!(folder.path("out/lib.js.jsc").exists(), "the test shows nothing: Bun made no bytecode");
    // The source beside it says something else; Bun would believe the bytecode.
    let source = folder.read("out/lib.js").replace("EVIL", "seen");
    let folder = folder.file("out/lib.js", source).file("main.ts", "console.log(require('./out/lib.js').default)");
    let ended = folder.secure_bun(["run", "main.ts"]).end();
    assert!(!ended.stdout().contains("EVIL"), "{ended}");
}
