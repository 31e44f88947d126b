//! The guards in JavaScript, bent from inside. They explain and narrow; behind them is the kernel, so that a program
//! that wins against them has won nothing.

use secure_bun_tests::Folder;

use super::{Attack, is_success, secret};

/// Each expression gives the secret outside. Inside it fails by one of these: the guards that were not fooled, or the
/// kernel, in its own words or those of Bun's loaders.
const REFUSALS: [&str; 3] = ["!ERR_ACCESS_DENIED", "!ENOENT", "!MODULE_NOT_FOUND"];

#[track_caller]
fn gains_nothing(expressions: &[&str]) {
    let target = secret();
    for expression in expressions {
        let expression = expression.replace("SECRET", &format!("'{}'", target.text("secret.txt")));
        let expression = expression.replace("FOLDER", &format!("'{}'", target.text("")));
        let attack = Attack::new(Folder::new(), &expression);
        let outside = attack.outside();
        assert!(is_success(&outside) && outside.to_string().contains("secret"), "{expression}: {outside}");
        let (_, envelope) = attack.inside();
        let inside = envelope.result();
        assert!(REFUSALS.iter().any(|refusal| inside == refusal), "{expression}: {inside}");
    }
}

#[test]
fn polluted_prototypes() {
    gains_nothing(&[
        "(Object.defineProperty(Object.prototype, 'allowed', { get: () => true, set() {}, configurable: true }), fs.readFileSync(SECRET, 'utf8'))",
        "(Object.prototype.read = { allow: [{ path: '/', rule: 'x' }], deny: [] }, fs.readFileSync(SECRET, 'utf8'))",
        "(Object.defineProperty(Array.prototype, 0, { get: () => '/', set() {}, configurable: true }), fs.readFileSync(SECRET, 'utf8'))",
        "(Array.prototype.push = Array.prototype.some = Array.prototype.find = () => true, fs.readFileSync(SECRET, 'utf8'))",
        "(Object.prototype.__defineGetter__('path', () => '/'), fs.readFileSync(SECRET, 'utf8'))",
    ]);
}

#[test]
fn replaced_methods_of_texts_and_functions() {
    gains_nothing(&[
        "(String.prototype.startsWith = String.prototype.includes = () => true, fs.readFileSync(SECRET, 'utf8'))",
        "(String.prototype.substring = String.prototype.charAt = () => '/', fs.readFileSync(SECRET, 'utf8'))",
        "(Function.prototype.call = Function.prototype.bind = () => () => null, fs.readFileSync(SECRET, 'utf8'))",
        "(Reflect.get = Reflect.has = () => true, fs.readFileSync(SECRET, 'utf8'))",
        "(JSON.parse = () => ({ read: { allow: [{ path: '/' }] } }), fs.readFileSync(SECRET, 'utf8'))",
    ]);
}

#[test]
fn replaced_classes_that_the_guards_look_up_late() {
    gains_nothing(&[
        "(globalThis.WeakMap = class { get() {} set() {} has() { return false; } }, fs.readFileSync(SECRET, 'utf8'))",
        "(globalThis.TextDecoder = class { decode() { return '/dev/null'; } }, raw.readFileSync(Buffer.from(SECRET), 'utf8'))",
        "(ArrayBuffer.isView = () => false, fs.readFileSync(Buffer.from(SECRET), 'utf8'))",
        "(globalThis.Blob = class { static [Symbol.hasInstance]() { return false; } }, Bun.file(SECRET).text())",
        "(Object.defineProperty(URL, Symbol.hasInstance, { value: () => false }), fs.readFileSync(Bun.pathToFileURL(SECRET), 'utf8'))",
        "(Error.captureStackTrace = () => { throw 0; }, fs.readFileSync(SECRET, 'utf8'))",
        "(Error.prepareStackTrace = (_, sites) => sites, fs.readFileSync(SECRET, 'utf8'))",
    ]);
}

