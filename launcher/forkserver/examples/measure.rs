//! Measures the fork server, outside of any sandbox and beside bare Bun:
//! `SECURE_BUN_BUN=$(scripts/bun) SECURE_BUN_PACKAGES=$(scripts/packages) cargo run --release -p secure-bun-forkserver
//! --example measure`; with `-- --inert` without the guards.

#[path = "../tests/launcher/mod.rs"]
mod launcher;

use std::collections::{HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use launcher::{Child, Preloaded, Server, Settings, call, percentiles, time};
use secure_bun_forkserver::messages::Limits;
use serde_json::{Value, json};

const SAMPLES: usize = 200;
const AHEAD: usize = 4;
const IDLE: usize = 20;
const CALLS: usize = 2000;
const THREADS: usize = 3;
const DRAWING: usize = 10_000;

const ADD: &str = "export default (a: number, b: number): number => a + b;";
const PACKAGES: &str = "import { z } from \"zod\";
import { parse } from \"acorn\";
import dayjs from \"dayjs\";
export default (a: number, b: number): number =>
  z.number().parse(a) + parse(String(b), { ecmaVersion: 2024 }).body.length + dayjs(0).unix();";

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let add = file(folder.path(), "add.ts", ADD);
    let packages =
        PathBuf::from(std::env::var_os("SECURE_BUN_PACKAGES").expect("SECURE_BUN_PACKAGES=$(scripts/packages)"));
    let heavy = packages.join("fork-measure.ts");
    std::fs::write(&heavy, PACKAGES).expect("written");

    let called = Preloaded { path: heavy.clone(), calls: vec![json!([1, 1]); 3] };
    let guards = !std::env::args().any(|argument| argument == "--inert");
    let (plain_starting, plain) = time(|| Server::start(&Settings { guards, ..Settings::default() }));
    let loaded = Settings { module: Some(Preloaded::uncalled(&add)), guards, ..Settings::default() };
    let (loaded_starting, loaded) = time(|| Server::start(&loaded));
    let heavily_loaded = Settings { module: Some(called), guards, ..Settings::default() };
    let (heavily_loaded_starting, heavily_loaded) = time(|| Server::start(&heavily_loaded));
    println!(
        "ready after {plain_starting:.0?}, {loaded_starting:.0?} with a function, {heavily_loaded_starting:.0?} with packages"
    );

    let sources = Sources { folder: folder.path().to_owned(), count: AtomicUsize::new(0) };
    let series = [
        ("function loaded before, children ahead", latencies(&loaded, AHEAD, || Source::Kept(add.clone()))),
        ("new TypeScript, children ahead", latencies(&plain, AHEAD, || sources.next())),
        (
            "three packages loaded before, children ahead",
            latencies(&heavily_loaded, AHEAD, || Source::Kept(heavy.clone())),
        ),
        ("function loaded before, fork on demand", latencies(&loaded, 0, || Source::Kept(add.clone()))),
        ("new TypeScript, fork on demand", latencies(&plain, 0, || sources.next())),
        ("three packages loaded before, fork on demand", latencies(&heavily_loaded, 0, || Source::Kept(heavy.clone()))),
        ("three packages loaded in the child", latencies(&plain, AHEAD, || Source::Kept(heavy.clone()))),
    ];
    for (name, mut series) in series {
        let ((p50, p99), (bare, _)) = (percentiles(&mut series.forked), percentiles(&mut series.bare));
        let (processor, _) = percentiles(&mut series.processor);
        let ratio = p50.as_secs_f64() / bare.as_secs_f64();
        println!(
            "{name:45} p50 {p50:>9.1?}  p99 {p99:>9.1?}  processor {processor:>9.1?}  bare Bun {bare:>7.2?}  ratio {ratio:.2}"
        );
    }
    println!("calls/s, function loaded before: {:.0}", throughput(&loaded, || Source::Kept(add.clone())));
    println!("calls/s, new TypeScript: {:.0}", throughput(&plain, || sources.next()));
    println!(
        "calls/s, three packages loaded before: {:.0}",
        throughput(&heavily_loaded, || Source::Kept(heavy.clone()))
    );
    println!("starts/s of bare Bun: {:.0}", bare_throughput());
    println!(
        "idle child: PSS {} KiB, with a function {} KiB, with packages {} KiB",
        idle(&plain),
        idle(&loaded),
        idle(&heavily_loaded)
    );
    std::fs::remove_file(heavy).expect("removed");
    drop((plain, loaded, heavily_loaded));
    println!("random numbers drawn by {DRAWING} children, all different: {}", different());
}

