//! Redirects: each hop is a request of its own.

use serde_json::json;

use super::{Program, Server};

const FOLLOWED: &str = r#"{ "fetch": [{ "url": "http://127.0.0.1:PORT/*", "methods": ["GET", "POST", "PUT"] }] }"#;

#[test]
fn they_are_followed_as_the_standard_says() {
    let server = Server::start();
    let body = r#"
        const U = "http://127.0.0.1:PORT";
        const told = [];
        for (const status of [301, 302, 303, 307, 308])
            for (const method of ["GET", "POST", "PUT"]) {
                const to = encodeURIComponent("/echo?" + status);
                const answer = await fetch(`${U}/redirect?status=${status}&to=${to}`, { method, body: method === "GET" ? undefined : "again" });
                const { method: arrived, body } = await answer.json();
                told.push([status, method, arrived, body, answer.url, answer.redirected]);
            }
        const manual = await fetch(U + "/redirect?to=/echo", { redirect: "manual" });
        told.push([manual.status, manual.headers.get("location"), manual.url, await manual.text()]);
        return told;
    "#;
    Program::new(&server, FOLLOWED, body).same();
}

#[test]
fn where_no_rule_leads_they_end() {
    let (server, other) = (Server::start(), Server::start());
    let to = format!("http://127.0.0.1:{}/x", other.port);
    let body = format!("return (await fetch('http://127.0.0.1:PORT/redirect?to={to}')).status;");
    Program::new(&server, FOLLOWED, &body).refused(&format!("GET {to}"), "default");
    // Of the control.
    assert_eq!(other.end().matches("\"path\"").count(), 1);
}

#[test]
fn credentials_and_headers_of_rules_stay_where_they_belong() {
    let (server, other) = (Server::start(), Server::start());
    let policy = r#"{ "fetch": [
        { "url": "http://127.0.0.1:PORT/*", "headers": { "x-key": "${secret:KEY}" } },
        "http://127.0.0.1:OTHER/*"
    ] }"#;
    let policy = policy.replace("OTHER", &other.port.to_string());
    let body = r#"
        const headers = { authorization: "mine", cookie: "a=b", "x-own": "1" };
        const to = "http://127.0.0.1:OTHER/echo";
        const answer = await fetch("http://127.0.0.1:PORT/redirect?to=" + to, { headers });
        const { headers: arrived } = await answer.json();
        return [arrived.authorization ?? null, arrived.cookie ?? null, arrived["x-own"], arrived["x-key"] ?? null];
    "#;
    let body = body.replace("OTHER", &other.port.to_string());
    let program = Program::new(&server, &policy, &body).secret("KEY=env:VARIABLE").env("VARIABLE", "topsecret");
    assert_eq!(*program.inside().result(), json!([null, null, "1", null]));
    assert!(server.end().contains(r#""x-key":"topsecret""#));
    assert!(!other.end().contains("topsecret"));
}

#[test]
fn a_rule_says_what_becomes_of_them() {
    let server = Server::start();
    let policy = r#"{ "fetch": [
        { "url": "http://127.0.0.1:PORT/redirect?to=/a", "redirect": "error" },
        { "url": "http://127.0.0.1:PORT/redirect?to=/b", "redirect": "manual" }
    ] }"#;
    let body = r#"
        let code;
        try { await fetch("http://127.0.0.1:PORT/redirect?to=/a"); } catch (error) { code = error.code; }
        const answer = await fetch("http://127.0.0.1:PORT/redirect?to=/b");
        return [code, answer.status, answer.headers.get("location")];
    "#;
    assert_eq!(*Program::new(&server, policy, body).inside().result(), json!(["UnexpectedRedirect", 302, "/b"]));
}

#[test]
fn there_is_an_end_to_them() {
    let server = Server::start();
    let round = r#"
        try { await fetch("http://127.0.0.1:PORT/round"); return "followed"; } catch (error) { return error.code; }
    "#;
    assert_eq!(*Program::new(&server, FOLLOWED, round).inside().result(), json!("TooManyRedirects"));
    assert_eq!(server.end().matches(r#""path":"/round""#).count(), 21);
}
