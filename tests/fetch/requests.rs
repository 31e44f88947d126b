//! Requests that are granted arrive as they were made, and their answers come back as they are.

use serde_json::json;

use super::{Program, Server};

const ANY: &str = r#"{ "fetch": [{ "url": "http://127.0.0.1:PORT/*", "methods": ["GET", "HEAD", "POST", "PUT"] }] }"#;

#[test]
fn what_is_asked_and_what_is_answered() {
    let server = Server::start();
    let body = r#"
        const U = "http://127.0.0.1:PORT";
        const told = [];
        const tell = async (answer) => {
            const { status, statusText, url, redirected, type, ok } = answer;
            let body = await answer.clone().text();
            try {
                const { headers, ...rest } = JSON.parse(body);
                delete headers.connection;
                body = { ...rest, headers };
            } catch {}
            told.push({ status, statusText, url, redirected, type, ok, body, of: answer.headers.get("content-type") });
        };
        await tell(await fetch(U + "/echo?a=%20b#fragment"));
        await tell(await fetch(new URL(U + "/echo"), { method: "POST", body: "text", headers: { "x-own": "1" } }));
        await tell(await fetch(new Request(U + "/echo", { method: "PUT", body: new Uint8Array([97, 98]) })));
        await tell(await fetch(new Request(U + "/echo", { method: "PUT" }), { method: "post", body: new URLSearchParams("a=b") }));
        await tell(await fetch(U + "/echo", { method: "POST", body: new Blob(["x"], { type: "text/x" }) }));
        await tell(await fetch(U + "/gzip"));
        await tell(await fetch(U + "/gzip", { decompress: false, method: "HEAD" }));
        await tell(await fetch(U + "/empty"));
        await tell((await fetch(U + "/echo")).clone());
        const copy = (await fetch(U + "/echo?x")).clone();
        told.push(copy.url);
        return told;
    "#;
    Program::new(&server, ANY, body).same();
}

/// A URL with plain options goes another way to the launcher than all else does.
#[test]
fn options_of_any_kind() {
    let server = Server::start();
    let body = r#"
        const U = "http://127.0.0.1:PORT/echo", form = new FormData();
        form.set("a", "b");
        const several = new Headers([["x-own", "1"], ["x-own", "2"]]);
        const all = () => [
            {},
            { method: undefined, headers: undefined, body: undefined, signal: undefined, redirect: undefined },
            { method: "put", body: form, headers: several },
            { method: "POST", body: "text", headers: [["x-own", "1"]] },
            { method: "POST", body: new Blob(["x"], { type: "text/x" }), headers: { "Content-Type": "text/y" } },
            { method: "POST", body: new ReadableStream({ start(parts) { parts.enqueue("x"); parts.close(); } }) },
            { method: "POST", body: null, signal: null },
            { body: "x" },
            { method: "NO T" },
            { headers: null },
            { headers: [["x-own"]] },
            { redirect: "sometimes" },
            { signal: "none" },
            Object.create({ method: "POST", body: "inherited" }),
            new (class { method = "POST"; get body() { return "of a class"; } })(),
        ];
        const tell = async (...args) => {
            try {
                const { method, body, headers } = await (await fetch(...args)).json();
                delete headers.connection;
                if (String(headers["content-type"]).includes("boundary=")) return [method, "a form"];
                return [method, body, headers];
            } catch (error) {
                return [error.name, error.code];
            }
        };
        const told = [];
        for (const options of all()) told.push(await tell(U, options));
        for (const options of all()) told.push(await tell(new URL(U), options));
        told.push(await tell(U, null), await tell(U, undefined), await tell(U, new Request(U, { method: "POST", body: "x" })));
        return told;
    "#;
    Program::new(&server, ANY, body).same();
}

