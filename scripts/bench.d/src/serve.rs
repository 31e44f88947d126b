//! `scripts/bench serve`: a call of a function by `secure-bun serve`, against a Bun that is started for it.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::args::Args;
use crate::contender::{Contender, argv};
use crate::host::{full_sandbox, host};
use crate::measure;
use crate::report;

/// The function, and the same as a program of its own.
const FUNCTION: &str = "export default (a: number, b: number): number => a + b;\n";
const PROGRAM: &str = "const add = (a: number, b: number): number => a + b;\nconsole.log(add(1, 2));\n";
const PACKAGES: &str = "import { z } from \"zod\";
import { parse } from \"acorn\";
import dayjs from \"dayjs\";
export default (a: number, b: number): number =>
  z.number().parse(a) + parse(\"1\", { ecmaVersion: 2024 }).body.length + dayjs(b).valueOf() - 1;
";
const PLAIN: &str = "console.log(1 + 2);\n";

/// Calls that are under way at a time where they are counted.
const AT_ONCE: usize = 4;

/// Measures and prints.
pub(crate) fn run(asked: &Args) -> Result<(), String> {
    let folder = files().map_err(|error| format!("cannot write the programs to measure: {error}"))?;
    let scratch = folder.path();
    let layers = full_sandbox(asked, scratch, &["program.ts"])?;
    let starts = starts(asked, scratch)?;
    let mut calls = Vec::new();
    for engine in ["fork", "pool", "spawn"] {
        let mut add = |what: &str, kind: Kind, preload: Option<Value>| -> Result<(), String> {
            let served = Served::start(asked, scratch, engine, &kind, preload.as_ref())?;
            calls.push(Calls { name: format!("serve, {engine}, {what}"), served, kind });
            Ok(())
        };
        add("registered", Kind::Registered(FUNCTION.to_owned()), None)?;
        add("new source", Kind::New { count: 0 }, None)?;
        let packages = packages(asked.packages.as_deref().ok_or("--packages is missing")?)?;
        add("three packages", Kind::File(packages.clone()), None)?;
        if engine == "fork" {
            add("loaded before", Kind::Registered(FUNCTION.to_owned()), Some(json!({ "calls": [[1, 2], [1, 2]] })))?;
            add("three packages, loaded before", Kind::File(packages), Some(json!({ "calls": [[1, 2], [1, 2]] })))?;
        }
    }

    let mut times = vec![Vec::with_capacity(asked.rounds); starts.len() + calls.len()];
    for round in 0..asked.warmup + asked.rounds {
        let mut found = Vec::with_capacity(times.len());
        for start in &starts {
            sleep(asked.pause);
            found.push(measure::once(start, scratch)?);
        }
        for call in &mut calls {
            // Until programs are ahead again, as between the calls of a service that is not busy.
            sleep(asked.pause);
            let params = call.kind.params();
            found.push(call.served.call(&params)?);
        }
        if round >= asked.warmup {
            for (times, time) in times.iter_mut().zip(found) {
                times.push(time);
            }
        }
    }

    println!("one call at a time, {} interleaved rounds; {}", asked.rounds, host(asked));
    println!("secure-bun's layers: {layers}\n");
    let names: Vec<&str> =
        starts.iter().map(|start| start.name).chain(calls.iter().map(|call| call.name.as_str())).collect();
    print!("{}", report::table(&names, &times));

    println!("\ncalls per second, {AT_ONCE} at a time, for {} ms", asked.span.as_millis());
    for call in &mut calls {
        let rate = call.served.rate(|| call.kind.params(), asked.span)?;
        println!("{:32} {rate:8.0}", call.name);
    }
    Ok(())
}

fn files() -> std::io::Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("secure-bun-bench-").tempdir()?;
    std::fs::create_dir(folder.path().join("home"))?;
    for (name, text) in [("program.ts", PROGRAM), ("program.js", PLAIN)] {
        std::fs::write(folder.path().join(name), text)?;
    }
    Ok(folder)
}

/// A process for each call: bare Bun, which is the reference, and what else is installed.
fn starts(asked: &Args, scratch: &Path) -> Result<Vec<Contender>, String> {
    let file = |name: &str| scratch.join(name);
    let mut starts = vec![Contender {
        name: "bun run program.ts",
        argv: argv![&asked.bun, "run", file("program.ts")],
        expect_stdout: "3\n",
    }];
    if let Ok(node) = which::which("node") {
        starts.push(Contender { name: "node program.js", argv: argv![node, file("program.js")], expect_stdout: "3\n" });
    }
    if let Ok(deno) = which::which("deno") {
        let argv = argv![deno, "run", "--no-prompt", file("program.ts")];
        starts.push(Contender { name: "deno run program.ts", argv, expect_stdout: "3\n" });
    }
    for start in &starts {
        start.check(scratch)?;
    }
    Ok(starts)
}

