//! Popular packages do their main thing, under the preset that fits, with eval and without it; where they do not, it is
//! an exception with a reason. `docs/packages.md` is the table.

mod page;

use std::path::Path;

use secure_bun_tests::{Folder, packages};
use serde_json::{Value, json};

/// A program of `tests/fixtures/packages`.
struct Program {
    package: String,
    version: String,
    /// The name of its file.
    file: String,
    /// What it does, in words.
    does: String,
    preset: String,
    prints: String,
    except: Option<Exception>,
}

/// A program that is refused something.
struct Exception {
    when: When,
    /// In standard error.
    says: String,
    because: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    WithoutEval,
    Always,
}

/// `tests/fixtures/packages.json`.
fn programs() -> Vec<Program> {
    let listed: Vec<Value> = serde_json::from_str(include_str!("../fixtures/packages.json")).unwrap();
    let text =
        |value: &Value, key: &str| value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}")).to_owned();
    let exception = |value: &Value| Exception {
        when: match text(value, "when").as_str() {
            "without eval" => When::WithoutEval,
            "always" => When::Always,
            other => panic!("when is {other:?}"),
        },
        says: text(value, "says"),
        because: text(value, "because"),
    };
    let program = |value: &Value| Program {
        package: text(value, "package"),
        version: text(value, "version"),
        file: text(value, "program"),
        does: text(value, "does"),
        preset: text(value, "preset"),
        prints: text(value, "prints"),
        except: value.get("except").map(exception),
    };
    listed.iter().map(program).collect()
}

/// All programs are tried before one of them fails the test.
#[track_caller]
fn all(try_one: impl Fn(&Program) -> Result<(), String>) {
    let failures: Vec<String> = programs()
        .iter()
        .filter_map(|program| try_one(program).err().map(|why| format!("{}: {why}", program.file)))
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Inside, under its preset.
fn inside(program: &Program, eval: bool) -> Result<(), String> {
    let policy = json!({ "extends": program.preset, "eval": eval }).to_string();
    let folder = Folder::with("policy.json", policy);
    let file = format!("programs/{}.ts", program.file);
    let policy = folder.text("policy.json");
    let ended = folder.secure_bun(["run", "--policy", &policy, &file]).from(packages()).end();
    let expected = program.except.as_ref().filter(|except| except.when == When::Always || !eval);
    let as_expected = match expected {
        None => ended.status.success() && ended.output == program.prints.as_bytes(),
        Some(except) => !ended.status.success() && ended.stderr().contains(&except.says),
    };
    if as_expected { Ok(()) } else { Err(ended.to_string()) }
}

#[test]
fn under_bare_bun() {
    let folder = Folder::new();
    all(|program| {
        let ended = folder.bun(["run", &format!("programs/{}.ts", program.file)]).from(packages()).end();
        let good = ended.status.success() && ended.output == program.prints.as_bytes();
        if good { Ok(()) } else { Err(ended.to_string()) }
    });
}

#[test]
fn with_eval() {
    all(|program| inside(program, true));
}

#[test]
fn without_eval() {
    all(|program| inside(program, false));
}

#[test]
fn a_native_addon_is_loaded_where_that_is_granted() {
    let folder = Folder::with("policy.json", r#"{"extends": "script", "ffi": true}"#);
    let policy = folder.text("policy.json");
    let ended = folder.secure_bun(["run", "--policy", &policy, "programs/sharp.ts"]).from(packages()).end();
    assert_eq!((ended.code(), ended.stdout()), (0, "2\n".to_owned()), "{ended}");
}

#[test]
fn every_program_is_listed_and_every_version_is_the_installed_one() {
    let programs = programs();
    let mut listed: Vec<String> = programs.iter().map(|program| format!("{}.ts", program.file)).collect();
    let files = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/packages")).unwrap();
    let mut files: Vec<String> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    listed.sort();
    files.sort();
    assert_eq!(listed, files);
    for Program { package, version, .. } in programs {
        let manifest = packages().join("node_modules").join(&package).join("package.json");
        let manifest: Value = serde_json::from_slice(&std::fs::read(manifest).unwrap()).unwrap();
        assert_eq!(manifest["version"], version, "{package}");
    }
}
