//! Many calls of every kind for one `secure-bun serve`: each is answered once, as it has to be, and the service holds no
//! more in the end than it did near the beginning. `scripts/soak` runs many; tests/serve a few.

mod act;
mod held;
pub mod hostile;
mod lines;
pub mod random;
mod service;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::{Value, json};

use crate::folder::Folder;
pub use act::Act;
use act::Own;
pub use held::{Held, ROOM_BYTES, WIDE_ROOM_BYTES, resident_bytes};
pub use service::Service;

/// The ways to run calls.
pub const ENGINES: [&str; 3] = ["fork", "pool", "spawn"];

/// What went wrong is told this often.
const MOST_WRONGS: usize = 20;

/// The variable that names the seed of a run, to repeat it.
const SEED: &str = "SECURE_BUN_TEST_SEED";

/// A seed, which is told: another one each time, or the one that the environment names.
pub fn seed(whose: &str) -> u64 {
    let named = std::env::var(SEED).ok().map(|seed| seed.parse().unwrap_or_else(|error| panic!("{SEED}: {error}")));
    let seed = named.unwrap_or_else(|| fastrand::u64(..1 << 32));
    println!("{whose}: {SEED}={seed} repeats this");
    seed
}

/// What is soaked, and how long.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// How calls are run.
    pub engine: &'a str,
    /// How many there are.
    pub calls: u64,
    /// After how many of them the service holds what it needs.
    pub mark: u64,
    /// Of all that is drawn.
    pub seed: u64,
    /// Calls under way at a time.
    pub at_once: usize,
    /// How much more memory the service may have in the end.
    pub room_bytes: u64,
}

/// How a soak went.
#[derive(Debug)]
pub struct Report {
    /// How often each act was done, and how long that took, from being sent to being answered.
    pub acts: BTreeMap<Act, (u64, Duration)>,
    /// What the service held at the mark and in the end, when nothing was under way.
    pub held: Vec<(u64, Held)>,
    /// How long all of it took.
    pub took: Duration,
    /// What went wrong.
    pub wrongs: Vec<String>,
}

/// A call that is under way.
struct UnderWay {
    act: Act,
    own: Own,
    since: Instant,
}

/// One conversation.
struct Soak<'a> {
    settings: Settings<'a>,
    folder: Folder,
    service: Service,
    chance: Rng,
    under_way: HashMap<u64, UnderWay>,
    /// Lines that cannot be answered with an id, and are not yet.
    without_id: usize,
    report: Report,
}

/// Does what `settings` say. `tell` hears of the state of things.
pub fn run(settings: Settings<'_>, tell: impl Fn(&str)) -> Report {
    let folder = Folder::with("soak.json", act::POLICY).folder("temporary");
    let service = Service::start(&folder, "soak.json", settings.engine, &[], &[]);
    let report = Report { acts: BTreeMap::new(), held: Vec::new(), took: Duration::ZERO, wrongs: Vec::new() };
    let mut soak = Soak {
        settings,
        folder,
        service,
        chance: Rng::with_seed(settings.seed),
        under_way: HashMap::new(),
        without_id: 0,
        report,
    };
    let begun = Instant::now();
    soak.register();
    soak.until(settings.mark);
    soak.measure(settings.mark, &tell);
    let mut done = settings.mark;
    while done < settings.calls {
        // A look now and then, for whoever waits for the end.
        let next = settings.calls.min(done + settings.mark);
        soak.drive(done, next);
        done = next;
        let pid = soak.service.running.pid.as_raw();
        tell(&format!("{done} calls, {} s, RSS {} KB", begun.elapsed().as_secs(), resident_bytes(pid) / 1024));
    }
    soak.measure(settings.calls, &tell);
    soak.report.took = begun.elapsed();
    soak.end()
}

