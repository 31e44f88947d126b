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

#[test]
fn no_rule_no_connection() {
    let (server, other) = (Server::start(), Server::start());
    let policy = r#"{ "fetch": ["http://127.0.0.1:PORT/*"] }"#;
    let body = format!("{TALK} return await talk('ws://127.0.0.1:{}/socket');", other.port);
    let program = Program::new(&server, policy, &body);
    program.outside();
    let envelope = program.inside();
    assert_eq!(envelope.text("/error/message"), "refused", "{}", envelope.json);
    assert_eq!(envelope.text("/denials/0/resource"), format!("GET http://127.0.0.1:{}/socket", other.port));
    assert_eq!(other.end().matches("/socket").count(), 1);
}

#[test]
fn a_server_that_does_not_agree() {
    let server = Server::start();
    let policy = r#"{ "fetch": ["http://127.0.0.1:PORT/*"] }"#;
    let body =
        format!("{TALK} try {{ await talk('ws://127.0.0.1:PORT/echo'); }} catch (error) {{ return error.message; }}");
    assert_eq!(Program::new(&server, policy, &body).same(), json!("refused"));
}
