//! Requests by URL: what `allow.fetch` grants is carried out by the launcher, and nothing else is.

mod bodies;
mod cli;
mod elsewhere;
mod hostile;
mod memory;
mod redirects;
mod requests;
mod shown;
mod sockets;
mod tls;
mod urls;

use secure_bun_tests::{Envelope, Folder, JSON, Running};
use serde_json::Value;

/// A server on the host that answers whoever asks.
struct Server {
    running: Running,
    port: u16,
}

impl Server {
    fn start() -> Self {
        Self::with(&[])
    }

    fn with(variables: &[(&str, &str)]) -> Self {
        let folder = Folder::with("server.ts", include_str!("server.ts"));
        let command = folder.bun(["run", "server.ts"]).open_input();
        let command = variables.iter().fold(command, |command, (name, value)| command.env(name, value));
        let running = command.keep(folder).start();
        let port = running.line().parse().expect("it says its port first");
        Self { running, port }
    }

    /// Waits until it has been asked, or says, `text`.
    #[track_caller]
    fn says(&self, text: &str) {
        self.running.says(text);
    }

    /// Everything that it said.
    fn end(self) -> String {
        self.running.end().stdout()
    }
}

/// A function under a policy; `PORT` in both is the server's.
struct Program {
    folder: Folder,
    policy: String,
    secrets: Vec<&'static str>,
    variables: Vec<(&'static str, &'static str)>,
}

impl Program {
    /// An asynchronous function of this body.
    fn new(server: &Server, policy: &str, body: &str) -> Self {
        let here = |text: &str| text.replace("PORT", &server.port.to_string());
        let source = format!("export default async () => {{ {} }};", here(body));
        let caller = "import act from './fn.ts'; console.log(JSON.stringify(await act()) ?? 'null');";
        let folder = Folder::with("fn.ts", source).file("outside.ts", caller);
        Self { folder, policy: here(policy), secrets: Vec::new(), variables: Vec::new() }
    }

    fn secret(mut self, given: &'static str) -> Self {
        self.secrets.push(given);
        self
    }

    /// With one more file beside it.
    fn file(mut self, path: &str, contents: &str) -> Self {
        self.folder = self.folder.file(path, contents);
        self
    }

    fn env(mut self, name: &'static str, value: &'static str) -> Self {
        self.variables.push((name, value));
        self
    }

    /// What it returns without any sandbox.
    #[track_caller]
    fn outside(&self) -> Value {
        let printed = self.folder.bun(["run", "outside.ts"]).prints();
        serde_json::from_str(&printed).expect("it prints JSON")
    }

    #[track_caller]
    fn inside(self) -> Envelope {
        let folder = self.folder.file("policy.json", &self.policy);
        let secrets = self.secrets.iter().flat_map(|secret| ["--secret", secret]);
        let words = ["run", JSON, "--policy", "policy.json"].into_iter().chain(secrets).chain(["fn.ts"]);
        let command = folder.secure_bun(words);
        let command = self.variables.iter().fold(command, |command, (name, value)| command.env(name, value));
        command.envelope()
    }

    /// What it returns, inside as outside.
    #[track_caller]
    fn same(self) -> Value {
        let outside = self.outside();
        let envelope = self.inside();
        assert_eq!(*envelope.result(), outside, "{}", envelope.json);
        outside
    }

    /// It works outside; inside it is refused, with a SecurityError about this request.
    #[track_caller]
    fn refused(self, resource: &str, rule: &str) -> Envelope {
        self.outside();
        let envelope = self.inside();
        for place in ["/error", "/denials/0"] {
            let field = |name: &str| envelope.json.pointer(&format!("{place}/{name}")).and_then(Value::as_str);
            let told = ["permission", "resource", "rule"].map(field);
            assert_eq!(told, [Some("fetch"), Some(resource), Some(rule)], "{place} of {}", envelope.json);
        }
        assert_eq!(envelope.text("/error/name"), "SecurityError");
        assert_eq!(envelope.text("/denials/0/reported_by"), "broker");
        envelope
    }
}
