//! Other programs, native code, Workers, environment, facts about the machine.

use secure_bun_tests::{Folder, JSON};

use super::{Act, Refusal};

#[test]
fn starting_programs() {
    let ways = [
        "Bun.spawnSync(['/bin/true']).exitCode",
        "Bun.spawn(['/bin/true']).exited",
        "require('child_process').execFileSync('/bin/true').length",
        "(result => { if (result.error) throw result.error; return result.status; })(require('child_process').spawnSync('/bin/true'))",
        "new Promise((good, bad) => require('child_process').execFile('/bin/true', e => e ? bad(e) : good(0)))",
    ];
    for way in ways {
        Act::new(Folder::new(), way).refused_as(&Refusal {
            permission: "run",
            resource: Some("/bin/true"),
            rule: "default",
            fix: "allow.run: [\"/bin/true\"]",
        });
    }
}

#[test]
fn starting_programs_through_a_shell() {
    let act = Act::new(Folder::new(), "Bun.$`/bin/true`.quiet().then(r => r.exitCode)");
    act.fails();
}

#[test]
fn native_code() {
    let load = "require('bun:ffi').dlopen('libc.so.6', { getpid: { args: [], returns: 'int' } }).symbols.getpid()";
    Act::new(Folder::new(), load).refused_as(&Refusal {
        permission: "ffi",
        resource: Some("libc.so.6"),
        rule: "default",
        fix: "allow.ffi: [\"libc.so.6\"]",
    });
}

#[test]
fn workers() {
    let start = "new Promise((good, bad) => { const w = new Worker(new URL('./worker.ts', import.meta.url).href);
        w.onmessage = e => { w.terminate(); good(e.data); }; w.onerror = bad; })";
    let folder = Folder::with("worker.ts", "postMessage(1)").package();
    Act::new(folder, start).refused_as(&Refusal {
        permission: "workers",
        resource: Some("1"),
        rule: "default",
        fix: "allow.workers: 1",
    });
}

#[test]
fn one_worker_more_than_granted() {
    let start = "(() => { const make = () => new Worker(new URL('./worker.ts', import.meta.url).href); make(); make(); setTimeout(process.exit, 0); })()";
    let folder = Folder::with("worker.ts", "setInterval(() => {}, 1000)").package();
    let act = Act::new(folder, start).under(r#"{"workers": 1}"#);
    act.works_outside();
    act.refused_inside("workers", "2");
}

#[test]
fn a_worker_is_as_confined_as_the_program() {
    let worker = "try { require('fs').readFileSync('/etc/passwd'); postMessage('read it'); } catch (e) { postMessage(e.message); }";
    let start = "new Promise((good, bad) => { const w = new Worker(new URL('./worker.ts', import.meta.url).href, { preload: [] });
        w.onmessage = e => { w.terminate(); good(e.data); }; w.onerror = bad; })";
    let folder = Folder::with("worker.ts", worker).package();
    let (outside, inside) = Act::new(folder, start).under(r#"{"workers": 1}"#).both();
    assert_eq!(outside, "read it");
    assert!(inside.as_str().unwrap().starts_with("reading \"/etc/passwd\" is not allowed"), "{inside}");
}

#[test]
fn variables_of_the_launcher() {
    let read = "import fs from 'fs'; export default () => [process.env.SECRET_KEY, Bun.env.SECRET_KEY, import.meta.env.SECRET_KEY,
        fs.readFileSync('/proc/self/environ', 'latin1').includes('hush')];";
    let folder =
        Folder::with("fn.ts", read).file("outside.ts", super::CALLER).file("p.json", r#"{"read": ["/proc/self"]}"#);
    let outside = folder.bun(["run", "outside.ts"]).env("SECRET_KEY", "hush").prints();
    assert_eq!(outside, "[\"hush\",\"hush\",\"hush\",true]\n");
    let ended = folder.secure_bun(["run", JSON, "fn.ts"]).env("SECRET_KEY", "hush").end();
    assert!(!ended.stdout().contains("hush"), "{ended}");
    let native = "export default () => [process.env.SECRET_KEY, Bun.env.SECRET_KEY, import.meta.env.SECRET_KEY];";
    let folder = folder.file("fn.ts", native);
    let inside = folder.secure_bun(["run", "fn.ts"]).env("SECRET_KEY", "hush").prints();
    assert_eq!(inside, "[null,null,null]\n");
}

#[test]
fn facts_about_the_machine() {
    for (way, name) in [
        ("require('os').userInfo().username", "userInfo"),
        ("Object.keys(require('os').networkInterfaces())", "networkInterfaces"),
    ] {
        let fix = format!("allow.sys: [\"{name}\"]");
        Act::new(Folder::new(), way).refused_as(&Refusal {
            permission: "sys",
            resource: Some(name),
            rule: "default",
            fix: &fix,
        });
    }
    let folder = Folder::with("main.ts", "console.log(require('os').hostname())");
    let outside = folder.bun(["run", "main.ts"]).prints();
    let inside = folder.secure_bun(["run", "main.ts"]).prints();
    assert_ne!(inside, outside);
    assert!(["sandbox\n", "localhost\n"].contains(&inside.as_str()), "{inside}");
}
