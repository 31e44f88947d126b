//! Requests from wherever the program's code runs, and what it finds of secrets there.

use serde_json::json;

use super::{Program, Server};

const ASK: &str = "const answer = await fetch('http://127.0.0.1:PORT/x'); const told = [answer.status, answer.url];";

#[test]
fn from_a_worker() {
    let server = Server::start();
    let policy = r#"{ "fetch": ["http://127.0.0.1:PORT/*"], "workers": 1 }"#;
    let body = r#"
        const worker = new Worker(new URL("worker.ts", import.meta.url).href);
        return await new Promise((good, bad) => { worker.onmessage = ({ data }) => good(data); worker.onerror = bad; });
    "#;
    let worker = format!("{} postMessage(told);", ASK.replace("PORT", &server.port.to_string()));
    let program = Program::new(&server, policy, body).file("worker.ts", &worker).file("package.json", "{}");
    assert_eq!(program.same(), json!([200, format!("http://127.0.0.1:{}/x", server.port)]));
}

#[test]
fn from_another_process() {
    let server = Server::start();
    let policy = r#"{
        "fetch": [{ "url": "http://127.0.0.1:PORT/*", "headers": { "x-key": "${secret:KEY}" } }],
        "run": ["bun", "cat"], "env": ["*"]
    }"#;
    let body = r#"
        const { stdout } = Bun.spawnSync(["bun", "run", import.meta.dir + "/child.ts"], { stderr: "inherit" });
        return JSON.parse(stdout.toString());
    "#;
    // A program that no guard knows reads what it can of init, of its own parent and of itself.
    let child = format!(
        r#"{} const files = ["1", "2", "self"].flatMap((pid) => ["environ", "cmdline"].map((file) => `/proc/${{pid}}/${{file}}`));
        const {{ stdout }} = Bun.spawnSync(["cat", ...files]);
        const readable = stdout.toString("latin1");
        console.log(JSON.stringify([...told, readable.includes("cat"), readable.includes("top" + "secret")]));"#,
        ASK.replace("PORT", &server.port.to_string())
    );
    let program = Program::new(&server, policy, body).file("child.ts", &child).file("package.json", "{}");
    let envelope = program.secret("KEY=env:VARIABLE").env("VARIABLE", "topsecret").inside();
    let url = format!("http://127.0.0.1:{}/x", server.port);
    assert_eq!(*envelope.result(), json!([200, url, true, false]), "{}", envelope.json);
    assert!(server.end().contains(r#""x-key":"topsecret""#));
}
