//! What can be a program, and what it can import.

use secure_bun_tests::{Folder, JSON};

use super::the_same_inside;

#[test]
fn typescript_and_jsx_and_top_level_await() {
    let source = "
        enum Colour { Red = 'red' }
        namespace deep { export const value = 1 as const satisfies number; }
        class Point { constructor(public x: number, private readonly y = 2) {} sum() { return this.x + this.y; } }
        const h = (tag: string, props: object | null, ...children: unknown[]) => ({ tag, props, children });
        const later = await Promise.resolve('later');
        console.log(Colour.Red, deep.value, new Point(1).sum(), later, import.meta.main);
    ";
    assert_eq!(the_same_inside(&Folder::with("main.ts", source)).stdout(), "red 1 3 later true\n");
    let jsx =
        "/** @jsxRuntime classic @jsx h */ const h = (tag: string, props: any, ...rest: any[]) => `<${tag}>${rest.join('')}</${tag}>`;
        console.log(<b>bold {1 + 1}</b>);";
    let folder = Folder::with("page.tsx", jsx);
    assert_eq!(folder.secure_bun(["run", "page.tsx"]).prints(), "<b>bold 2</b>\n");
}

#[test]
fn imports_of_every_kind() {
    let source = "
        import helper, { name } from './lib/helper';
        import data from './data.json';
        import config from './config.toml';
        import text from './note.txt' with { type: 'text' };
        import legacy from './legacy.cjs';
        import { join } from 'path';
        import greet from 'greeter';
        const { late } = await import('./lib/late.ts');
        console.log(helper(2), name, data.a, config.title, text.trim(), legacy.kind, join('a', 'b'), greet('you'), late);
        console.log(require('./data.json').a, import.meta.file, require.resolve('greeter') === import.meta.resolveSync('greeter'));
    ";
    let folder = Folder::with("main.ts", source)
        .package()
        .file("lib/helper.ts", "export const name = 'helper'; export default (n: number) => n * 2;")
        .file("lib/late.ts", "export const late: string = 'late';")
        .file("data.json", r#"{"a": [1, 2]}"#)
        .file("config.toml", "title = 'toml'")
        .file("note.txt", "text\n")
        .file("legacy.cjs", "exports.kind = 'cjs ' + require('./data.json').a.length;")
        .file("node_modules/greeter/package.json", r#"{"name":"greeter","main":"./index.js"}"#)
        .file("node_modules/greeter/index.js", "module.exports = who => 'hello ' + who;");
    let ended = the_same_inside(&folder);
    assert_eq!(ended.stdout().lines().next().unwrap(), "4 helper [ 1, 2 ] toml text cjs 2 a/b hello you late");
}

#[test]
fn webassembly() {
    // (module (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))
    let module: &[u8] = b"\0asm\x01\0\0\0\x01\x07\x01\x60\x02\x7f\x7f\x01\x7f\x03\x02\x01\0\x07\x07\x01\x03add\0\0\x0a\x09\x01\x07\0\x20\0\x20\x01\x6a\x0b";
    let source = "const { instance } = await WebAssembly.instantiate(await Bun.file('add.wasm').arrayBuffer());
        console.log(instance.exports.add(2, 3));";
    let folder = Folder::with("main.ts", source).package().file("add.wasm", module);
    assert_eq!(the_same_inside(&folder).stdout(), "5\n");
    let refused = Folder::with("main.ts", source)
        .package()
        .file("add.wasm", module)
        .file("p.json", r#"{"read": ".", "wasm": false}"#);
    let ended = refused.secure_bun(["run", "--policy", "p.json", "main.ts"]).end();
    assert_eq!((ended.code(), ended.stdout()), (1, String::new()), "{ended}");
}

#[test]
fn a_module_is_evaluated_once_and_knows_that_it_is_the_program() {
    let source = "globalThis.times = (globalThis.times ?? 0) + 1;
        export default () => [globalThis.times, import.meta.main];";
    assert_eq!(Folder::with("fn.ts", source).secure_bun(["run", "fn.ts"]).prints(), "[1,true]\n");
}

#[test]
fn a_function_file_may_await_at_top_level() {
    let source = "const base = await Promise.resolve(40); export default async ({ n }: { n: number }) => base + n;";
    let folder = Folder::with("fn.ts", source);
    assert_eq!(folder.secure_bun(["run", "fn.ts", "--input", "{\"n\":2}"]).prints(), "42\n");
}

#[test]
fn a_server_is_not_called() {
    // Bun serves such a file; without `listen` that is refused, and that is what has to be told.
    let source = "export default { fetch() { return new Response('hi'); } };";
    let ended = Folder::with("main.ts", source).secure_bun(["run", "main.ts"]).end();
    assert_ne!(ended.code(), 0, "{ended}");
    assert!(ended.stderr().contains("listening on"), "{ended}");
}

#[test]
fn a_function_with_fetch_is_a_server_too() {
    let source = "export default Object.assign(() => console.log('called'), { fetch() {} }); console.log('loaded');";
    let ended = Folder::with("main.ts", source).secure_bun(["run", "main.ts"]).end();
    assert!(!ended.stdout().contains("called"), "{ended}");
}

#[test]
fn a_class_is_not_called() {
    let source = "export default class App { constructor() { console.log('called'); } } console.log('loaded');";
    let ended = the_same_inside(&Folder::with("main.ts", source));
    assert_eq!(ended.stdout(), "loaded\n");
}

#[test]
fn a_commonjs_function_file() {
    let folder = Folder::with("fn.cjs", "module.exports = ({ a }) => a + 1;");
    assert_eq!(folder.secure_bun(["run", "fn.cjs", "--input", "{\"a\":1}"]).prints(), "2\n");
}

#[test]
fn a_commonjs_script() {
    let folder = Folder::with(
        "main.cjs",
        "console.log(require.main === module, __filename.endsWith('main.cjs'), this === exports)",
    );
    assert_eq!(folder.secure_bun(["run", "main.cjs"]).prints(), folder.bun(["run", "main.cjs"]).prints());
}

#[test]
fn a_package_json_script_of_the_same_name_is_not_run() {
    let folder = Folder::with("main.ts", "console.log('the file')")
        .file("package.json", r#"{"scripts": {"main.ts": "echo the script"}}"#);
    assert_eq!(folder.bun(["run", "main.ts"]).prints(), "the script\n", "the test shows nothing");
    assert_eq!(folder.secure_bun(["run", "main.ts"]).prints(), "the file\n");
}

#[test]
fn a_link_to_a_program() {
    let folder = Folder::with("real/main.ts", "import './beside.ts'")
        .package()
        .file("real/beside.ts", "console.log(import.meta.dir)");
    std::os::unix::fs::symlink("real/main.ts", folder.path("main.ts")).unwrap();
    assert_eq!(folder.secure_bun(["run", "main.ts"]).prints(), "[FOLDER]/real\n");
}

#[test]
fn timers_promises_and_workers_end_in_order() {
    let source = "setTimeout(() => console.log('timeout'), 5); setImmediate(() => console.log('immediate'));
        process.nextTick(() => console.log('tick')); Promise.resolve().then(() => console.log('promise'));
        console.log('first'); process.on('exit', code => console.log('exit', code));";
    the_same_inside(&Folder::with("main.ts", source));
}

#[test]
fn granted_eval_works() {
    let source = "export default () => [eval('1 + 1'), new Function('return 3')()];";
    let folder = Folder::with("fn.ts", source).file("p.json", r#"{"eval": true}"#);
    let envelope = folder.secure_bun(["run", JSON, "--policy", "p.json", "fn.ts"]).envelope();
    assert_eq!(envelope.result().to_string(), "[2,3]");
}

#[test]
fn granted_workers_work() {
    let source = "const worker = new Worker(new URL('./worker.ts', import.meta.url).href);
        worker.onmessage = event => { console.log(event.data); worker.terminate(); }; worker.postMessage(20);";
    let folder = Folder::with("main.ts", source)
        .package()
        .file("worker.ts", "onmessage = event => postMessage(event.data + 1);")
        .file("p.json", r#"{"workers": 1}"#);
    assert_eq!(folder.secure_bun(["run", "--policy", "p.json", "main.ts"]).prints(), "21\n");
}

#[test]
fn granted_writing_lands_outside() {
    let source =
        "await Bun.write('out/a.txt', 'new'); require('fs').appendFileSync('out/log', 'more'); console.log('done')";
    let folder = Folder::with("main.ts", source)
        .folder("out")
        .file("out/log", "some ")
        .file("p.json", r#"{"write": ["./out"]}"#);
    assert_eq!(folder.secure_bun(["run", "--policy", "p.json", "main.ts"]).prints(), "done\n");
    assert_eq!((folder.read("out/a.txt"), folder.read("out/log")), ("new".to_owned(), "some more".to_owned()));
}
