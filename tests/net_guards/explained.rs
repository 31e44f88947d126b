//! Errors of Bun's own that the policy is behind.

use secure_bun_tests::Folder;

use super::{Server, assert_explained, call, result};

/// A fetch that is sent on, by a server that is granted.
fn sent_on_to(url: &str) -> (Server, String) {
    let server = Server::redirecting_to(url);
    let act = format!("fetch('{}').then(r => r.text())", server.url());
    (server, act)
}

#[test]
fn a_redirect_to_a_server_that_is_granted_works() {
    let target = Server::answering();
    let (server, act) = sent_on_to(&target.url());
    assert_eq!(result(&act, &[&server.rule(), &target.rule()], &[]), "hi");
}

#[test]
fn a_redirect_to_a_host_that_is_not_granted() {
    let (server, act) = sent_on_to("https://other.example/");
    let envelope = call(&act, &[&server.rule()], &[]);
    assert_eq!(envelope.text("/error/code"), "ENOTFOUND", "{}", envelope.json);
    assert_explained(&envelope, "net", "other.example:443");
}

#[test]
fn a_redirect_to_an_address_that_is_not_granted() {
    let (server, act) = sent_on_to("http://192.0.2.1:81/");
    let envelope = call(&act, &[&server.rule()], &[]);
    assert_eq!(envelope.text("/error/code"), "EACCES", "{}", envelope.json);
    assert_explained(&envelope, "net", "192.0.2.1:81");
    assert_eq!(envelope.text("/denials/0/reported_by"), "broker");
}

#[test]
fn a_way_that_no_guard_sees() {
    let acts = [
        "Bun.fetch('http://192.0.2.1:81/')",
        "new Promise(async (good, bad) => (await import(['n', 'et'].join(''))).connect(81, '192.0.2.1', good).on('error', bad))",
    ];
    for act in acts {
        let envelope = call(act, &["granted.example:443"], &[]);
        assert_eq!(envelope.text("/error/code"), "EACCES", "{act}: {}", envelope.json);
        assert_explained(&envelope, "net", "192.0.2.1:81");
    }
}

#[test]
fn a_name_by_a_way_that_no_guard_sees() {
    let envelope = call("Bun.fetch('http://other.example/')", &["granted.example:443"], &[]);
    assert_eq!(envelope.text("/error/code"), "ENOTFOUND", "{}", envelope.json);
    assert_explained(&envelope, "net", "other.example:80");
}

#[test]
fn a_port_of_the_machine_where_nobody_listens_inside() {
    let server = Server::answering();
    let (port, resource) = (server.port(), format!("127.0.0.1:{}", server.port()));
    let acts = [
        format!("fetch('http://127.0.0.1:{port}/').then(r => r.text())"),
        format!(
            "new Promise((good, bad) => require('net').connect({port}, '127.0.0.1', () => good('hi')).on('error', bad))"
        ),
    ];
    for act in acts {
        assert_eq!(result(&act, &[&server.rule()], &[]), "hi", "{act}");
        let envelope = call(&act, &["granted.example:443"], &[]);
        assert_eq!(envelope.text("/error/code"), "ECONNREFUSED", "{act}: {}", envelope.json);
        assert_explained(&envelope, "net", &resource);
    }
}

#[test]
fn a_server_that_is_granted_and_not_there_is_not_the_policys_doing() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let envelope = call(&format!("fetch('http://localhost:{closed}/')"), &[&format!("localhost:{closed}")], &[]);
    assert_eq!(envelope.text("/error/code"), "ECONNREFUSED", "{}", envelope.json);
    assert_eq!(envelope.json.pointer("/error/permission"), None, "{}", envelope.json);
}

#[test]
fn what_nobody_catches_is_explained_beside_the_error() {
    let programs = [
        ("await Bun.fetch('http://192.0.2.1:81/')", "\"192.0.2.1:81\""),
        // At which of its addresses depends on which there are.
        ("import net from 'node:net'; net.connect(1, 'localhost')", ":1\""),
    ];
    for (source, resource) in programs {
        let ended = Folder::with("program.ts", source)
            .secure_bun(["run", "--allow-net=granted.example:443", "program.ts"])
            .end();
        let words = format!("{resource} is not allowed: no rule of the policy grants it. To allow it: allow.net: [");
        let help =
            ended.stderr().lines().find(|line| line.starts_with("secure-bun: help: connecting to ")).map(str::to_owned);
        assert!(help.is_some_and(|help| help.contains(&words)), "{ended}");
        assert_eq!(ended.code(), 1, "{ended}");
    }
}