#[test]
fn errors_are_those_that_programs_know() {
    let server = Server::start();
    let policy = r#"{ "fetch": ["http://127.0.0.1:1/*", "http://no-such-host.invalid/*", "http://127.0.0.1:PORT/*"] }"#;
    let body = r#"
        const failure = async (...args) => {
            try { await fetch(...args); return "no failure"; }
            catch (error) { return [error.name, error.code, error instanceof TypeError, error.path]; }
        };
        return [
            await failure("http://127.0.0.1:1/"),
            await failure("http://no-such-host.invalid/x"),
            await failure("http://127.0.0.1:PORT/redirect?to=/echo", { redirect: "error" }),
            await failure("not a URL"),
            await failure("http://127.0.0.1:PORT/echo", { signal: AbortSignal.abort() }),
        ];
    "#;
    Program::new(&server, policy, body).same();
}

#[test]
fn headers_of_a_rule_win_and_what_stands_in_them_stays_outside() {
    let server = Server::start();
    let policy = r#"{
        "fetch": [{ "url": "http://127.0.0.1:PORT/*", "headers": { "authorization": "Bearer ${secret:KEY}", "x-plain": "1" } }],
        "env": ["*"]
    }"#;
    let body = r#"
        const answer = await fetch("http://127.0.0.1:PORT/x", { headers: { authorization: "mine", "X-Plain": "2", host: "evil.example" } });
        return [[...answer.headers], answer.url, process.env, await answer.text(), Object.getOwnPropertyNames(answer)];
    "#;
    let program = Program::new(&server, policy, body).secret("KEY=env:VARIABLE").env("VARIABLE", "topsecret");
    let envelope = program.inside();
    assert!(envelope.result().is_array());
    assert!(!envelope.json.to_string().contains("topsecret"), "{}", envelope.json);
    let port = server.port;
    let told = server.end();
    assert!(told.contains(r#""authorization":"Bearer topsecret""#), "{told}");
    assert!(told.contains(r#""x-plain":"1""#) && !told.contains("mine"), "{told}");
    assert!(told.contains(&format!(r#""host":"127.0.0.1:{port}""#)) && !told.contains("evil"), "{told}");
    assert!(!told.contains("x-secure-bun"), "{told}");
}

#[test]
fn methods() {
    let server = Server::start();
    let policy = r#"{ "fetch": [{ "url": "http://127.0.0.1:PORT/*", "methods": ["GET", "POST"] }] }"#;
    let port = server.port;
    for (options, method) in [
        (r#"{ method: "DELETE" }"#, "DELETE"),
        (r#"{ method: "delete" }"#, "DELETE"),
        (r#"{ method: "POST", headers: { "x-http-method-override": "delete" } }"#, "DELETE"),
        (r#"{ method: "PATCH", body: "x" }"#, "PATCH"),
    ] {
        let body = format!("return (await fetch('http://127.0.0.1:PORT/', {options})).status;");
        let envelope =
            Program::new(&server, policy, &body).refused(&format!("{method} http://127.0.0.1:{port}/"), "default");
        let fix = format!(r#"allow.fetch: [{{"url": "http://127.0.0.1:{port}/", "methods": ["{method}"]}}]"#);
        assert_eq!(envelope.text("/error/fix"), fix);
    }
    let body = "return (await fetch('http://127.0.0.1:PORT/', { method: 'POST', headers: { 'x-http-method-override': 'GET' } })).status;";
    assert_eq!(Program::new(&server, policy, body).same(), json!(200));
}

#[test]
fn proxies_and_unix_sockets_are_other_permissions() {
    let server = Server::start();
    let policy = r#"{ "fetch": ["http://127.0.0.1:PORT/*", "http://a.example/*"] }"#;
    // The server is its own proxy.
    let body = "return (await fetch('http://a.example/', { proxy: 'http://127.0.0.1:PORT' })).status;";
    let program = Program::new(&server, policy, body);
    assert_eq!(program.outside(), json!(200));
    let envelope = program.inside();
    assert_eq!(envelope.text("/error/permission"), "net", "{}", envelope.json);
    assert_eq!(envelope.text("/error/resource"), format!("127.0.0.1:{}", server.port));

    let body = "return (await fetch('http://a.example/', { unix: '/run/other.sock' })).status;";
    let envelope = Program::new(&server, policy, body).inside();
    assert_eq!(envelope.text("/error/resource"), "unix:/run/other.sock", "{}", envelope.json);

    let body = "process.env.HTTP_PROXY = process.env.http_proxy = 'http://127.0.0.1:1'; return (await fetch('http://127.0.0.1:PORT/')).status;";
    let program = Program::new(&server, policy, body).env("HTTP_PROXY", "http://127.0.0.1:1");
    assert_eq!(*program.env("http_proxy", "http://127.0.0.1:1").inside().result(), json!(200));
}

#[test]
fn what_stays_inside_needs_no_rule() {
    let server = Server::start();
    let body = r#"
        const blob = URL.createObjectURL(new Blob(["blob"]));
        return [await (await fetch("data:,data")).text(), await (await fetch(blob)).text()];
    "#;
    assert_eq!(Program::new(&server, ANY, body).same(), json!(["data", "blob"]));
}

#[test]
fn a_host_of_fetch_is_not_connected_to() {
    let server = Server::start();
    let policy = r#"{ "net": ["127.0.0.1:PORT", "localhost:PORT"], "fetch": ["http://localhost:PORT/allowed"] }"#;
    let body = r#"
        const status = (await fetch("http://localhost:PORT/allowed")).status;
        try {
            await Bun.connect({ hostname: "localhost", port: PORT, socket: { data() {} } });
        } catch (error) { return [status, error.code]; }
    "#;
    let envelope = Program::new(&server, policy, body).inside();
    assert_eq!(*envelope.result(), json!([200, "ECONNREFUSED"]), "{}", envelope.json);
    assert!(envelope.text("/denials/0/fix").starts_with("remove allow.fetch"), "{}", envelope.json);
}

#[test]
fn who_connects_is_told_to_fetch() {
    let server = Server::start();
    let policy = r#"{ "fetch": ["http://127.0.0.1:PORT/*"] }"#;
    let with_net = r#"{ "fetch": ["http://127.0.0.1:PORT/*"], "net": ["127.0.0.1:PORT", "other.example:443"] }"#;
    let rule = format!("allow.fetch \"http://127.0.0.1:{}/*\"", server.port);
    let fix = format!("remove {rule} (policy.json:1:13)");
    for act in [
        "return await new Promise((good, bad) => require('node:http').get('http://127.0.0.1:PORT/', good).on('error', bad)).then((answer) => { answer.destroy(); return answer.statusCode; });",
        "return (await (await import('undici')).request('http://127.0.0.1:PORT/')).statusCode;",
        "return (await (await import('node-fetch')).default('http://127.0.0.1:PORT/')).status;",
        "const { fetch } = Bun; return (await fetch('http://127.0.0.1:PORT/')).status;",
        "return (await new Bun.FetchSession().fetch('http://127.0.0.1:PORT/')).status;",
    ] {
        for policy in [policy, with_net] {
            let program = Program::new(&server, policy, act);
            assert_eq!(program.outside(), json!(200), "{act}");
            let envelope = program.inside();
            assert_eq!(envelope.text("/error/fix"), fix, "{act} {}", envelope.json);
            let message = envelope.text("/error/message");
            assert!(message.contains("which fetch() and WebSocket alone reach then"), "{act} {message}");
            assert_eq!(envelope.text("/denials/0/fix"), fix, "{act} {}", envelope.json);
        }
    }
    let body = "return (await (await import('undici')).fetch('http://127.0.0.1:PORT/')).status;";
    assert_eq!(Program::new(&server, policy, body).same(), json!(200));
}

#[test]
fn rules_that_deny_win() {
    let server = Server::start();
    let policy =
        r#"{ "fetch": ["http://127.0.0.1:PORT/*"], "deny": { "fetch": ["http://127.0.0.1:PORT/private/*"] } }"#;
    let url = format!("http://127.0.0.1:{}", server.port);
    let body = "return (await fetch('http://127.0.0.1:PORT/private/x')).status;";
    let rule = format!(r#"deny.fetch "{url}/private/*" (policy.json:1:73)"#);
    let program = Program::new(&server, policy, body);
    program.outside();
    let envelope = program.inside();
    assert_eq!(envelope.text("/error/resource"), format!("GET {url}/private/x"));
    assert_eq!(envelope.text("/error/rule").split(" (").next(), rule.split(" (").next());
}