/// Calls of one kind.
struct Calls {
    name: String,
    served: Served,
    kind: Kind,
}

/// What is called.
enum Kind {
    /// A function by its name, whose text is registered.
    Registered(String),
    /// The same, in a file.
    File(PathBuf),
    /// A text that nobody has seen before.
    New { count: u64 },
}

impl Kind {
    fn params(&mut self) -> Value {
        match self {
            Self::Registered(_) | Self::File(_) => json!({ "function": "add", "args": [1, 2] }),
            Self::New { count } => {
                *count += 1;
                json!({ "source": format!("{FUNCTION}// {count}\n"), "args": [1, 2] })
            }
        }
    }
}

/// The function that uses three packages, beside those.
fn packages(folder: &Path) -> Result<PathBuf, String> {
    let path = folder.join("bench-serve.ts");
    std::fs::write(&path, PACKAGES).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    Ok(path)
}

/// A `secure-bun serve` that runs.
struct Served {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    next: u64,
}

impl Served {
    fn start(asked: &Args, scratch: &Path, engine: &str, kind: &Kind, preload: Option<&Value>) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("secure-bun serve: {error}");
        let mut command = Command::new(&asked.launcher);
        command.args(["serve", "--policy", "function", "--engine", engine, "--bun"]).arg(&asked.bun);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", scratch.join("home")).current_dir(scratch);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(failed)?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("secure-bun serve has no pipes".to_owned());
        };
        let mut served = Self { child, input, output: BufReader::new(output), next: 0 };
        served.ask("initialize", &json!({ "protocol": 1 }))?;
        let mut function = match kind {
            Kind::Registered(source) => json!({ "name": "add", "source": source }),
            Kind::File(path) => json!({ "name": "add", "file": path }),
            Kind::New { .. } => return Ok(served),
        };
        if let Some(preload) = preload {
            function["preload"] = preload.clone();
        }
        served.ask("function.register", &function)?;
        Ok(served)
    }

    fn send(&mut self, method: &str, params: &Value) -> Result<(), String> {
        self.next += 1;
        let line = json!({ "jsonrpc": "2.0", "id": self.next, "method": method, "params": params });
        writeln!(self.input, "{line}").map_err(|error| format!("secure-bun serve reads nothing: {error}"))
    }

    fn receive(&mut self) -> Result<Value, String> {
        let mut line = String::new();
        self.output.read_line(&mut line).map_err(|error| format!("secure-bun serve says nothing: {error}"))?;
        let mut answer: Value = serde_json::from_str(&line).map_err(|error| format!("{error}: {line}"))?;
        if answer.get("result").is_none() {
            return Err(format!("secure-bun serve refuses: {answer}"));
        }
        Ok(answer["result"].take())
    }

    fn ask(&mut self, method: &str, params: &Value) -> Result<Value, String> {
        self.send(method, params)?;
        self.receive()
    }

    /// How long one call takes.
    fn call(&mut self, params: &Value) -> Result<Duration, String> {
        let start = Instant::now();
        let envelope = self.ask("call", params)?;
        let time = start.elapsed();
        check(&envelope).map(|()| time)
    }

    /// How many calls are answered in a second.
    #[expect(clippy::cast_precision_loss, reason = "there are far fewer than 2^52")]
    fn rate(&mut self, mut params: impl FnMut() -> Value, span: Duration) -> Result<f64, String> {
        for _ in 0..AT_ONCE {
            self.send("call", &params())?;
        }
        let start = Instant::now();
        let mut answered = 0_u64;
        while start.elapsed() < span {
            check(&self.receive()?)?;
            answered += 1;
            self.send("call", &params())?;
        }
        let rate = answered as f64 / start.elapsed().as_secs_f64();
        for _ in 0..AT_ONCE {
            check(&self.receive()?)?;
        }
        Ok(rate)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It is ours, and waited for below.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn check(envelope: &Value) -> Result<(), String> {
    if envelope["result"] == 3 { Ok(()) } else { Err(format!("a call went wrong: {envelope}")) }
}
