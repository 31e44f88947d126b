//! Numbers about calls.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use wire::envelope::Envelope;

use super::Engine;
use super::programs::{ByEngine, Held, Memory};

/// Upper bounds of the latencies that are counted together, in milliseconds; all longer ones are the last.
const BOUNDS_MS: [f64; 15] =
    [0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0, 10_000.0];

/// Rules that are counted one by one; what the others refuse is counted as `other`.
const MOST_RULES: usize = 256;

/// Numbers since a service was started.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stats {
    /// How calls are run.
    pub engine: &'static str,
    /// How long it is there, in milliseconds.
    pub uptime_ms: u64,
    /// Calls by how they went.
    pub calls: Outcomes,
    /// Calls that run.
    pub running: u64,
    /// Calls that wait.
    pub waiting: usize,
    /// Programs that wait for their call.
    pub warm: usize,
    /// Programs that are there.
    pub programs: ByEngine<usize>,
    /// Functions that are registered.
    pub functions: usize,
    /// From the arrival of a call to its answer.
    pub latency: Latency,
    /// CPU time of all calls that were answered, in milliseconds.
    pub cpu_ms: f64,
    /// The most memory that one call had, in bytes.
    pub peak_memory_bytes: u64,
    /// What was refused, by permission and rule.
    pub denials: BTreeMap<String, u64>,
    /// Where it was asked for: [`Service::memory`](super::Service::memory).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
}

/// Calls by how they went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Outcomes {
    /// All that arrived.
    pub arrived: u64,
    /// The function returned.
    pub ok: u64,
    /// It threw, or could not be called.
    pub failed: u64,
    /// A limit ended it.
    pub limited: u64,
    /// Nobody wanted its answer any more.
    pub cancelled: u64,
    /// There was no place for it.
    pub overloaded: u64,
    /// It made no sense, or could not be started.
    pub refused: u64,
}

/// How long calls took.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Latency {
    /// Upper bounds in milliseconds, each with the calls that took no longer.
    pub buckets: Vec<(f64, u64)>,
    /// All calls.
    pub count: u64,
    /// Their sum, in milliseconds.
    pub sum_ms: f64,
}

/// Counts.
#[derive(Default)]
pub(super) struct Counters(Mutex<Counts>);

/// A call that is counted. One that ends in no other way was cancelled.
pub(super) struct Counted<'a> {
    counters: &'a Counters,
    since: Instant,
    runs: bool,
    has_ended: bool,
}

/// How a call ended.
#[derive(Clone, Copy)]
pub(super) enum End<'a> {
    Answered(&'a Envelope),
    Overloaded,
    Refused,
    Cancelled,
}

struct Counts {
    begun: Instant,
    calls: Outcomes,
    running: u64,
    within: [u64; BOUNDS_MS.len()],
    count: u64,
    sum: Duration,
    cpu_ms: f64,
    peak_memory_bytes: u64,
    denials: BTreeMap<String, u64>,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            calls: Outcomes::default(),
            running: 0,
            within: Default::default(),
            count: 0,
            sum: Duration::ZERO,
            cpu_ms: 0.0,
            peak_memory_bytes: 0,
            denials: BTreeMap::new(),
        }
    }
}

