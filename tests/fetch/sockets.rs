//! `WebSocket` through the launcher.

use serde_json::json;

use super::{Program, Server};

const TALK: &str = r#"
    const talk = (url, options) => new Promise((good, bad) => {
        const socket = new WebSocket(url, options);
        const heard = [];
        socket.binaryType = "arraybuffer";
        socket.onopen = () => { socket.send("text"); socket.send(new Uint8Array([1, 2, 3])); };
        socket.onmessage = ({ data }) => {
            heard.push(typeof data === "string" ? data : [...new Uint8Array(data)]);
            if (heard.length === 2) socket.close(1000, "enough");
        };
        socket.onclose = ({ code }) => good([heard, code, socket.url, socket.readyState]);
        socket.onerror = () => bad(new Error("refused"));
    });
"#;

#[test]
fn words_go_both_ways() {
    let server = Server::start();
    let policy =
        r#"{ "fetch": [{ "url": "http://127.0.0.1:PORT/socket*", "headers": { "x-key": "${secret:KEY}" } }] }"#;
    let body = format!(
        "{TALK} return [await talk('ws://127.0.0.1:PORT/socket?a=b'), WebSocket.OPEN, await talk('ws://127.0.0.1:PORT/socket', {{ headers: {{ 'x-own': '1' }} }})];"
    );
    let program = Program::new(&server, policy, &body).secret("KEY=env:VARIABLE").env("VARIABLE", "topsecret");
    program.same();
    let told = server.end();
    assert!(told.contains(r#""x-key":"topsecret""#) && told.contains(r#""x-own":"1""#), "{told}");
}

/// What a failing connection tells, in the order in which it does.
const FAIL: &str = r#"
    const fail = (url, listen = (socket, type, listener) => socket.addEventListener(type, listener)) => new Promise((resolve) => {
        const socket = new WebSocket(url);
        const heard = [];
        listen(socket, "error", (event) => {
            const { message, error, type, target } = event;
            const { name, code, permission, resource, fix } = error;
            heard.push({
                type, message, name, code, permission, resource, fix, ready: socket.readyState,
                same: [event instanceof ErrorEvent, error instanceof Error, error.message === message, target === socket],
            });
        });
        listen(socket, "close", ({ code, reason, wasClean }) => { heard.push([code, reason, wasClean]); resolve(heard); });
    });
    const asProperty = (socket, type, listener) => { socket["on" + type] = listener; };
"#;

#[test]
fn no_rule_no_connection() {
    let (server, other) = (Server::start(), Server::start());
    let policy = r#"{ "fetch": ["http://127.0.0.1:PORT/*"] }"#;
    let url = format!("http://127.0.0.1:{}/socket", other.port);
    let body = format!("{TALK} return await talk('{}');", url.replace("http", "ws"));
    Program::new(&server, policy, &body).outside();
    for listen in ["undefined", "asProperty"] {
        let body = format!("{FAIL} return await fail('{}', {listen});", url.replace("http", "ws"));
        let envelope = Program::new(&server, policy, &body).inside();
        let fix = format!(r#"allow.fetch: [{{"url": "{url}", "methods": ["GET"]}}]"#);
        assert_eq!(
            *envelope.result(),
            json!([
                {
                    "type": "error", "name": "SecurityError", "code": "ERR_ACCESS_DENIED", "permission": "fetch",
                    "resource": format!("GET {url}"), "fix": fix, "ready": 3, "same": [true, true, true, true],
                    "message": format!(
                        "fetching \"GET {url}\" is not allowed: no rule of the policy grants it. To allow it: {fix}"
                    ),
                },
                [1006, "", false],
            ]),
            "{}",
            envelope.json
        );
        assert_eq!(envelope.json["denials"].as_array().map(Vec::len), Some(1), "{}", envelope.json);
        assert_eq!(envelope.text("/denials/0/resource"), format!("GET {url}"));
        assert_eq!(envelope.text("/denials/0/reported_by"), "broker");
    }
    assert_eq!(other.end().matches("/socket").count(), 1);
}

#[test]
fn a_server_that_does_not_agree() {
    let server = Server::start();
    let policy = r#"{ "fetch": ["http://127.0.0.1:PORT/*"] }"#;
    let body = format!(
        "{FAIL} return [await fail('ws://127.0.0.1:PORT/echo'), await fail('ws://127.0.0.1:PORT/empty?x', asProperty)];"
    );
    Program::new(&server, policy, &body).same();
}

#[test]
fn a_server_that_is_not_there() {
    let server = Server::start();
    let policy = r#"{ "fetch": ["http://127.0.0.1:1/*", "http://no-such-host.invalid/*"] }"#;
    let body = format!(
        "{FAIL} return [(await fail('ws://127.0.0.1:1/'))[0], (await fail('ws://no-such-host.invalid/'))[0]].map(({{ message, name }}) => [message.split(': ').slice(0, 2), name]);"
    );
    let program = Program::new(&server, policy, &body);
    assert_eq!(program.outside()[0][0][0], "WebSocket connection to 'ws://127.0.0.1:1/' failed");
    program.same();
    let body = format!("{FAIL} return (await fail('ws://127.0.0.1:1/'))[0];");
    let envelope = Program::new(&server, policy, &body).inside();
    assert_eq!(envelope.text("/result/code"), "ECONNREFUSED", "{}", envelope.json);
    let message = envelope.text("/result/message");
    assert!(message.contains("Failed to connect: ECONNREFUSED: http://127.0.0.1:1/"), "{message}");
}

#[test]
fn nobody_listens_for_the_error() {
    let server = Server::start();
    let policy = r#"{ "fetch": ["http://127.0.0.1:PORT/*"] }"#;
    let body = "const socket = new WebSocket('ws://127.0.0.1:1/'); return await new Promise((resolve) => { socket.onclose = ({ code }) => resolve(code); });";
    Program::new(&server, policy, body).same();
}