/// Functions that no Bun has seen before.
struct Sources {
    folder: PathBuf,
    count: AtomicUsize,
}

/// What a call is of.
enum Source {
    /// A file that stays.
    Kept(PathBuf),
    /// One for this call alone.
    New(PathBuf),
}

impl Sources {
    fn next(&self) -> Source {
        let index = self.count.fetch_add(1, Ordering::Relaxed);
        Source::New(file(&self.folder, &format!("new-{index}.ts"), &format!("{ADD}\n// {index}\n")))
    }
}

impl Source {
    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) | Self::New(path) => path,
        }
    }

    /// Bun reads the folder of a file that it has not seen, so a folder must not grow with each call.
    fn finish(self) {
        if let Self::New(path) = self {
            std::fs::remove_file(path).expect("removed");
        }
    }
}

fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("written");
    path
}

/// What a series of calls took.
#[derive(Default)]
struct Series {
    /// From the request to its answer.
    forked: Vec<Duration>,
    /// Processor time of each child, from its fork to its end.
    processor: Vec<Duration>,
    /// Bare starts of Bun in between.
    bare: Vec<Duration>,
}

/// Times of calls, and of bare starts of Bun between them.
fn latencies(server: &Server, ahead: usize, mut source: impl FnMut() -> Source) -> Series {
    let mut waiting: VecDeque<Child> = (0..ahead).map(|_| server.child()).collect();
    let mut series = Series::default();
    for sample in 0..SAMPLES {
        if sample % 10 == 0 {
            series.bare.push(time(hello).0);
        }
        let source = source();
        let request = call(source.path(), &json!([1, 1]));
        let ready = waiting.pop_front();
        let (took, called) = time(|| {
            let mut called = ready.unwrap_or_else(|| server.child()).call(&request);
            assert_eq!(called.result(), Value::from(2));
            called
        });
        source.finish();
        series.forked.push(took);
        let reaped = server.end(&called.child);
        series.processor.push(Duration::from_micros(reaped.user_us + reaped.system_us));
        if ahead > 0 {
            waiting.push_back(server.child());
        }
    }
    for child in &waiting {
        server.end(child);
    }
    series
}

fn hello() {
    let status = Command::new(launcher::bun()).args(["-e", "console.log(1)"]).stdout(Stdio::null()).status();
    assert!(status.expect("Bun starts").success());
}

/// Calls a second, of several at a time.
fn throughput(server: &Server, source: impl Fn() -> Source + Sync) -> f64 {
    let server = Mutex::new(server);
    let left = AtomicUsize::new(CALLS);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                    let source = source();
                    let request = call(source.path(), &json!([1, 1]));
                    let child = server.lock().expect("no panic").fork(&Limits::default());
                    child.wait_until_ready();
                    let mut called = child.call(&request);
                    assert_eq!(called.result(), Value::from(2));
                    source.finish();
                    called.child.kill();
                    called.child.wait_until_ended();
                    server.lock().expect("no panic").reap(&called.child);
                }
            });
        }
    });
    f64::from(u32::try_from(CALLS).expect("not many")) / start.elapsed().as_secs_f64()
}

/// Starts of Bun a second, of as many at a time.
fn bare_throughput() -> f64 {
    let left = AtomicUsize::new(CALLS / 10);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                    hello();
                }
            });
        }
    });
    f64::from(u32::try_from(CALLS / 10).expect("not many")) / start.elapsed().as_secs_f64()
}

/// How many numbers the children of one server drew; panics where two drew the same.
fn different() -> usize {
    let draw = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/modules/random.ts");
    let module = Preloaded::uncalled(&draw);
    let server = Server::start(&Settings { module: Some(module), eval: true, child_rounds: 0, ..Settings::default() });
    let mut seen = HashSet::new();
    let request = call(&draw, &json!([]));
    for _ in 0..DRAWING {
        let mut called = server.child().call(&request);
        for (source, drawn) in called.result().as_object().expect("an object") {
            assert!(seen.insert(format!("{source} {drawn}")), "two children drew the same: {source} {drawn}");
        }
        server.end(&called.child);
    }
    seen.len()
}

/// What each of several waiting children has of memory, in KiB, with its share of what is shared.
fn idle(server: &Server) -> u64 {
    let children: Vec<Child> = (0..IDLE).map(|_| server.child()).collect();
    let mut sizes: Vec<u64> = children.iter().map(|child| proportional_kib(child.pid)).collect();
    for child in &children {
        server.end(child);
    }
    sizes.sort_unstable();
    sizes[sizes.len() / 2]
}

fn proportional_kib(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("readable");
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
