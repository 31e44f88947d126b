//! What is not granted, beside what is.

use secure_bun_tests::{Folder, JSON};

use super::{Server, assert_explained, call, result};

/// Each says which host and port it wants to, before it is tried.
const CONNECTIONS: [&str; 7] = [
    "fetch('http://TARGET/').then(r => r.text())",
    "Bun.connect({ hostname: 'HOST', port: PORT, socket: { data() {} } }).then(s => void s.end())",
    "new Promise((good, bad) => require('net').connect(PORT, 'HOST', () => good('hi')).on('error', bad))",
    "new Promise((good, bad) => require('http').get('http://TARGET/', r => good('hi')).on('error', bad))",
    "new Promise((good, bad) => Object.assign(new WebSocket('ws://TARGET/'), { onclose: good, onerror: good }))",
    "require('undici').request('http://TARGET/').then(r => r.body.text())",
    "new Bun.S3Client({ bucket: 'b', accessKeyId: 'x', secretAccessKey: 'y', endpoint: 'http://TARGET' }).file('k').text()",
];

fn to(act: &str, host: &str, port: u16) -> String {
    act.replace("TARGET", &format!("{host}:{port}")).replace("HOST", host).replace("PORT", &port.to_string())
}

#[test]
fn connections_to_another_host_than_is_granted() {
    let server = Server::answering();
    for act in CONNECTIONS {
        // To the host that is granted, each of them gets through.
        let granted = call(&to(act, "localhost", server.port()), &[&server.rule()], &[]);
        assert_eq!(granted.at("/ok"), true, "{act}: {}", granted.json);

        let refused = call(&to(act, "192.0.2.1", server.port()), &[&server.rule()], &[]);
        assert_eq!(refused.text("/error/name"), "SecurityError", "{act}: {}", refused.json);
        assert_explained(&refused, "net", &format!("192.0.2.1:{}", server.port()));

        let refused = call(&to(act, "other.example", 443), &[&server.rule()], &[]);
        assert_eq!(refused.text("/error/name"), "SecurityError", "{act}: {}", refused.json);
        assert_explained(&refused, "net", "other.example:443");
    }
}

#[test]
fn what_is_denied_names_the_rule() {
    let policy = r#"{ "net": ["*.example:443"], "deny": { "net": ["secret.example"] } }"#;
    let folder = Folder::with("fn.ts", "export default () => fetch('https://secret.example/')").file("p.json", policy);
    let envelope = folder.secure_bun(["run", JSON, "--policy", "p.json", "fn.ts"]).envelope();
    assert_eq!(envelope.text("/error/rule"), "deny.net \"secret.example\" (p.json:1:47)", "{}", envelope.json);
}

#[test]
fn names_of_which_no_port_is_granted() {
    for act in ["require('dns').promises.lookup('other.example')", "Bun.dns.lookup('other.example')"] {
        let envelope = call(act, &["localhost:1"], &[]);
        assert_eq!(envelope.text("/error/name"), "SecurityError", "{act}: {}", envelope.json);
        assert_explained(&envelope, "net", "other.example:443");
    }
}

#[test]
fn listening_where_others_could_connect() {
    let acts = [
        "Bun.serve({ hostname: '192.0.2.1', port: 8080, fetch() { return new Response(''); } })",
        "new Promise((good, bad) => require('net').createServer().on('error', bad).listen(8080, '192.0.2.1', good))",
    ];
    for act in acts {
        let envelope = call(act, &["localhost:1"], &["127.0.0.1:8080"]);
        assert_eq!(envelope.text("/error/name"), "SecurityError", "{act}: {}", envelope.json);
        assert_explained(&envelope, "listen", "192.0.2.1:8080");
    }
}

#[test]
fn a_program_that_asks_twice_is_told_twice() {
    let twice = "[await fetch('http://other.example/').catch(e => e.name), await fetch('http://other.example/').catch(e => e.resource)]";
    assert_eq!(result(twice, &["localhost:1"], &[]), serde_json::json!(["SecurityError", "other.example:80"]));
}
