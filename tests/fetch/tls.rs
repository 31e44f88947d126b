//! Servers prove who they are to the launcher, by whom the host trusts.
//!
//! The certificates were made once, for a hundred years: a CA, and under it one for `localhost`.

use serde_json::json;

use super::{Program, Server};

const CA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/tls/ca.pem");

fn server() -> Server {
    let cert = include_str!("../fixtures/tls/server.pem");
    Server::with(&[("TLS_CERT", cert), ("TLS_KEY", include_str!("../fixtures/tls/server.key"))])
}

const POLICY: &str = r#"{ "fetch": ["https://localhost:PORT/*", "https://127.0.0.1:PORT/*"] }"#;

#[test]
fn trusted_by_the_host() {
    let server = server();
    let body = r#"
        const answer = await fetch("https://localhost:PORT/echo");
        const { url } = await answer.json();
        const word = await new Promise((good, bad) => {
            const socket = new WebSocket("wss://localhost:PORT/socket");
            socket.onopen = () => socket.send("hello");
            socket.onmessage = ({ data }) => { good(data); socket.close(); };
            socket.onerror = bad;
        });
        return [answer.status, answer.url === url, word];
    "#;
    let envelope = Program::new(&server, POLICY, body).env("SSL_CERT_FILE", CA).inside();
    assert_eq!(*envelope.result(), json!([200, true, "hello"]), "{}", envelope.json);
}

#[test]
fn trusted_by_nobody_or_under_another_name() {
    let server = server();
    let failure = |url: &str| {
        let body = "try { await fetch('URL'); } catch (error) { return [error.name, error.code]; }".replace("URL", url);
        Program::new(&server, POLICY, &body)
    };
    let other = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/tls/other-ca.pem");
    assert_eq!(
        *failure("https://localhost:PORT/").env("SSL_CERT_FILE", other).inside().result(),
        json!(["TypeError", "UNABLE_TO_VERIFY_LEAF_SIGNATURE"])
    );
    assert_eq!(
        *failure("https://127.0.0.1:PORT/").env("SSL_CERT_FILE", CA).inside().result(),
        json!(["TypeError", "ERR_TLS_CERT_ALTNAME_INVALID"])
    );
    assert_eq!(server.end().matches("\"path\"").count(), 0);
}

#[test]
fn the_program_does_not_say_whom_to_trust() {
    let server = server();
    let body = "try { await fetch('https://localhost:PORT/', { tls: { rejectUnauthorized: false } }); } catch (error) { return [error.name, error.message]; }";
    let envelope = Program::new(&server, POLICY, body).env("SSL_CERT_FILE", CA).inside();
    assert_eq!(envelope.text("/result/0"), "TypeError", "{}", envelope.json);
    assert!(envelope.text("/result/1").contains("tls is not for the program to set"), "{}", envelope.json);
}