impl Counters {
    pub(super) fn arrived(&self) -> Counted<'_> {
        self.lock().calls.arrived += 1;
        Counted { counters: self, since: Instant::now(), runs: false, has_ended: false }
    }

    pub(super) fn stats(&self, engine: Engine, waiting: usize, functions: usize, programs: ByEngine<usize>) -> Stats {
        let counts = self.lock();
        let mut so_far = 0;
        let buckets = BOUNDS_MS.iter().zip(counts.within).map(|(bound, count)| {
            so_far += count;
            (*bound, so_far)
        });
        Stats {
            engine: engine.name(),
            uptime_ms: u64::try_from(counts.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            calls: counts.calls,
            running: counts.running,
            waiting,
            warm: programs.values().map(|by_state| by_state.warm).sum(),
            programs,
            functions,
            latency: Latency {
                buckets: buckets.collect(),
                count: counts.count,
                sum_ms: counts.sum.as_secs_f64() * 1e3,
            },
            cpu_ms: counts.cpu_ms,
            peak_memory_bytes: counts.peak_memory_bytes,
            denials: counts.denials.clone(),
            memory: None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        // Numbers are never half changed in a way that matters.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counted<'_> {
    pub(super) fn runs(&mut self) {
        self.runs = true;
        self.counters.lock().running += 1;
    }

    pub(super) fn ends(&mut self, end: End<'_>) {
        if std::mem::replace(&mut self.has_ended, true) {
            return;
        }
        let mut counts = self.counters.lock();
        counts.running -= u64::from(self.runs);
        match end {
            End::Answered(envelope) => counts.answered(envelope, self.since.elapsed()),
            End::Overloaded => counts.calls.overloaded += 1,
            End::Refused => counts.calls.refused += 1,
            End::Cancelled => counts.calls.cancelled += 1,
        }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.ends(End::Cancelled);
    }
}

impl Counts {
    fn answered(&mut self, envelope: &Envelope, took: Duration) {
        let is_limit = envelope.error.as_ref().is_some_and(|error| error.limit.is_some());
        match (envelope.ok, is_limit) {
            (true, _) => self.calls.ok += 1,
            (false, true) => self.calls.limited += 1,
            (false, false) => self.calls.failed += 1,
        }
        let took_ms = took.as_secs_f64() * 1e3;
        if let Some(place) = BOUNDS_MS.iter().zip(&mut self.within).find(|(bound, _)| took_ms <= **bound) {
            *place.1 += 1;
        }
        self.count += 1;
        self.sum += took;
        self.cpu_ms += envelope.stats.cpu_ms;
        self.peak_memory_bytes = self.peak_memory_bytes.max(envelope.stats.peak_memory_bytes);
        for denial in &envelope.denials {
            let name = format!("{} {}", denial.refusal.permission, denial.refusal.rule);
            let is_new = !self.denials.contains_key(&name);
            let name = if is_new && self.denials.len() >= MOST_RULES { "other".to_owned() } else { name };
            *self.denials.entry(name).or_default() += denial.count;
        }
    }
}

impl Stats {
    /// The text format of Prometheus (version 0.0.4).
    pub fn to_prometheus(&self) -> String {
        let Self {
            engine,
            uptime_ms,
            calls,
            running,
            waiting,
            warm: _,
            programs,
            functions,
            latency,
            cpu_ms,
            peak_memory_bytes,
            denials,
            memory,
        } = self;
        let mut text = Text::default();
        text.one("info", "gauge", "How calls are run.", &[(labels(&[("engine", engine)]), 1.0)]);
        text.one("uptime_seconds", "gauge", "How long it is there.", &[plain(seconds(*uptime_ms))]);
        let by_end = [
            ("ok", calls.ok),
            ("failed", calls.failed),
            ("limited", calls.limited),
            ("cancelled", calls.cancelled),
            ("overloaded", calls.overloaded),
            ("refused", calls.refused),
        ];
        let by_end: Vec<_> = by_end.iter().map(|(end, count)| (labels(&[("outcome", end)]), float(*count))).collect();
        text.one("calls_total", "counter", "Calls by how they went.", &by_end);
        text.one("calls_running", "gauge", "Calls that run.", &[plain(float(*running))]);
        text.one("calls_waiting", "gauge", "Calls that wait.", &[plain(float(*waiting as u64))]);
        text.one("programs", "gauge", "Programs that are there.", &by_state(programs, |count| *count as u64));
        text.one("functions", "gauge", "Registered functions.", &[plain(float(*functions as u64))]);
        text.histogram("call_seconds", "From the arrival of a call to its answer.", latency);
        text.one("cpu_seconds_total", "counter", "CPU time of answered calls.", &[plain(cpu_ms / 1e3)]);
        let peak = &[plain(float(*peak_memory_bytes))];
        text.one("peak_memory_bytes", "gauge", "The most memory that one call had.", peak);
        let denials: Vec<_> = denials.iter().map(|(rule, count)| (labels(&[("rule", rule)]), float(*count))).collect();
        text.one("denials_total", "counter", "What was refused, by permission and rule.", &denials);
        if let Some(memory) = memory {
            text.memory(memory);
        }
        text.0
    }
}

/// Labels and a value.
type Sample = (String, f64);

#[derive(Default)]
struct Text(String);

impl Text {
    fn one(&mut self, name: &str, kind: &str, help: &str, samples: &[Sample]) {
        self.head(name, kind, help);
        for (labels, value) in samples {
            self.line(name, labels, *value);
        }
    }

    fn histogram(&mut self, name: &str, help: &str, latency: &Latency) {
        self.head(name, "histogram", help);
        let bucket = format!("{name}_bucket");
        for (bound, count) in &latency.buckets {
            self.line(&bucket, &labels(&[("le", &(bound / 1e3).to_string())]), float(*count));
        }
        self.line(&bucket, &labels(&[("le", "+Inf")]), float(latency.count));
        self.line(&format!("{name}_sum"), "", latency.sum_ms / 1e3);
        self.line(&format!("{name}_count"), "", float(latency.count));
    }

    fn memory(&mut self, memory: &Memory) {
        let Memory { launcher, programs, unread } = memory;
        let rss = &[plain(float(launcher.rss_bytes))];
        self.one("launcher_resident_memory_bytes", "gauge", "What the launcher has in memory.", rss);
        let pss = &[plain(float(launcher.pss_bytes))];
        self.one("launcher_pss_bytes", "gauge", "The launcher's part of that (PSS).", pss);
        let processes = by_state(programs, |held: &Held| held.processes);
        self.one("processes", "gauge", "Processes that programs are made of.", &processes);
        let pss = by_state(programs, |held: &Held| held.pss_bytes);
        self.one("programs_pss_bytes", "gauge", "The memory of programs (PSS).", &pss);
        self.one("processes_unread", "gauge", "Processes that were not looked at.", &[plain(float(*unread))]);
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a text cannot fail.
        let _ = write!(self.0, "# HELP secure_bun_{name} {help}\n# TYPE secure_bun_{name} {kind}\n");
    }

    fn line(&mut self, name: &str, labels: &str, value: f64) {
        let _ = writeln!(self.0, "secure_bun_{name}{labels} {value}");
    }
}

fn labels(labels: &[(&str, &str)]) -> String {
    let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    format!("{{{}}}", labels.join(","))
}

fn by_state<T>(programs: &ByEngine<T>, value: impl Fn(&T) -> u64) -> Vec<Sample> {
    let samples = programs.iter().flat_map(|(engine, by_state)| {
        [("warm", &by_state.warm), ("busy", &by_state.busy), ("server", &by_state.server)]
            .map(|(state, of)| (labels(&[("engine", engine), ("state", state)]), float(value(of))))
    });
    samples.collect()
}

fn plain(value: f64) -> Sample {
    (String::new(), value)
}

fn seconds(millis: u64) -> f64 {
    Duration::from_millis(millis).as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "numbers beyond 2^53 may be rounded")]
fn float(number: u64) -> f64 {
    number as f64
}
