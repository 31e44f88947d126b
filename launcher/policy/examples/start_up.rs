//! Prints what a policy costs at start: `cargo run --release -p secure-bun-policy --example start_up`.

#![expect(clippy::disallowed_types, reason = "the crate is pure; what measures it needs a clock")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use policy::{Chain, ExpandedPolicy, Layer, Places, Policy, Request, Source};

/// A typical policy of about 1 kB.
const TEXT: &str = r#"{
  // What the nightly report may do.
  "$schema": "./policy.schema.json",
  "version": 1,
  "extends": "script",
  "allow": {
    "read": ["./data", "./templates", "${PROGRAM}/assets", "/usr/share/zoneinfo"],
    "write": ["./out", "./cache"],
    "import": ["${PROJECT}", "../shared/lib"],
    "net": ["api.example.com:443", "*.example.org:443", "10.1.0.0/16:5432"],
    "listen": [3000, "127.0.0.1:8000-8010"],
    "fetch": [{ "url": "https://api.example.com/v1/*", "methods": ["GET"], "headers": { "authorization": "Bearer ${secret:API_KEY}" } }],
    "env": ["NODE_ENV", "REPORT_*", "TZ"],
    "run": ["git"],
    "sys": ["hostname", "cpus"],
    "workers": 4,
    "eval": false,
  },
  "deny": {
    "read": ["./data/private"],
    "write": ["./out/archive"],
    "net": ["169.254.0.0/16"],
  },
  "limits": { "wall_ms": 60000, "cpu_ms": 30000, "memory_mb": 512, "threads": 64, "output_kb": 1024 },
  "js": { "freeze": "object-prototype" },
}"#;

fn load(places: &Places) -> ExpandedPolicy {
    let layer = Layer::parse(&Source::file("p.json", "/project/p.json"), TEXT.as_bytes()).expect("a valid policy");
    let layers = Chain::new(layer).expect("it extends a preset").into_layers();
    Policy::merge(&layers).expand(places)
}

/// The median of many runs.
fn median<T>(mut run: impl FnMut() -> T) -> Duration {
    let mut times: Vec<Duration> = (0..5001)
        .map(|_| {
            let start = Instant::now();
            black_box(run());
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
}

fn main() {
    let places = Places {
        program: "/project".into(),
        project: vec!["/project".into()],
        tmp: "/tmp".into(),
        home: "/home/me".into(),
        cwd: "/project".into(),
    };
    let start = Instant::now();
    let policy = load(&places);
    let first = start.elapsed();
    let request = Request::Read("/project/data/a/b/c.csv".into());
    println!("the first policy, cold:          {first:>9.1?}");
    println!("text to expanded policy ({} B): {:>9.1?}", TEXT.len(), median(|| load(&places)));
    println!(
        "preload table as JSON:           {:>9.1?}",
        median(|| serde_json::to_string(&policy::preload_table(&policy)))
    );
    println!("one decision:                    {:>9.1?}", median(|| policy::decide(&policy, &request)));
}
