//! `scripts/bench overhead` and `scripts/bench net`: how much work gets done once a program runs, inside and under bare
//! Bun. Each workload measures itself, after it has warmed up, so that the start of the process does not count.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::args::Args;
use crate::contender::{Contender, argv};
use crate::host::{full_sandbox, host};
use crate::report;

/// What the workloads are run by, and the workloads.
const HARNESS: (&str, &str) = ("rates.ts", include_str!("../programs/rates.ts"));
const OVERHEAD: (&str, &str) = ("overhead.ts", include_str!("../programs/overhead.ts"));
const NET: (&str, &str) = ("net.ts", include_str!("../programs/net.ts"));

/// Where the policy stands that they are run under.
const POLICY: &str = "policy.json";

/// A program with workloads, and what it needs.
struct Subject<'a> {
    asked: &'a Args,
    program: &'static str,
    /// Words for every workload.
    words: Vec<String>,
    folder: TempDir,
}

impl Subject<'_> {
    fn scratch(&self) -> &Path {
        self.folder.path()
    }

    /// Bare Bun with it.
    fn bare(&self, words: &[&str]) -> Contender {
        let argv = argv![&self.asked.bun, "run", self.scratch().join(self.program)];
        self.contender("bare Bun", argv, words)
    }

    fn inside(&self, words: &[&str]) -> Contender {
        let (launcher, bun) = (&self.asked.launcher, &self.asked.bun);
        let policy = self.scratch().join(POLICY);
        let argv = argv![launcher, "run", "--bun", bun, "--policy", policy, self.scratch().join(self.program)];
        self.contender("secure-bun", argv, words)
    }

    fn contender(&self, name: &'static str, mut argv: Vec<OsString>, words: &[&str]) -> Contender {
        argv.extend(words.iter().map(Into::into));
        argv.extend(self.words.iter().map(Into::into));
        Contender { name, argv, expect_stdout: "" }
    }
}

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

/// `overhead`: files, and what needs nothing. The home folder is in that of the program, which is no project then.
pub(crate) fn run(asked: &Args) -> Result<(), String> {
    let policy = r#"{ "extends": "script", "read": ["./data", "./rates.ts"], "write": ["./out"] }"#;
    let subject = Subject { asked, program: OVERHEAD.0, words: Vec::new(), folder: files(policy)? };
    says(&subject.bare(&["--make-files"]), subject.scratch())?;
    compare(&subject, |_| None)
}

/// `net`: connections and requests, to a server of the host.
pub(crate) fn run_net(asked: &Args) -> Result<(), String> {
    let folder = files("{}")?;
    let mut server = Server::start(asked, folder.path())?;
    let words: Vec<String> = server.ports.split_whitespace().map(str::to_owned).collect();
    let [http, echo, brokered] = words.as_slice() else { return Err("the server has three ports".to_owned()) };
    // By name: a folder that holds the home folder is nothing to import from.
    let policy = format!(
        r#"{{ "extends": "script", "import": ["./{}", "./{}"],
            "net": ["127.0.0.1:{http}", "127.0.0.1:{echo}"], "fetch": "http://127.0.0.1:{brokered}/*" }}"#,
        NET.0, HARNESS.0
    );
    let written = std::fs::write(folder.path().join(POLICY), policy);
    written.map_err(|error| format!("cannot write the policy: {error}"))?;
    let subject = Subject { asked, program: NET.0, words, folder };
    let compared = compare(&subject, |pairs| {
        let mut added: Vec<f64> =
            pairs.iter().map(|(bare, inside)| (1.0 / inside.clock - 1.0 / bare.clock) * 1e6).collect();
        added.sort_by(f64::total_cmp);
        Some(format!("{:+.0} µs each", report::quantile(&added, 0.5)))
    });
    server.end();
    compared
}

/// Measures and prints, workload after workload.
fn compare(subject: &Subject<'_>, note: impl Fn(&[Pair]) -> Option<String>) -> Result<(), String> {
    let (asked, scratch) = (subject.asked, subject.scratch());
    let bare_list = Contender {
        name: "bare Bun",
        argv: argv![&asked.bun, "run", scratch.join(subject.program), "--list"],
        expect_stdout: "",
    };
    let workloads = says(&bare_list, scratch)?;
    let chosen = workloads.lines().filter(|name| asked.only.as_ref().is_none_or(|only| name.contains(only)));
    let span = asked.span.as_millis().to_string();

    println!("throughput, {} interleaved rounds of {span} ms; {}", asked.rounds, host(asked));
    println!("secure-bun's layers: {}\n", full_sandbox(asked, scratch, &[subject.program, "--list"])?);
    println!("{}", report::OVERHEAD_HEAD);
    let mut measured = 0;
    for name in chosen {
        let words = [name, span.as_str()];
        let (bare, inside) = (subject.bare(&words), subject.inside(&words));
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
        println!("{}  {}", report::overhead_line(name, &pairs), note(&pairs).unwrap_or_default());
        measured += 1;
    }
    if measured == 0 {
        return Err(format!("no such workload; there are:\n{workloads}"));
    }
    Ok(())
}

fn files(policy: &str) -> Result<TempDir, String> {
    let written = || {
        let folder = tempfile::Builder::new().prefix("secure-bun-bench-").tempdir()?;
        std::fs::create_dir(folder.path().join("home"))?;
        for (name, text) in [HARNESS, OVERHEAD, NET, (POLICY, policy), ("package.json", "{}")] {
            std::fs::write(folder.path().join(name), text)?;
        }
        std::io::Result::Ok(folder)
    };
    written().map_err(|error| format!("cannot write the programs to measure: {error}"))
}

/// The server of `net`, which ends with its standard input, and so with the bench.
struct Server {
    process: Child,
    /// Its ports, as it printed them.
    ports: String,
}

impl Server {
    fn start(asked: &Args, scratch: &Path) -> Result<Self, String> {
        let argv = argv![&asked.bun, "run", scratch.join(NET.0), "--serve"];
        let mut command = Contender { name: "the server", argv, expect_stdout: "" }.command(scratch);
        let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut process = started.map_err(|error| format!("the server: {error}"))?;
        let mut ports = String::new();
        let read = process.stdout.take().map(|stdout| BufReader::new(stdout).read_line(&mut ports));
        match read {
            Some(Ok(length)) if length > 0 => Ok(Self { process, ports }),
            _ => Err("the server does not say where it listens".to_owned()),
        }
    }

    fn end(&mut self) {
        drop(self.process.stdin.take());
        // How it ends says nothing about what was measured.
        let _ = self.process.wait();
    }
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
