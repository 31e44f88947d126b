//! Arguments, working directory, environment variables.

use secure_bun_tests::Folder;

#[test]
fn arguments() {
    let folder = Folder::with("main.ts", "console.log(JSON.stringify(process.argv.slice(1)))");
    let words = ["run", "main.ts", "a", "--flag", "", "b c", "ä\n"];
    assert_eq!(folder.secure_bun(words).prints(), folder.bun(words).prints());
}

#[test]
fn the_path_of_bun_is_the_one_inside() {
    let folder = Folder::with("main.ts", "console.log(process.argv[0], process.execPath)");
    assert_eq!(folder.secure_bun(["run", "main.ts"]).prints(), "/run/secure-bun/bin/bun /run/secure-bun/bin/bun\n");
}

#[test]
fn the_working_directory_is_the_callers_where_it_is_visible() {
    let folder = Folder::with("main.ts", "console.log(process.cwd())").package().folder("deep/down");
    let from = folder.path("deep/down");
    let inside = folder.secure_bun(["run", "../../main.ts"]).from(&from);
    assert_eq!(inside.prints(), "[FOLDER]/deep/down\n");
}

#[test]
fn elsewhere_it_is_the_programs_folder() {
    let folder = Folder::with("main.ts", "console.log(process.cwd())");
    let program = folder.text("main.ts");
    let inside = folder.secure_bun(["run", &program]).from("/usr/share".as_ref());
    assert_eq!(inside.prints(), "[FOLDER]\n");
}

#[test]
fn a_working_directory_that_is_gone() {
    let folder = Folder::with("main.ts", "").folder("gone");
    let (program, gone) = (folder.text("main.ts"), folder.path("gone"));
    let ended = folder.secure_bun(["run", &program]).from(&gone).after("rmdir \"$PWD\"").end();
    assert_eq!(ended.code(), 2, "{ended}");
    assert!(ended.stderr().starts_with("secure-bun: error: there is no working directory"), "{ended}");
}

const ALL: &str = "console.log(JSON.stringify(Object.fromEntries(Object.entries(process.env).sort())))";

#[test]
fn only_terminal_and_language_pass() {
    let folder = Folder::with("main.ts", ALL);
    let command = folder.secure_bun(["run", "main.ts"]);
    let outside = [
        ("LANG", "C.UTF-8"),
        ("LC_ALL", "C.UTF-8"),
        ("TZ", "Europe/Berlin"),
        ("TERM", "dumb"),
        ("NO_COLOR", "1"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("GITHUB_TOKEN", "secret"),
        ("SSH_AUTH_SOCK", "/tmp/agent"),
        ("XDG_RUNTIME_DIR", "/run/user/0"),
    ];
    let command = outside.into_iter().fold(command, |command, (name, value)| command.env(name, value));
    let expected = concat!(
        r#"{"HOME":"/home/sandbox","LANG":"C.UTF-8","LC_ALL":"C.UTF-8","NO_COLOR":"1","PATH":"/run/secure-bun/bin:/usr/local/bin:/usr/bin:/bin","#,
        r#""TERM":"dumb","TMPDIR":"/tmp","TZ":"Europe/Berlin"}"#
    );
    assert_eq!(command.prints().trim_end(), expected);
}

#[test]
fn a_granted_variable_passes() {
    let folder = Folder::with("main.ts", "console.log(process.env.APP_MODE, process.env.APP_KEY, process.env.OTHER)")
        .file("p.json", r#"{"env": ["APP_*"], "deny": {"env": ["APP_KEY"]}}"#);
    let command = folder.secure_bun(["run", "--policy", "p.json", "main.ts"]);
    let command = command.env("APP_MODE", "on").env("APP_KEY", "secret").env("OTHER", "secret");
    assert_eq!(command.prints(), "on undefined undefined\n");
}

#[test]
fn the_time_zone_is_the_machines() {
    let source = "console.log(new Date(0).toString(), new Intl.DateTimeFormat().resolvedOptions().timeZone)";
    super::the_same_inside(&Folder::with("main.ts", source));
}

#[test]
fn a_private_temporary_folder_and_home() {
    let source = "import os from 'node:os'; import fs from 'node:fs';
        const file = os.tmpdir() + '/secure-bun-private'; fs.writeFileSync(file, 'x');
        console.log(os.tmpdir(), os.homedir(), fs.readdirSync('/tmp').join());";
    let folder = Folder::with("main.ts", source);
    let expected = "/tmp /home/sandbox secure-bun-private\n";
    assert_eq!(folder.secure_bun(["run", "main.ts"]).prints(), expected);
    assert_eq!(folder.secure_bun(["run", "main.ts"]).prints(), expected, "nothing is left for the next run");
    assert!(!std::path::Path::new("/tmp/secure-bun-private").exists());
}
