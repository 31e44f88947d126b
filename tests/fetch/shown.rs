//! What programs see of the launcher where it makes their requests: nothing.

use serde_json::json;

use super::hostile::answering;
use super::{Program, Server};

const ANY: &str = r#"{ "fetch": ["http://127.0.0.1:PORT/*"], "env": ["NO_COLOR"] }"#;

#[test]
fn answers_that_are_printed() {
    let server = Server::start();
    let body = r#"
        const { inspect } = require("node:util");
        const U = "http://127.0.0.1:PORT";
        const told = [];
        for (const path of ["/gzip", "/redirect?to=/gzip", "/redirect?to=/empty"]) {
            const answer = await fetch(U + path);
            for (const name of ["date", "x-secure-bun"]) answer.headers.delete(name);
            told.push(
                Bun.inspect(answer), Bun.inspect(answer, { colors: true }), Bun.inspect({ a: [answer] }),
                Bun.inspect([[[answer]]], { depth: 9 }), Bun.inspect(answer.clone()),
                inspect(answer), inspect({ answer }), JSON.stringify(answer), Object.keys(answer), `${answer}`,
                answer.url, answer.redirected, answer.clone().url, answer.clone().clone().redirected,
            );
        }
        return told;
    "#;
    Program::new(&server, ANY, body).same();
}

#[test]
fn bodies_that_break() {
    let server = Server::start();
    let port = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhello", |_| ());
    let policy = format!(r#"{{ "fetch": ["http://127.0.0.1:{port}/*"] }}"#);
    let body = r#"
        const told = [];
        for (const read of ["text", "bytes", "json", "blob", "arrayBuffer"]) {
            const answer = await fetch("http://127.0.0.1:OTHER/");
            try { await answer[read](); told.push("whole"); }
            catch (error) { told.push([error.name, error.code, error.path, error.message]); }
        }
        return told;
    "#;
    Program::new(&server, &policy, &body.replace("OTHER", &port.to_string())).same();
}

#[test]
fn fetch_of_bun_is_another_name() {
    let server = Server::start();
    let body = r#"
        const U = "http://127.0.0.1:PORT";
        const shape = (f) => [typeof f, f.name, f.length, Object.keys(f), f.preconnect.name, f.preconnect.length];
        const failure = async (act) => { try { return await act(); } catch (error) { return [error.name, error.code]; } };
        const answer = await Bun.fetch(U + "/gzip");
        return [
            answer.url, await answer.text(), (await Bun["fetch"](new Request(U + "/redirect?to=/gzip"))).redirected,
            shape(Bun.fetch), shape(fetch), Bun.fetch === fetch, Bun.fetch.preconnect === fetch.preconnect,
            await failure(() => Bun.fetch("")), await failure(() => Bun.fetch("data:,x").then((x) => x.text())),
            await failure(() => new Bun.fetch(U)), await failure(() => { Bun.fetch = 1; }), await failure(() => { delete Bun.fetch; }),
            String(fetch.preconnect(U)), String(Bun.fetch.preconnect(U)),
            await failure(() => fetch.preconnect("")), typeof Bun?.fetch, "fetch" in Bun,
        ];
    "#;
    Program::new(&server, ANY, body).same();
}

#[test]
fn fetch_of_bun_is_refused_like_fetch() {
    let server = Server::start();
    let body = "return (await Bun.fetch('http://127.0.0.1:PORT/', { method: 'DELETE' })).status;";
    let resource = format!("DELETE http://127.0.0.1:{}/", server.port);
    Program::new(&server, ANY, body).refused(&resource, "default");
}

#[test]
fn fetch_of_bun_in_a_package_and_in_a_worker() {
    let server = Server::start();
    let policy = r#"{ "fetch": ["http://127.0.0.1:PORT/*"], "workers": 1 }"#;
    let package = "exports.get = async (url) => (await Bun.fetch(url)).status;";
    let worker = "onmessage = async ({ data }) => postMessage((await Bun.fetch(data)).status);";
    let body = r#"
        const { get } = require("getter");
        const worker = new Worker(new URL("worker.js", import.meta.url).href);
        const answered = new Promise((resolve) => { worker.onmessage = ({ data }) => resolve(data); });
        worker.postMessage("http://127.0.0.1:PORT/");
        const status = await answered;
        worker.terminate();
        return [await get("http://127.0.0.1:PORT/"), status];
    "#;
    let program = Program::new(&server, policy, body).file("node_modules/getter/index.js", package);
    assert_eq!(program.file("worker.js", worker).file("package.json", "{}").same(), json!([200, 200]));
}
