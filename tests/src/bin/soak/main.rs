//! `scripts/soak`: one service, many calls (see `secure_bun_tests::soak`).
#![forbid(unsafe_code)]

use std::process::ExitCode;

use secure_bun_tests::soak::{self, ENGINES, ROOM_BYTES, Settings, hostile, random};

const USAGE: &str =
    "usage: soak [--engine fork|pool|spawn] [--calls N] [--lines N] [--random N] [--seed S] [--at-once N]";

/// What was asked for.
struct Args {
    /// How calls are run; each way after the other if it is not said.
    engine: Option<&'static str>,
    calls: u64,
    /// Hostile lines, instead of calls.
    lines: Option<u64>,
    /// Calls that draw random numbers, instead of others.
    random: Option<u64>,
    /// Of what is drawn: one that was printed repeats a run.
    seed: u64,
    /// Calls under way at a time.
    at_once: usize,
}

impl Args {
    fn parse(mut words: impl Iterator<Item = String>) -> Option<Self> {
        let seed = soak::seed("soak");
        let mut args = Self { engine: None, calls: 100_000, lines: None, random: None, seed, at_once: 16 };
        while let Some(flag) = words.next() {
            let value = words.next()?;
            match flag.as_str() {
                "--engine" => args.engine = Some(ENGINES.into_iter().find(|engine| *engine == value)?),
                "--calls" => args.calls = value.parse().ok()?,
                "--lines" => args.lines = Some(value.parse().ok()?),
                "--random" => args.random = Some(value.parse().ok()?),
                "--seed" => args.seed = value.parse().ok()?,
                "--at-once" => args.at_once = value.parse().ok().filter(|at_once| *at_once > 0)?,
                _ => return None,
            }
        }
        Some(args)
    }
}

/// The calls after which a service holds what it needs.
const MARK: u64 = 5000;

fn main() -> ExitCode {
    let Some(args) = Args::parse(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let engines = args.engine.map_or(ENGINES.to_vec(), |engine| vec![engine]);
    let all_well = engines.into_iter().filter(|engine| !soak(engine, &args)).count() == 0;
    if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether all went well.
fn soak(engine: &str, args: &Args) -> bool {
    let Args { calls, lines, random, seed, at_once, .. } = *args;
    if let Some(calls) = random {
        println!("engine {engine}, {calls} calls that draw random numbers");
        let report = random::run(engine, calls, at_once);
        println!("{report}");
        return report.wrongs.is_empty();
    }
    if let Some(lines) = lines {
        println!("engine {engine}, {lines} lines");
        let report = hostile::run(engine, lines, seed);
        println!("{report}");
        return report.wrongs.is_empty();
    }
    println!("engine {engine}, {calls} calls");
    let mark = MARK.min(calls / 2);
    let report = soak::run(Settings { engine, calls, mark, seed, at_once, room_bytes: ROOM_BYTES }, |state| {
        eprintln!("{state}");
    });
    println!("{report}");
    report.wrongs.is_empty()
}
