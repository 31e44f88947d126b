//! Reading and writing files.

use std::fs;
use std::os::unix::fs::symlink;

use secure_bun_tests::{Folder, JSON};

use super::{Act, Refusal};

const READ_BESIDE: Refusal<'_> = Refusal {
    permission: "read",
    resource: Some("[FOLDER]/data.txt"),
    rule: "default",
    fix: "allow.read: [\"[FOLDER]/data.txt\"]",
};

#[test]
fn reading_a_file_that_is_not_granted() {
    let ways = [
        "(await import('node:fs')).readFileSync('data.txt', 'utf8')",
        "require('fs').openSync('data.txt')",
        "(await import('node:fs/promises')).readFile('data.txt', 'utf8')",
        "require('fs').promises.stat('data.txt')",
        "require('fs').createReadStream('data.txt').toArray()",
        "new Promise((good, bad) => require('fs').readFile('data.txt', (e, text) => e ? bad(e) : good(text)))",
        "Bun.file('data.txt').text()",
        "Bun.file(new URL('data.txt', import.meta.url)).bytes()",
        "Bun.file(Buffer.from('data.txt')).json().catch(e => { if (!(e instanceof SyntaxError)) throw e; })",
        "fetch(new URL('data.txt', import.meta.url)).then(r => r.text())",
        "process.getBuiltinModule('fs').readFileSync('data.txt', 'utf8')",
        "import.meta.require('fs').readFileSync('data.txt', 'utf8')",
    ];
    for way in ways {
        Act::new(Folder::with("data.txt", "data"), way).refused_as(&READ_BESIDE);
    }
}

#[test]
fn listing_a_folder_that_is_not_granted() {
    let list = "require('fs').readdirSync(process.cwd())";
    Act::new(Folder::new(), list).refused_as(&Refusal {
        permission: "read",
        resource: Some("[FOLDER]"),
        rule: "default",
        fix: "allow.read: [\"[FOLDER]\"]",
    });
}

#[test]
fn whether_a_file_exists_is_answered_with_no() {
    let ask = "[require('fs').existsSync('data.txt'), await Bun.file('data.txt').exists()]";
    let (outside, inside) = Act::new(Folder::with("data.txt", ""), ask).both();
    assert_eq!((outside.to_string(), inside.to_string()), ("[true,true]".into(), "[false,false]".into()));
}

#[test]
fn writing_a_file_that_is_not_granted() {
    let ways = [
        "void require('fs').writeFileSync('out.txt', 'x')",
        "void require('fs').appendFileSync('out.txt', 'x')",
        "Bun.write('out.txt', 'x')",
        "Bun.file('out.txt').write('x')",
        "void Bun.file('out.txt').writer().end()",
        "(await import('node:fs/promises')).writeFile('out.txt', 'x')",
    ];
    for way in ways {
        Act::new(Folder::new(), way).refused_as(&Refusal {
            permission: "write",
            resource: Some("[FOLDER]/out.txt"),
            rule: "default",
            fix: "allow.write: [\"[FOLDER]/out.txt\"]",
        });
    }
}

