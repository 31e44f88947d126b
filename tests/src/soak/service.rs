//! A `secure-bun serve` that runs, from its host's side.

use std::io::{BufRead, BufReader};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::folder::Folder;
use crate::process::{Ended, Running};

/// The longest that any answer may take: more than the longest limit of a call, and the calls that wait before it.
const LONGEST: Duration = Duration::from_mins(1);

/// A service and the conversation with it. Nothing that it says is kept once it was read.
pub struct Service {
    /// The process.
    pub running: Running,
    lines: Receiver<String>,
    reading: Arc<Reading>,
    next_id: u64,
}

/// Whether the host reads.
#[derive(Default)]
struct Reading {
    is_paused: Mutex<bool>,
    changed: Condvar,
}

impl Reading {
    fn pause(&self, is_paused: bool) {
        *self.is_paused.lock().unwrap_or_else(PoisonError::into_inner) = is_paused;
        self.changed.notify_all();
    }

    fn wait(&self) {
        let is_paused = self.is_paused.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.changed.wait_while(is_paused, |is_paused| *is_paused));
    }
}

impl Service {
    /// `secure-bun serve --policy POLICY --engine ENGINE FLAGS…` in `folder`, with `variables` in its environment, once it
    /// has answered `initialize`. Its temporary files are in the folder `temporary`, which has to be there.
    pub fn start(folder: &Folder, policy: &str, engine: &str, flags: &[&str], variables: &[(&str, &str)]) -> Self {
        let (reader, writer) = std::io::pipe().expect("there are pipes");
        let mut command = folder.secure_bun(["serve", "--policy", policy, "--engine", engine]).words(flags);
        command = command.env("TMPDIR", folder.path("temporary")).open_input().stdout(writer);
        for (name, value) in variables {
            command = command.env(name, value);
        }
        let running = command.start();
        let reading = Arc::new(Reading::default());
        let (sender, lines) = mpsc::channel();
        let reads = Arc::clone(&reading);
        std::thread::spawn(move || {
            let mut reader = BufReader::new(reader);
            loop {
                reads.wait();
                let mut line = String::new();
                if reader.read_line(&mut line).is_err() || !line.ends_with('\n') || sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut service = Self { running, lines, reading, next_id: 0 };
        let answer = service.ask("initialize", &json!({ "protocol": 1 }));
        assert_eq!(answer["result"]["engine"], engine, "{answer}");
        service
    }

    /// Sends a request; its id.
    pub fn send(&mut self, method: &str, params: &Value) -> u64 {
        self.next_id += 1;
        let id = self.next_id;
        self.running.tell(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string());
        id
    }

    /// Cancels a request.
    pub fn cancel(&mut self, id: u64) {
        self.running.tell(&json!({ "jsonrpc": "2.0", "method": "$/cancel", "params": { "id": id } }).to_string());
    }

    /// Whatever it answers next; `None` where that is nothing more.
    #[track_caller]
    pub fn next_answer(&mut self) -> Option<Value> {
        loop {
            let line = match self.lines.recv_timeout(LONGEST) {
                Ok(line) => line,
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => panic!("no answer within {LONGEST:?}"),
            };
            let said: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            // A notification, that a function is run in another way than others, is no answer.
            if said.get("method").is_none() {
                return Some(said);
            }
        }
    }

    /// What it says to a request while no other is under way.
    #[track_caller]
    pub fn ask(&mut self, method: &str, params: &Value) -> Value {
        let id = self.send(method, params);
        let answer = self.next_answer().expect("it answers");
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }

    /// Stops or goes on to read what it says.
    pub fn pause_reading(&self, is_paused: bool) {
        self.reading.pause(is_paused);
    }

    /// Kills it, and waits until it has ended.
    pub fn kill(self) -> Ended {
        self.running.signal(Signal::SIGKILL);
        self.running.end()
    }

    /// Ends its input and waits for its end.
    pub fn end(self) -> Ended {
        self.running.end()
    }
}
