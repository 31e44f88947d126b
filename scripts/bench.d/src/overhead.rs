//! `scripts/bench overhead`: how much work gets done once a program runs, inside and under bare Bun. Each workload
//! measures itself, after it has warmed up, so that the start of the process does not count.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::args::Args;
use crate::contender::{Contender, argv};
use crate::host::{full_sandbox, host};
use crate::report;

/// The workloads, and how to run one of them.
const PROGRAM: (&str, &str) = ("overhead.ts", include_str!("../programs/overhead.ts"));
/// What they need: files to read, and a folder to write to.
const POLICY: (&str, &str) = ("overhead.json", r#"{ "extends": "script", "read": ["./data"], "write": ["./out"] }"#);

/// How often a workload was done per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rate {
    /// On the clock.
    pub(crate) clock: f64,
    /// Of CPU time.
    pub(crate) cpu: f64,
}

/// One round: bare Bun, and inside.
pub(crate) type Pair = (Rate, Rate);

/// Measures and prints, workload after workload.
pub(crate) fn run(asked: &Args) -> Result<(), String> {
    let folder = files().map_err(|error| format!("cannot write the programs to measure: {error}"))?;
    let scratch = folder.path();
    says(&bare(asked, scratch, &["--make-files"]), scratch)?;
    let workloads = says(&bare(asked, scratch, &["--list"]), scratch)?;
    let chosen = workloads.lines().filter(|name| asked.only.as_ref().is_none_or(|only| name.contains(only)));
    let span = asked.span.as_millis().to_string();

    println!("throughput, {} interleaved rounds of {span} ms; {}", asked.rounds, host(asked));
    println!("secure-bun's layers: {}\n", full_sandbox(asked, scratch, &[PROGRAM.0, "--list"])?);
    println!("{}", report::OVERHEAD_HEAD);
    let mut measured = 0;
    for name in chosen {
        let words = [name, span.as_str()];
        let (bare, inside) = (bare(asked, scratch, &words), inside(asked, scratch, &words));
        let mut pairs: Vec<Pair> = Vec::with_capacity(asked.rounds);
        for round in 0..asked.warmup + asked.rounds {
            // In turn one of them is the first.
            let pair = if round % 2 == 0 {
                let first = rate(&bare, scratch)?;
                (first, rate(&inside, scratch)?)
            } else {
                let first = rate(&inside, scratch)?;
                (rate(&bare, scratch)?, first)
            };
            if round >= asked.warmup {
                pairs.push(pair);
            }
        }
        println!("{}", report::overhead_line(name, &pairs));
        measured += 1;
    }
    if measured == 0 {
        return Err(format!("no such workload; there are:\n{workloads}"));
    }
    Ok(())
}

fn files() -> std::io::Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("secure-bun-bench-").tempdir()?;
    std::fs::create_dir(folder.path().join("home"))?;
    for (name, text) in [PROGRAM, POLICY, ("package.json", "{}")] {
        std::fs::write(folder.path().join(name), text)?;
    }
    Ok(folder)
}

fn bare(asked: &Args, scratch: &Path, words: &[&str]) -> Contender {
    let mut argv = argv![&asked.bun, "run", scratch.join(PROGRAM.0)];
    argv.extend(words.iter().map(Into::into));
    Contender { name: "bare Bun", argv, expect_stdout: "" }
}

fn inside(asked: &Args, scratch: &Path, words: &[&str]) -> Contender {
    let mut argv = argv![&asked.launcher, "run", "--bun", &asked.bun, "--policy", scratch.join(POLICY.0)];
    argv.extend(argv![scratch.join(PROGRAM.0)]);
    argv.extend(words.iter().map(Into::into));
    Contender { name: "secure-bun", argv, expect_stdout: "" }
}

/// What a run prints, if it succeeds.
fn says(contender: &Contender, scratch: &Path) -> Result<String, String> {
    let output = contender.command(scratch).output().map_err(|error| format!("{}: {error}", contender.name))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let problem = String::from_utf8_lossy(&output.stderr);
    Err(format!("{} does not do its task: {}\n{}", contender.name, output.status, problem.trim_end()))
}

fn rate(contender: &Contender, scratch: &Path) -> Result<Rate, String> {
    parse_rate(&says(contender, scratch)?).ok_or_else(|| format!("{} printed no rate", contender.name))
}

fn parse_rate(line: &str) -> Option<Rate> {
    let said: Value = serde_json::from_str(line).ok()?;
    let rate = |name: &str| said[name].as_f64().filter(|rate| *rate > 0.0);
    Some(Rate { clock: rate("clock")?, cpu: rate("cpu")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rates_above_zero_count() {
        assert_eq!(parse_rate("{\"clock\":2.5,\"cpu\":3}\n"), Some(Rate { clock: 2.5, cpu: 3.0 }));
        assert_eq!(parse_rate("{\"clock\":0,\"cpu\":3}"), None);
        assert_eq!(parse_rate("12"), None);
    }
}