#[test]
fn paths_that_are_different_each_time() {
    gains_nothing(&[
        "(() => { let n = 0; const path = { length: SECRET.length, toString: () => n++ ? SECRET : '/dev/null' }; return Bun.file(`${path}` && `${path}`).text(); })()",
        "(() => { const path = Buffer.from('/dev/null' + ' '.repeat(200)); path.toString = () => '/dev/null'; path.set(Buffer.from(SECRET + '\\0')); return raw.readFileSync(path.subarray(0, Buffer.byteLength(SECRET)), 'utf8'); })()",
        "(() => { const url = Bun.pathToFileURL('/dev/null'); const lie = Bun.pathToFileURL(SECRET); Object.defineProperty(lie, 'href', { get: () => url.href }); return fs.readFileSync(lie, 'utf8'); })()",
        "(process.cwd = () => '/dev', process.chdir('/'), fs.readFileSync(SECRET.slice(1), 'utf8'))",
    ]);
}

#[test]
fn modules_put_in_the_place_of_others() {
    gains_nothing(&[
        "(delete require.cache.fs, delete require.cache['node:fs'], require('fs').readFileSync(SECRET, 'utf8'))",
        "(Bun.plugin.clearAll(), (await import('node:fs')).readFileSync(SECRET, 'utf8'))",
        "(Bun.plugin({ name: 'x', setup(build) { build.onResolve({ filter: /.*/, namespace: 'node' }, () => undefined); } }), (await import('node:fs')).readFileSync(SECRET, 'utf8'))",
        "(require('module')._extensions['.txt'] = (module, file) => { module.exports = raw.readFileSync(file, 'utf8'); }, require(SECRET))",
        "require('module').createRequire('/')('fs').readFileSync(SECRET, 'utf8')",
        "Object.getPrototypeOf(require('fs').promises.constructor) && require('fs').promises.readFile(SECRET, 'utf8')",
    ]);
}

#[test]
fn file_objects_that_change_hands() {
    gains_nothing(&[
        "structuredClone(Bun.file(SECRET)).text()",
        "new File([Bun.file(SECRET)], 'x').text()",
        "Bun.readableStreamToText(new Response(new Blob([Bun.file(SECRET)])).body)",
        "new Response(new FormData()).constructor && new Response(Bun.file(SECRET).slice(0, 6)).text()",
        "fetch(URL.createObjectURL(Bun.file(SECRET))).then(answer => answer.text())",
        "new HTMLRewriter().transform(new Response(Bun.file(SECRET))).text()",
    ]);
}

#[test]
fn tools_that_read_files_for_others() {
    gains_nothing(&[
        "[...new Bun.Glob('*.txt').scanSync({ cwd: FOLDER })].map(name => name + ' secret').join()",
        "fs.globSync(FOLDER + '/*.txt').join() + ' secret'",
        "(async () => Bun.build({ entrypoints: [SECRET], loader: { '.txt': 'text' } }))().then(built => built.outputs[0].text(), error => '!' + (error.code ?? error.message.split(':')[0]))",
        "require('util').promisify(require('fs').readFile)(SECRET, 'utf8')",
        "require('stream').Readable.from(require('fs').createReadStream(SECRET)).toArray().then(parts => parts.join(''))",
        "require('readline').createInterface({ input: require('fs').createReadStream(SECRET) })[Symbol.asyncIterator]().next().then(line => line.value)",
    ]);
}

#[test]
fn whether_a_path_resolves() {
    let target = secret();
    let ask = format!("Bun.resolveSync('{}', '/')", target.text("secret.txt"));
    let attack = Attack::new(Folder::new(), &ask);
    assert_eq!(attack.outside(), target.text("secret.txt"));
    let (_, envelope) = attack.inside();
    assert!(envelope.result().as_str().unwrap().starts_with('!'), "{}", envelope.json);
}
