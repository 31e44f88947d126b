//! Defects that are no more.

use std::net::{Ipv4Addr, TcpListener};

use secure_bun_tests::Folder;
use secure_bun_tests::soak::{ENGINES, Held};
use serde_json::json;

use super::client::Client;

/// What answered for a program's network stayed when the program had ended, with its ports and descriptors.
#[test]
fn a_port_is_free_again_when_the_call_that_listened_there_has_ended() {
    let folder = Folder::new().folder("temporary");
    let free = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    let code =
        "export default (port: number) => Bun.serve({ port, hostname: '127.0.0.1', fetch: () => new Response() }).port";
    for engine in ENGINES {
        let port = free().expect("a port").port();
        let flag = format!("--allow-listen=127.0.0.1:{port}");
        let mut client = Client::start(&folder, &["--policy", "function", "--engine", engine, &flag]);
        let call = json!({ "source": code, "args": [port] });
        assert_eq!(client.result(call.clone()), port, "{engine}");
        let descriptors = |client: &Client| Held::by(client.running.pid.as_raw(), &folder).descriptors;
        let before = descriptors(&client);
        for _ in 0..10 {
            assert_eq!(client.result(call.clone()), port, "{engine}");
        }
        assert_eq!(descriptors(&client), before, "{engine}");
        client.end();
    }
}

/// A launcher whose descriptors were more than a program may open could start none that has sockets.
#[test]
fn many_programs_at_a_time_have_sockets() {
    let folder = Folder::new();
    let flags = ["--policy", "function", "--allow-net=127.0.0.1:9", "--limit", "open_files=48", "--concurrency", "16"];
    let mut client = Client::start(&folder, &flags);
    let call = json!({ "source": "export default async () => { await Bun.sleep(300); return 1; }" });
    let ids: Vec<_> = (0..16).map(|_| client.send("call", call.clone())).collect();
    for id in ids {
        let answer = client.answer(&id);
        assert_eq!(answer["result"]["result"], 1, "{answer}");
    }
    client.end();
}

/// A result with half a surrogate pair was a line that many readers of JSON give up at.
#[test]
fn what_is_no_text_does_not_spoil_the_line() {
    let folder = Folder::new();
    let code = r"export default () => ({ ['\ud800']: ['\udc00\ud83d', '\ud83d\ude00', '\\ud800'] })";
    let mut client = Client::of_functions(&folder);
    let expected = json!({ "\u{fffd}": ["\u{fffd}\u{fffd}", "\u{1f600}", "\\ud800"] });
    assert_eq!(client.result(json!({ "source": code })), expected);
    client.end();
}

/// Control groups were named after the launcher alone: the second program had none.
#[test]
fn each_program_has_the_memory_control_of_the_first() {
    let folder = Folder::new();
    let mut client = Client::of_functions(&folder);
    let call = json!({ "source": "export default async () => { await Bun.sleep(300); return 1; }" });
    let control = |envelope: &serde_json::Value| envelope["sandbox"]["layers"]["memory"].to_string();
    let alone = control(&client.call(call.clone()));
    let ids: Vec<_> = (0..4).map(|_| client.send("call", call.clone())).collect();
    for id in ids {
        let answer = client.answer(&id);
        assert_eq!(control(&answer["result"]), alone, "{answer}");
    }
    client.end();
}
