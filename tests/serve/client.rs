//! A service that has started `secure-bun serve`.
#![allow(clippy::needless_pass_by_value, reason = "what is sent is written where it is sent")]

use std::collections::HashMap;
use std::time::{Duration, Instant};

use secure_bun_tests::{Command, Ended, Folder, PATIENCE, Running};
use serde_json::{Value, json};

pub(crate) use secure_bun_tests::soak::ENGINES;

/// A conversation.
pub(crate) struct Client {
    pub(crate) running: Running,
    next: i64,
    /// Answers that were not waited for yet.
    early: HashMap<String, Value>,
}

impl Client {
    /// With `secure-bun serve FLAGS…`, and an initialize that went well.
    pub(crate) fn start(folder: &Folder, flags: &[&str]) -> Self {
        Self::of(folder.secure_bun(["serve"]).words(flags))
    }

    /// With a command that serves, and an initialize that went well.
    pub(crate) fn of(command: Command) -> Self {
        let mut client = Self { running: command.open_input().start(), next: 1, early: HashMap::new() };
        let answer = client.ask("initialize", json!({ "protocol": 1 }));
        assert_eq!(answer["result"]["protocol"], 1, "{answer}");
        client
    }

    /// The first of these before anything was said.
    pub(crate) fn silent(folder: &Folder, flags: &[&str]) -> Self {
        let running = folder.secure_bun(["serve"]).words(flags).open_input().start();
        Self { running, next: 1, early: HashMap::new() }
    }

    /// Under the preset `function`.
    pub(crate) fn of_functions(folder: &Folder) -> Self {
        Self::start(folder, &["--policy", "function"])
    }

    /// The same, with calls run in this way.
    pub(crate) fn of_engine(folder: &Folder, engine: &str) -> Self {
        let mut client = Self::silent(folder, &["--policy", "function", "--engine", engine]);
        let answer = client.ask("initialize", json!({ "protocol": 1 }));
        assert_eq!(answer["result"]["engine"], engine, "{answer}");
        client
    }

    /// Sends a request; its id.
    pub(crate) fn send(&mut self, method: &str, params: Value) -> Value {
        let id = json!(self.next);
        self.next += 1;
        self.running.tell(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string());
        id
    }

    /// Sends a notification.
    pub(crate) fn notify(&mut self, method: &str, params: Value) {
        self.running.tell(&json!({ "jsonrpc": "2.0", "method": method, "params": params }).to_string());
    }

    /// The answer to a request.
    #[track_caller]
    pub(crate) fn answer(&mut self, id: &Value) -> Value {
        let key = id.to_string();
        loop {
            if let Some(answer) = self.early.remove(&key) {
                return answer;
            }
            let answer = self.next_answer();
            self.early.insert(answer["id"].to_string(), answer);
        }
    }

    /// Whatever is answered next.
    #[track_caller]
    pub(crate) fn next_answer(&mut self) -> Value {
        let line = self.running.next_line().expect("an answer");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// Sends a request and waits for its answer.
    #[track_caller]
    pub(crate) fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.send(method, params);
        self.answer(&id)
    }

    /// Calls a function; its envelope.
    #[track_caller]
    pub(crate) fn call(&mut self, params: Value) -> Value {
        let mut answer = self.ask("call", params);
        assert!(answer.get("error").is_none(), "{answer}");
        answer["result"].take()
    }

    /// Calls a function that returns; what it returned.
    #[track_caller]
    pub(crate) fn result(&mut self, params: Value) -> Value {
        let mut envelope = self.call(params);
        assert_eq!(envelope["ok"], true, "{envelope}");
        envelope["result"].take()
    }

    /// Ends the conversation, which has to end well.
    #[track_caller]
    pub(crate) fn end(self) -> Ended {
        let ended = self.running.end();
        assert_eq!(ended.code(), 0, "{ended}");
        ended
    }
}

/// A call of this source with these arguments.
pub(crate) fn source(source: &str, args: Value) -> Value {
    json!({ "source": source, "args": args })
}

/// Waits until something holds.
#[track_caller]
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