#[test]
fn changing_what_may_only_be_read() {
    let ways = [
        "void require('fs').writeFileSync('data.txt', 'x')",
        "void require('fs').truncateSync('data.txt')",
        "void require('fs').unlinkSync('data.txt')",
        "void require('fs').chmodSync('data.txt', 0o777)",
        "void require('fs').utimesSync('data.txt', 1, 1)",
        "void require('fs').rmSync('data.txt')",
    ];
    for way in ways {
        Act::new(Folder::with("data.txt", "data"), way).under(r#"{"read": ["./data.txt"]}"#);
        let folder = Folder::with("data.txt", "data");
        let act = Act::new(folder, way).under(r#"{"read": ["./data.txt"]}"#);
        act.works_outside();
        let folder = act.folder.file("data.txt", "data");
        Act { folder, policy: act.policy }.refused_inside("write", "[FOLDER]/data.txt");
    }
}

#[test]
fn what_is_denied_in_a_tree_that_may_be_read() {
    let folder = Folder::with("data/private/a.txt", "a").file("data/b.txt", "b");
    let policy = r#"{"read": ["./data"], "deny": {"read": ["./data/private"]}}"#;
    Act::new(folder, "Bun.file('data/private/a.txt').text()").under(policy).refused_as(&Refusal {
        permission: "read",
        resource: Some("[FOLDER]/data/private/a.txt"),
        rule: "deny.read \"./data/private\" (policy.json:1:40)",
        fix: "remove deny.read \"./data/private\" (policy.json:1:40)",
    });
}

#[test]
fn a_symbolic_link_does_not_lead_out_of_a_grant() {
    let outside = Folder::with("secret.txt", "secret");
    let folder = Folder::new().folder("data");
    symlink(outside.path("secret.txt"), folder.path("data/link")).unwrap();
    // The preload sees a granted path; what it leads to is not there.
    let act = Act::new(folder, "require('fs').readFileSync('data/link', 'utf8')").under(r#"{"read": ["./data"]}"#);
    act.fails_with("ENOENT");
}

#[test]
fn a_grant_that_is_a_symbolic_link_out_of_the_project() {
    let outside = Folder::with("secret.txt", "secret");
    let folder = Folder::with("fn.ts", "export default () => require('fs').readFileSync('data/secret.txt', 'utf8');");
    symlink(outside.path(""), folder.path("data")).unwrap();
    let run = |flags: &[&str]| folder.secure_bun([&["run"], flags, &["fn.ts"]].concat());
    let ended = run(&["--allow-read=data"]).end();
    assert_eq!((ended.code(), ended.stdout()), (2, String::new()), "{ended}");
    let to = outside.text("");
    assert_eq!(
        ended.stderr(),
        format!(
            "secure-bun: error: allow.read \"data\" (--allow-read=data): [FOLDER]/data is a symbolic link that leads out of [FOLDER], to {to}\n\
             secure-bun: help: if that is meant, grant it by its own name too: allow.read: [{to:?}]\n"
        )
    );
    // The control: with the end of the link granted too, it works through the link.
    assert_eq!(run(&["--allow-read=data", &format!("--allow-read={to}")]).prints(), "\"secret\"\n");
}

#[test]
fn a_symbolic_link_that_the_program_makes_leads_nowhere() {
    let outside = Folder::with("secret.txt", "secret");
    let make = format!(
        "(require('fs').symlinkSync('{}', 'out/link'), require('fs').readFileSync('out/link', 'utf8'))",
        outside.text("secret.txt")
    );
    let act = Act::new(Folder::new().folder("out"), &make).under(r#"{"write": ["./out"]}"#);
    act.works_outside();
    fs::remove_file(act.folder.path("out/link")).unwrap();
    let folder = act.folder.file("policy.json", act.policy);
    let envelope = folder.secure_bun(["run", JSON, "--policy", "policy.json", "fn.ts"]).envelope();
    assert_eq!(envelope.at("/ok"), false, "{}", envelope.json);
    assert!(!envelope.json.to_string().contains("\"result\":\"secret\""));
}

#[test]
fn protected_files_in_a_writable_tree() {
    for protected in
        [".git/hooks/pre-commit", ".npmrc", "bunfig.toml", ".github/workflows/ci.yml", ".vscode/tasks.json"]
    {
        let folder = Folder::with(protected, "honest").file(".git/config", "honest");
        let write = format!("void require('fs').writeFileSync('{protected}', 'evil')");
        let act = Act::new(folder, &write).under(r#"{"write": ["."]}"#);
        act.works_outside();
        let folder = act.folder.file(protected, "honest");
        Act { folder, policy: act.policy }.refused_inside("write", &format!("[FOLDER]/{protected}"));
    }
}

impl Act {
    /// Inside, a SecurityError names permission and resource.
    #[track_caller]
    pub(crate) fn refused_inside(self, permission: &str, resource: &str) {
        let (folder, envelope) = self.inside();
        let told = ["name", "permission", "resource"].map(|name| {
            let value = envelope.json.pointer(&format!("/error/{name}")).and_then(serde_json::Value::as_str);
            value.map(|text| text.replace(&folder.text(""), "[FOLDER]"))
        });
        let expected = ["SecurityError", permission, resource];
        assert_eq!(told.each_ref().map(Option::as_deref), expected.map(Some), "{}", envelope.json);
    }
}
