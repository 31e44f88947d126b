//! What stays within the sandbox needs no grant, where it has a network of its own.

use super::{Server, assert_explained, call, result};

/// A server of the program itself, asked in several ways.
const WITHIN: &str = "{
    const server = Bun.serve({ port: 0, fetch: (request, own) => own.upgrade(request) ? undefined : new Response('hi'), websocket: { open(s) { s.send('hi'); }, message() {} } });
    const { port } = server;
    const told = [await (await fetch('http://localhost:' + port)).text(), await (await fetch('http://127.1:' + port)).text()];
    told.push(await new Promise((good, bad) => require('http').get('http://127.0.0.1:' + port, r => r.on('data', d => good(String(d)))).on('error', bad)));
    told.push(await new Promise((good, bad) => Object.assign(new WebSocket('ws://127.0.0.1:' + port), { onmessage: e => good(e.data), onerror: bad })));
    server.stop(true);
    const net = require('net');
    const other = net.createServer(s => s.end('hi'));
    await new Promise((good, bad) => other.on('error', bad).listen(0, '127.0.0.1', good));
    told.push(await new Promise((good, bad) => net.connect(other.address().port, '127.0.0.1').on('data', d => good(String(d))).on('error', bad)));
    other.close();
    const udp = await Bun.udpSocket({ socket: { data() {} } });
    udp.close();
    return told;
}";

#[test]
fn a_program_reaches_itself() {
    let expected = serde_json::json!(["hi", "hi", "hi", "hi", "hi"]);
    assert_eq!(result(WITHIN, &["granted.example:443"], &[]), expected);
    assert_eq!(result(WITHIN, &[], &["127.0.0.1:4321"]), expected);
}

#[test]
fn without_any_grant_it_is_refused() {
    let envelope = call(WITHIN, &[], &[]);
    assert_explained(&envelope, "listen", "0.0.0.0:0");
}

#[test]
fn localhost_has_a_name() {
    let addresses = "require('dns').promises.lookup('localhost', { family: 4 }).then(found => found.address)";
    assert_eq!(result(addresses, &["granted.example:443"], &[]), "127.0.0.1");
}

#[test]
fn an_address_that_was_looked_up_is_that_of_the_name() {
    let server = Server::answering();
    let connect = format!(
        "require('dns').promises.resolve4('localhost').then(([address]) => new Promise((good, bad) =>
            require('net').connect({}, address).on('data', data => good(String(data).slice(0, 8))).on('error', bad).write('GET / HTTP/1.1\\n\\n')))",
        server.port()
    );
    assert_eq!(result(&connect, &[&server.rule()], &[]), "HTTP/1.1");
    // This one name stands for itself: where nobody listens inside, nobody is there.
    let envelope = call(&connect, &["localhost:1"], &[]);
    assert_eq!(envelope.text("/error/code"), "ECONNREFUSED", "{}", envelope.json);
    assert_explained(&envelope, "net", &format!("127.0.0.1:{}", server.port()));
}

#[test]
fn where_nobody_listens_inside_the_error_is_the_kernels() {
    let code = "fetch('http://127.0.0.1:1/').catch(error => error.code)";
    assert_eq!(result(code, &["granted.example:443"], &[]), "ECONNREFUSED");
}
