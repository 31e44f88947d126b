//! Ways to files that the preload cannot guard: there the kernel answers, by not having the file.

use secure_bun_tests::Folder;

use super::{Act, Refusal};

/// Imports a module whose name is made at run time, which no guard sees in time.
const UNGUARDED_FS: &str = "(await import(['f', 's'].join('')))";

#[test]
fn import_attributes() {
    let folder = Folder::with("data.txt", "data").package();
    let target = Folder::with("secret.txt", "secret");
    let load = format!("(await import('{}', {{ with: {{ type: 'text' }} }})).default", target.text("secret.txt"));
    let act = Act::new(folder, &load);
    let envelope = act.fails();
    let message = envelope.text("/error/message");
    assert!(message.starts_with("Cannot find module") || message.contains("is not allowed"), "{message}");
}

#[test]
fn a_static_import_as_text() {
    let target = Folder::with("secret.txt", "secret");
    let source =
        format!("import text from '{}' with {{ type: 'text' }}; console.log(text);", target.text("secret.txt"));
    let folder = Folder::with("main.ts", source).package();
    assert_eq!(folder.bun(["run", "main.ts"]).prints(), "secret\n");
    let ended = folder.secure_bun(["run", "main.ts"]).end();
    assert_eq!((ended.code(), ended.stdout()), (1, String::new()), "{ended}");
    assert!(ended.stderr().contains("Cannot find module"), "{ended}");
}

#[test]
fn attaching_another_database() {
    let make = "new (await import('bun:sqlite')).Database('secret.db').run('create table t (x)')";
    let secret = Folder::with("make.ts", make);
    secret.bun(["run", "make.ts"]).prints();
    let attach = format!(
        "(() => {{ const db = new (require('bun:sqlite').Database)(':memory:');
            db.run(\"attach '{}' as other\"); return db.query('select name from other.sqlite_master').all(); }})()",
        secret.text("secret.db")
    );
    let act = Act::new(Folder::new(), &attach);
    let path = secret.text("secret.db");
    let fix = format!("allow.write: [\"{path}\"]");
    act.refused_as(&Refusal { permission: "write", resource: Some(&path), rule: "default", fix: &fix });
}

#[test]
fn a_module_name_made_at_run_time() {
    let target = Folder::with("secret.txt", "secret");
    let read = format!("{UNGUARDED_FS}.readFileSync('{}', 'utf8')", target.text("secret.txt"));
    let act = Act::new(Folder::new(), &read);
    let envelope = act.fails();
    let code = envelope.text("/error/code");
    assert!(["ENOENT", "ERR_ACCESS_DENIED"].contains(&code), "{}", envelope.json);
}

#[test]
fn a_cache_entry_that_is_deleted() {
    let target = Folder::with("secret.txt", "secret");
    let read =
        format!("(delete require.cache.fs, require('fs').readFileSync('{}', 'utf8'))", target.text("secret.txt"));
    let act = Act::new(Folder::new(), &read);
    let envelope = act.fails();
    let code = envelope.text("/error/code");
    assert!(["ENOENT", "ERR_ACCESS_DENIED"].contains(&code), "{}", envelope.json);
}
