//! Code from strings, and realms without guards.

use secure_bun_tests::Folder;

use super::Act;

/// It works outside; inside it throws something.
#[track_caller]
fn throws(expression: &str) {
    let act = Act::new(Folder::new(), expression);
    let envelope = act.fails();
    assert_eq!(envelope.at("/ok"), false, "{expression}: {}", envelope.json);
}

#[test]
fn code_from_strings() {
    for expression in [
        "eval('1')",
        "(0, eval)('1')",
        "new Function('return 1')()",
        "(async () => {}).constructor('return 1')()",
        "setTimeout.constructor('return 1')()",
        "require('vm').runInThisContext('1')",
        "require('vm').runInNewContext('1')",
        "new (require('vm').Script)('1').runInThisContext()",
        "import('data:text/javascript,export default 1').then(m => m.default)",
        "import(URL.createObjectURL(new Blob(['export default 1'], { type: 'text/javascript' }))).then(m => m.default)",
    ] {
        throws(expression);
    }
}

#[test]
fn a_realm_without_guards() {
    throws("new ShadowRealm().evaluate('1')");
}

#[test]
fn macros_do_not_run() {
    let folder =
        Folder::with("main.ts", "import { act } from './macro.ts' with { type: 'macro' }; console.log(act());")
            .package()
            .file("macro.ts", "export const act = () => 'a macro ran';");
    assert_eq!(folder.bun(["run", "main.ts"]).prints(), "a macro ran\n");
    let ended = folder.secure_bun(["run", "main.ts"]).end();
    assert!(!ended.stdout().contains("a macro ran"), "{ended}");
}
