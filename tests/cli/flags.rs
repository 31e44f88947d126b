//! Where flags may stand, and whose they are.

use secure_bun_tests::{Folder, JSON};

const ARGUMENTS: &str = "console.log(JSON.stringify(process.argv.slice(2)))";

#[test]
fn what_follows_a_script_is_the_scripts() {
    let folder = Folder::with("main.ts", ARGUMENTS);
    let flags = ["run", "main.ts", "--policy", "none", "-R", "--watch", "x y", "", "--quiet"];
    assert_eq!(
        folder.secure_bun(flags).prints(),
        "[\"--policy\",\"none\",\"-R\",\"--watch\",\"x y\",\"\",\"--quiet\"]\n"
    );
}

#[test]
fn call_flags_may_follow_the_program_up_to_two_dashes() {
    let folder = Folder::with("main.ts", ARGUMENTS);
    let envelope = folder.secure_bun(["run", "main.ts", JSON, "--", JSON, "--input", "--"]).envelope();
    assert_eq!(envelope.text("/stdout"), "[\"--json\",\"--input\",\"--\"]\n");
}

#[test]
fn with_script_all_that_follows_is_the_scripts() {
    let folder = Folder::with("main.ts", ARGUMENTS);
    let words = ["run", "--script", "main.ts", JSON, "--input", "1", "--export", "x", "--"];
    assert_eq!(folder.secure_bun(words).prints(), "[\"--json\",\"--input\",\"1\",\"--export\",\"x\",\"--\"]\n");
}

#[test]
fn with_script_no_function_is_called() {
    let folder = Folder::with("main.ts", "console.log('loaded'); export default () => console.log('called');");
    assert_eq!(folder.secure_bun(["run", "--script", "main.ts"]).prints(), "loaded\n");
    assert_eq!(folder.bun(["run", "main.ts"]).prints(), "loaded\n");
}

#[test]
fn grants_and_denials_by_flags_and_the_denial_wins() {
    let read = "export default (path: string) => Bun.file(path).text();";
    let folder = Folder::with("fn.ts", read).file("data/a.txt", "open").file("data/b.txt", "closed");
    let call = |file: &str| {
        let input = format!("\"{}\"", folder.text(file));
        folder.secure_bun(["run", JSON, "-R=data", "--deny-read=data/b.txt", "fn.ts", "--input", &input]).envelope()
    };
    assert_eq!(call("data/a.txt").result(), "open");
    let denied = call("data/b.txt");
    assert_eq!(denied.text("/error/rule"), "deny.read \"data/b.txt\" (--deny-read=data/b.txt)");
    assert_eq!(denied.text("/error/fix"), "remove deny.read \"data/b.txt\" (--deny-read=data/b.txt)");
}

#[test]
fn limits_by_flags_hold_over_those_of_the_policy() {
    let folder = Folder::with("fn.ts", "export default () => Bun.sleep(60_000);");
    let limits = ["run", JSON, "--policy", "function", "--limit", "wall=200ms,memory=64mb", "fn.ts"];
    let envelope = folder.secure_bun(limits).envelope();
    assert_eq!(envelope.text("/error/key"), "limits.wall_ms");
    assert_eq!(envelope.at("/error/allowed"), 200);
}

#[test]
fn a_variable_by_flag() {
    let folder = Folder::with("main.ts", "console.log(process.env.NAME, process.env.EMPTY === '')");
    let words = ["run", "--env", "NAME=a=b c", "--env", "EMPTY=", "main.ts"];
    assert_eq!(folder.secure_bun(words).prints(), "a=b c true\n");
}

#[test]
fn a_grant_without_values_is_of_everything() {
    let folder = Folder::with("fn.ts", "export default () => Bun.file('/etc/passwd').text();");
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
    assert_eq!(folder.secure_bun(["run", JSON, "-R", "fn.ts"]).envelope().result(), passwd.as_str());
}
