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
        "run": ["bun"], "env": ["*"]
    }"#;
    let body = r#"
        const { stdout } = Bun.spawnSync(["bun", "run", import.meta.dir + "/child.ts"], { stderr: "inherit" });
        return JSON.parse(stdout.toString());
    "#;
    // Whatever it can read of any process.
    let child = format!(
        r#"import {{ readdirSync, readFileSync }} from "node:fs";
        {} let readable = "";
        for (const pid of readdirSync("/proc")) for (const file of ["environ", "cmdline", "mem"])
            try {{ readable += readFileSync("/proc/" + pid + "/" + file, "latin1"); }} catch {{}}
        console.log(JSON.stringify([...told, readable.includes("top" + "secret")]));"#,
        ASK.replace("PORT", &server.port.to_string())
    );
    let program = Program::new(&server, policy, body).file("child.ts", &child).file("package.json", "{}");
    let envelope = program.secret("KEY=env:VARIABLE").env("VARIABLE", "topsecret").inside();
    let url = format!("http://127.0.0.1:{}/x", server.port);
    assert_eq!(*envelope.result(), json!([200, url, false]), "{}", envelope.json);
    assert!(server.end().contains(r#""x-key":"topsecret""#));
}
