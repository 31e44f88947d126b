//! A host that sends what it should not, stops reading for a while, and makes calls in between: each of these is
//! answered, each line that asks for an answer gets one, and nothing grows.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::Write;
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use fastrand::Rng;
use secure_bun::wire::rpc::{self, Lines, Message, Request};
use serde_json::json;

use super::act::short;
use super::held::{Held, ROOM_OF_LINES_BYTES};
use super::lines;
use super::service::Service;
use crate::folder::Folder;

/// Answers that are waited for at a time.
const AT_ONCE: usize = 64;

/// One in so many lines is a call that has to go well; one in so many is longer than any line may be; before one in so
/// many the host stops reading.
const CALLS: u64 = 8;
const OVERSIZED: u64 = 2000;
const PAUSES: u64 = 400;

/// Returns so much that a few results fill whatever is between the two.
const GOOD: &str = "export default (token: string, length: number) => token + 'x'.repeat(length);";
const LONG: usize = 300_000;

/// How it went.
#[derive(Debug)]
pub struct Report {
    /// Lines that were sent.
    pub lines: u64,
    /// Calls that went well.
    pub calls: u64,
    /// Errors by their code.
    pub errors: BTreeMap<i64, u64>,
    /// What the service held after every kind of line had been there, and in the end.
    pub held: Vec<Held>,
    /// What went wrong.
    pub wrongs: Vec<String>,
}

struct Host {
    service: Service,
    /// To the thread that writes: the service may stop reading.
    input: Option<Sender<Vec<u8>>>,
    chance: Rng,
    /// Reads what is sent as the service has to.
    reader: Lines,
    /// Calls that are not answered, with the length of their results.
    good: HashMap<String, usize>,
    /// Answers that are still to come.
    awaited: usize,
    sent: u64,
    report: Report,
}

/// Sends `lines` lines.
pub fn run(engine: &str, lines: u64, seed: u64) -> Report {
    let folder = Folder::new().folder("temporary");
    let mut service = Service::start(&folder, "function", engine, &[], &[]);
    let registered = service.ask("function.register", &json!({ "name": "good", "source": GOOD }));
    assert!(registered.get("error").is_none(), "{registered}");
    let pid = service.running.pid.as_raw();
    let mut stdin = service.running.take_input();
    let (input, to_write) = mpsc::channel::<Vec<u8>>();
    let writer = std::thread::spawn(move || to_write.into_iter().try_for_each(|bytes| stdin.write_all(&bytes)));
    let report = Report { lines: 0, calls: 0, errors: BTreeMap::new(), held: Vec::new(), wrongs: Vec::new() };
    let mut host = Host {
        service,
        input: Some(input),
        chance: Rng::with_seed(seed),
        reader: Lines::default(),
        good: HashMap::new(),
        awaited: 0,
        sent: 0,
        report,
    };
    for _ in 0..3 {
        host.oversized();
        host.stop_reading();
    }
    for number in 0..lines {
        if number == lines / 4 {
            host.measure(pid, &folder);
        }
        host.line();
    }
    host.measure(pid, &folder);
    drop(host.input.take());
    writer.join().expect("it does not panic").expect("the service reads to the end");
    let Host { mut service, mut report, sent, .. } = host;
    report.lines = sent;
    if let Some(further) = service.next_answer() {
        report.wrongs.push(format!("nobody waits for {}", short(&further)));
    }
    let ended = service.end();
    if ended.status.code() != Some(0) || !ended.errors.is_empty() {
        report.wrongs.push(format!("it ended badly: {ended}"));
    }
    report
}

impl Host {
    /// One line, of whatever kind.
    fn line(&mut self) {
        if self.chance.u64(..CALLS) == 0 {
            self.call(10);
        } else if self.chance.u64(..OVERSIZED) == 0 {
            self.oversized();
        } else {
            if self.chance.u64(..PAUSES) == 0 {
                self.stop_reading();
            }
            let mut line = lines::hostile(&mut self.chance, self.sent);
            line.push(b'\n');
            if !changes_the_service(&line) {
                self.send(&line);
            }
        }
        while self.awaited > AT_ONCE {
            self.receive();
        }
    }

    /// A call that has to go well.
    fn call(&mut self, length: usize) {
        let id = format!("good-{}", self.sent);
        let params = json!({ "function": "good", "args": [id, length] });
        let call = json!({ "jsonrpc": "2.0", "id": id, "method": "call", "params": params });
        self.good.insert(id, length);
        self.send(format!("{call}\n").as_bytes());
    }

