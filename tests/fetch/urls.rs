//! URLs that could be read in two ways, and URLs that only look like those of a rule.

use serde_json::json;

use super::{Program, Server};

/// Each is answered outside; inside, what is requested of the server is what a rule grants, or nothing.
#[test]
fn paths_and_hosts_that_no_rule_grants() {
    let server = Server::start();
    let policy = r#"{ "fetch": ["http://localhost:PORT/v1/*"] }"#;
    let port = server.port;
    let at = |rest: &str| format!("GET http://localhost:{port}{rest}");
    for (url, resource, rule) in [
        ("http://localhost:PORT/v1/..%2fadmin", at("/v1/..%2fadmin"), "ambiguous"),
        ("http://localhost:PORT/v1/..%5cadmin", at("/v1/..%5cadmin"), "ambiguous"),
        ("http://localhost:PORT/v1/.;/..;/admin", at("/v1/.;/..;/admin"), "ambiguous"),
        ("http://localhost:PORT/v1/../admin", at("/admin"), "default"),
        ("http://localhost:PORT/v1/%2e%2e/admin", at("/admin"), "default"),
        (r"http://localhost:PORT/v1/..\\..\\admin", at("/admin"), "default"),
        ("http://localhost:PORT/V1/x", at("/V1/x"), "default"),
        ("http://localhost:PORT//v1/x", at("//v1/x"), "default"),
        ("http://user:pass@localhost:PORT/v1/x", format!("GET http://user:pass@localhost:{port}/v1/x"), "ambiguous"),
    ] {
        let body = format!("return (await fetch('{url}')).status;");
        Program::new(&server, policy, &body).refused(&resource, rule);
    }
}

/// Other spellings of the same.
#[test]
fn what_a_rule_grants_by_another_spelling() {
    let server = Server::start();
    let policy = r#"{ "fetch": ["http://localhost:PORT/v1/*"] }"#;
    for url in [
        "http://LOCALHOST:PORT/v1/x",
        "http://localhost:PORT/v1/./x",
        "http://localhost:PORT/v1/a%20b?c=../..#d",
        "http://127.0.0.1:PORT/v1/x",
        "http://0x7f.1:PORT/v1/x",
        "http://localhost.:PORT/v1/x",
    ] {
        let body = format!("return (await fetch('{url}')).status;");
        let envelope = Program::new(&server, policy, &body).inside();
        assert_eq!(*envelope.result(), json!(200), "{url} {}", envelope.json);
    }
    let told = server.end();
    assert_eq!(told.matches(r#""path":"/v1/"#).count(), 6, "{told}");
}
