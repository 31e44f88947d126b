//! What a program is told where something of the network is granted to it: by the guards in front of an API, and, where
//! these cannot know, by what is said of Bun's own error. That nothing leaves the sandbox is for `tests/net` to show.

mod explained;
mod refused;
mod within;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use secure_bun_tests::{Envelope, Folder, JSON};
use serde_json::Value;

/// A server of the host: it answers each request, or sends whoever asks to somewhere else.
struct Server {
    address: SocketAddr,
}

impl Server {
    fn answering() -> Self {
        Self::with("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi".to_owned())
    }

    fn redirecting_to(url: &str) -> Self {
        Self::with(format!("HTTP/1.1 302 Found\r\nlocation: {url}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"))
    }

    fn with(answer: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port of the loopback device");
        let address = listener.local_addr().expect("it is bound");
        // Ends with the test's process: nobody can say before that nobody will connect any more.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away early asks for nothing more.
                let _gone = serve(stream, &answer);
            }
        });
        Self { address }
    }

    fn port(&self) -> u16 {
        self.address.port()
    }

    fn url(&self) -> String {
        format!("http://localhost:{}/", self.port())
    }

    /// The rule that grants it.
    fn rule(&self) -> String {
        format!("localhost:{}", self.port())
    }
}

fn serve(mut stream: TcpStream, answer: &str) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
    stream.write_all(answer.as_bytes())
}

/// Runs a function, whose text is `expression`, where `net` and `listen` are granted these.
#[track_caller]
fn call(expression: &str, net: &[&str], listen: &[&str]) -> Envelope {
    let policy = serde_json::json!({ "net": net, "listen": listen, "limits": { "wall_ms": 20_000 } });
    let source = format!("export default async () => {expression};");
    let folder = Folder::with("fn.ts", source).file("p.json", policy.to_string());
    folder.secure_bun(["run", JSON, "--policy", "p.json", "fn.ts"]).envelope()
}

/// What `call` returned.
#[track_caller]
fn result(expression: &str, net: &[&str], listen: &[&str]) -> Value {
    call(expression, net, listen).result().clone()
}

/// A refusal as the envelope has it, in the error and among the denials.
#[track_caller]
fn assert_explained(envelope: &Envelope, permission: &str, resource: &str) {
    for place in ["/error", "/denials/0"] {
        let field = |name: &str| envelope.text(&format!("{place}/{name}")).to_owned();
        assert_eq!(
            ["permission", "resource", "fix"].map(field),
            [permission, resource, &format!("allow.{permission}: [\"{resource}\"]")],
            "{place} of {}",
            envelope.json
        );
    }
    let words = format!("\"{resource}\" is not allowed: no rule of the policy grants it");
    assert!(envelope.text("/error/message").contains(&words), "{}", envelope.json);
}