    fn oversized(&mut self) {
        let mut line = lines::oversized(&mut self.chance);
        line.push(b'\n');
        self.send(&line);
    }

    /// Reads nothing while results come that fill the pipe, and the service's own room.
    fn stop_reading(&mut self) {
        self.service.pause_reading(true);
        for _ in 0..AT_ONCE / 2 {
            self.call(LONG);
        }
        std::thread::sleep(Duration::from_millis(self.chance.u64(..200)));
        self.service.pause_reading(false);
        self.settle();
    }

    /// Sends bytes in pieces that end anywhere.
    fn send(&mut self, bytes: &[u8]) {
        self.sent += 1;
        self.awaited += answers(&mut self.reader, bytes).len();
        let mut rest = bytes;
        while !rest.is_empty() {
            let at = if self.chance.u8(..4) == 0 { self.chance.usize(1..=rest.len()) } else { rest.len() };
            let (piece, further) = rest.split_at(at);
            let input = self.input.as_ref().expect("it is open");
            input.send(piece.to_vec()).expect("the service reads");
            rest = further;
        }
    }

    fn settle(&mut self) {
        while self.awaited > 0 {
            self.receive();
        }
    }

    fn receive(&mut self) {
        let Some(answer) = self.service.next_answer() else {
            panic!("the service has ended; {} answers are missing", self.awaited)
        };
        self.awaited = self.awaited.saturating_sub(1);
        let id = answer["id"].as_str().unwrap_or_default();
        if let Some(length) = self.good.remove(id) {
            let result = answer["result"]["result"].as_str().unwrap_or_default();
            if result.len() == id.len() + length && result.starts_with(id) {
                self.report.calls += 1;
            } else {
                self.report.wrongs.push(format!("{id}: {}", short(&answer)));
            }
        } else if let Some(code) = answer["error"]["code"].as_i64() {
            *self.report.errors.entry(code).or_default() += 1;
            let known = [-32700, -32600, -32601, -32602, -32001, -32003, -32004, -32006];
            if !known.contains(&code) {
                self.report.wrongs.push(short(&answer));
            }
        } else if id.starts_with("good-") || answer.get("result").is_none() {
            self.report.wrongs.push(format!("nobody waits for {}", short(&answer)));
        }
    }

    fn measure(&mut self, pid: i32, folder: &Folder) {
        self.settle();
        assert!(self.good.is_empty(), "calls without an answer: {:?}", self.good.keys());
        let id = format!("good-stats-{}", self.sent);
        // The programs that are started ahead are there a moment after the last answer.
        let mut last = None;
        let held = loop {
            let stats = json!({ "jsonrpc": "2.0", "id": id, "method": "stats" });
            self.send(format!("{stats}\n").as_bytes());
            let answer = self.service.next_answer().expect("it answers");
            self.awaited -= 1;
            let held = Held::by(pid, folder);
            let seen = (held.processes, held.descriptors, held.threads);
            if last == Some(seen) && answer["result"]["running"] == 0 {
                break held;
            }
            last = Some(seen);
            std::thread::sleep(Duration::from_millis(200));
        };
        if let Some(before) = self.report.held.first() {
            let grown = held.grown_since(before, ROOM_OF_LINES_BYTES);
            self.report.wrongs.extend(grown);
        }
        self.report.held.push(held);
    }
}

/// The messages in `bytes` that have to be answered.
fn answers(reader: &mut Lines, bytes: &[u8]) -> Vec<Option<Request>> {
    reader.push(bytes);
    let mut found = Vec::new();
    while let Some(line) = reader.next_line() {
        match rpc::read(&line) {
            Ok(Message::Request(_, request)) => found.push(Some(request)),
            Ok(Message::Cancel(_) | Message::Ignored) => {}
            Err(_) => found.push(None),
        }
    }
    found
}

/// Whether a line is good enough to end the service, or to make it hold more than before.
fn changes_the_service(line: &[u8]) -> bool {
    let found = answers(&mut Lines::default(), line);
    found
        .iter()
        .any(|request| matches!(request, Some(Request::Shutdown(_) | Request::Register(_) | Request::Remove(_))))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} lines, {} calls among them that went well", self.lines, self.calls)?;
        for (code, count) in &self.errors {
            writeln!(f, "{code:8} {count:8}")?;
        }
        for held in &self.held {
            writeln!(f, "{held}")?;
        }
        for wrong in &self.wrongs {
            writeln!(f, "WRONG: {wrong}")?;
        }
        Ok(())
    }
}