impl Soak<'_> {
    fn register(&mut self) {
        for function in act::functions() {
            let answer = self.service.ask("function.register", &function);
            assert!(answer.get("error").is_none(), "{answer}");
        }
    }

    /// The first calls: every act among them, twice.
    fn until(&mut self, mark: u64) {
        let all: Vec<Act> = act::all().chain(act::all()).collect();
        for (number, act) in (0..).zip(&all) {
            self.room();
            self.send(number, *act);
        }
        self.drive(all.len() as u64, mark.max(all.len() as u64));
        self.settle();
    }

    fn drive(&mut self, from: u64, to: u64) {
        for number in from..to {
            self.room();
            let act = act::draw(&mut self.chance);
            self.send(number, act);
        }
    }

    /// Waits until another call may be under way.
    fn room(&mut self) {
        while self.under_way.len() + self.without_id >= self.settings.at_once {
            self.receive();
        }
    }

    /// Waits until nothing is under way.
    fn settle(&mut self) {
        while self.under_way.len() + self.without_id > 0 {
            self.receive();
        }
    }

    fn send(&mut self, number: u64, act: Act) {
        let own = Own::of(number, self.settings.seed);
        if act == Act::Nonsense && self.chance.bool() {
            self.service.running.tell(lines::nonsense(&mut self.chance));
            self.without_id += 1;
            return;
        }
        let id = self.service.send("call", &act::call(act, &own));
        self.under_way.insert(id, UnderWay { act, own, since: Instant::now() });
        if act == Act::Hangs {
            // While it waits, is started or runs, as it comes.
            for _ in 0..self.chance.usize(..self.settings.at_once) {
                if self.under_way.len() > 1 {
                    self.receive();
                }
            }
            self.service.cancel(id);
        }
    }

    fn receive(&mut self) {
        let Some(answer) = self.service.next_answer() else {
            let waiting: Vec<Act> = self.under_way.values().map(|call| call.act).collect();
            panic!("the service has ended; seed {}, under way: {waiting:?}", self.settings.seed)
        };
        if answer["id"] == Value::Null {
            self.without_id = self.without_id.saturating_sub(1);
            if !matches!(answer["error"]["code"].as_i64(), Some(-32700 | -32600)) {
                self.wrong(format!("a line that is no request was answered by {}", act::short(&answer)));
            }
            return;
        }
        let Some(call) = answer["id"].as_u64().and_then(|id| self.under_way.remove(&id)) else {
            return self.wrong(format!("nobody waits for {}", act::short(&answer)));
        };
        let count = self.report.acts.entry(call.act).or_default();
        count.0 += 1;
        count.1 += call.since.elapsed();
        if let Err(why) = act::check(call.act, &call.own, &answer) {
            self.wrong(format!("{:?}: {why}", call.act));
        }
    }

    fn wrong(&mut self, why: String) {
        self.report.wrongs.push(why);
        assert!(self.report.wrongs.len() < MOST_WRONGS, "too much goes wrong: {:#?}", self.report.wrongs);
    }

    /// Looks at what the service holds when it rests: as many programs wait as there ever are, and none ends.
    fn measure(&mut self, calls: u64, tell: &impl Fn(&str)) {
        self.settle();
        let pid = self.service.running.pid.as_raw();
        let mut last = None;
        // The programs that are started ahead are there a moment after the last answer.
        let held = loop {
            let stats = self.service.ask("stats", &json!({}));
            let held = Held::by(pid, &self.folder);
            let seen = (stats["result"]["warm"].as_u64(), held.processes, held.descriptors, held.threads);
            if last == Some(seen) && stats["result"]["running"] == 0 {
                break held;
            }
            last = Some(seen);
            std::thread::sleep(Duration::from_millis(200));
        };
        tell(&format!("after {calls} calls: {held}"));
        if let Some((_, before)) = self.report.held.first() {
            let grown = held.grown_since(before, self.settings.room_bytes);
            self.report.wrongs.extend(grown);
        }
        self.report.held.push((calls, held));
    }

    /// The end: the service leaves nothing.
    fn end(mut self) -> Report {
        let stats = self.service.ask("stats", &json!({}));
        let calls = &stats["result"]["calls"];
        let done: u64 = self.report.acts.values().map(|(count, _)| count).sum();
        if calls["arrived"] != done {
            self.wrong(format!("{done} calls were sent, but the service counts {calls}"));
        }
        let pid = self.service.running.pid.as_raw();
        let ended = self.service.end();
        if ended.status.code() != Some(0) || !ended.errors.is_empty() {
            self.report.wrongs.push(format!("it ended badly: {ended}"));
        }
        let left = Held::by(pid, &self.folder);
        if (left.files, left.groups) != (0, 0) {
            self.report.wrongs.push(format!("left behind: {left}"));
        }
        self.report
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:14} {:>8} {:>10}", "what", "calls", "mean ms")?;
        for (act, (count, took)) in &self.acts {
            let mean_us = took.as_micros() / u128::from((*count).max(1));
            writeln!(f, "{:14} {count:8} {:8}.{}", format!("{act:?}"), mean_us / 1000, mean_us / 100 % 10)?;
        }
        let calls: u64 = self.acts.values().map(|(count, _)| count).sum();
        let rate = u128::from(calls) * 1000 / self.took.as_millis().max(1);
        writeln!(f, "{calls} calls in {} s: {rate} a second", self.took.as_secs())?;
        for (calls, held) in &self.held {
            writeln!(f, "after {calls}: {held}")?;
        }
        for wrong in &self.wrongs {
            writeln!(f, "WRONG: {wrong}")?;
        }
        Ok(())
    }
}
