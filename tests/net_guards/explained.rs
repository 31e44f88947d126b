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