#[test]
fn what_the_program_catches_is_among_the_denials() {
    let acts = [
        ("Bun.fetch('http://other.example/')", "other.example:443", "ENOTFOUND"),
        ("require('dns').promises['lookup'].call(null, 'other.example')", "other.example:443", "ERR_ACCESS_DENIED"),
        ("Bun.fetch('http://192.0.2.1:81/')", "192.0.2.1:81", "EACCES"),
        ("fetch('http://127.0.0.1:1/')", "127.0.0.1:1", "ECONNREFUSED"),
    ];
    for (act, resource, code) in acts {
        let expression = format!(
            "(async () => {{ for (let i = 0; i < 3; i++) try {{ await {act} }} catch (error) {{ var code = error.code }} return code; }})()"
        );
        let envelope = call(&expression, &["granted.example:443"], &[]);
        assert_eq!(*envelope.result(), code, "{act} {}", envelope.json);
        let denials = envelope.json["denials"].as_array().expect("a list");
        assert_eq!(denials.len(), 1, "{act} {}", envelope.json);
        assert_eq!(envelope.text("/denials/0/resource"), resource);
        assert_eq!(envelope.text("/denials/0/fix"), format!("allow.net: [\"{resource}\"]"));
    }
}

#[test]
fn a_name_that_a_guard_refused_as_well_is_one_denial() {
    let expression = "(async () => { const failed = []; for (const act of [() => fetch('http://other.example:8080/'), () => Bun.fetch('http://other.example:8080/')]) await act().catch((error) => failed.push(error.code)); return failed; })()";
    let envelope = call(expression, &["granted.example:443"], &[]);
    assert_eq!(*envelope.result(), serde_json::json!(["ERR_ACCESS_DENIED", "ENOTFOUND"]), "{}", envelope.json);
    assert_eq!(envelope.json["denials"].as_array().map(Vec::len), Some(1), "{}", envelope.json);
    assert_eq!(envelope.text("/denials/0/resource"), "other.example:8080");
    assert_eq!(envelope.text("/denials/0/reported_by"), "broker");
}

#[test]
fn variables_count_when_a_client_is_used() {
    let expression = "(async () => {
        const refused = async (act) => { try { await act(); } catch (error) { return error.resource ?? error.code; } };
        process.env.DATABASE_URL = 'postgres://u:p@db.example:5555/d';
        process.env.REDIS_URL = 'redis://later.example:7777';
        return [
            await refused(() => Bun.sql`select 1`), await refused(() => Bun.postgres.begin(() => 1)),
            await refused(() => new Bun.SQL()`select 1`), Bun.sql === Bun.postgres, Bun.sql instanceof Bun.SQL,
            await refused(() => new Bun.RedisClient('redis://other.example').get('x')),
        ];
    })()";
    let address = "db.example:5555";
    let told = |rest: &[&str]| result(expression, &[&["granted.example:443"], rest].concat(), &[]);
    let refused = serde_json::json!([address, address, address, true, true, "other.example:6379"]);
    assert_eq!(told(&[]), refused);
    // Where it is granted, the guard is out of the way: nobody has that name.
    let code = "ERR_POSTGRES_CONNECTION_REFUSED";
    assert_eq!(told(&[address]), serde_json::json!([code, code, code, true, true, "other.example:6379"]));
}

#[test]
fn nobody_listens_at_a_path() {
    let envelope = call("Bun.listen({ unix: '/tmp/x.sock', socket: { data() {} } })", &[], &["3000"]);
    let words = "listening on \"unix:/tmp/x.sock\" is not allowed: in a sandbox nobody listens at a path: use a port of a loopback address";
    assert_eq!(envelope.text("/error/message"), words);
    assert_eq!((envelope.text("/error/rule"), envelope.json.pointer("/denials/0/fix")), ("absent", None));
}
