//! `scripts/bench cold`: a program that does next to nothing, from spawn to exit, each time in a new process.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::args::Args;
use crate::contender::{Contender, argv};
use crate::host::{full_sandbox, host};
use crate::{measure, report};

/// The programs, each as small as the thing it stands for can be.
const FILES: [(&str, &str); 3] = [
    ("hello.ts", "console.log(\"hello\");\n"),
    ("hello.js", "console.log(\"hello\");\n"),
    ("function.ts", "export default () => 1;\n"),
];

/// Measures and prints.
pub(crate) fn run(asked: &Args) -> Result<(), String> {
    let folder = files().map_err(|error| format!("cannot write the programs to measure: {error}"))?;
    let scratch = folder.path();
    let (rivals, missing) = rivals(asked, scratch);
    let mut contenders = ours(asked, scratch);
    for contender in &contenders {
        contender.check(scratch)?;
    }
    let layers = full_sandbox(asked, scratch, &["hello.ts"])?;
    let mut left_out = missing;
    for rival in rivals {
        match rival.check(scratch) {
            Ok(()) => contenders.push(rival),
            Err(why) => left_out.push(why),
        }
    }

    let times = measure::interleaved(&contenders, asked, scratch)?;

    println!("cold start, spawn to exit, {} interleaved rounds; {}", asked.rounds, host(asked));
    println!("secure-bun's layers: {layers}\n");
    let names: Vec<&str> = contenders.iter().map(|contender| contender.name).collect();
    print!("{}", report::table(&names, &times));
    for why in left_out {
        println!("left out: {why}");
    }
    Ok(())
}

fn files() -> std::io::Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("secure-bun-bench-").tempdir()?;
    std::fs::create_dir(folder.path().join("home"))?;
    for (name, text) in FILES {
        std::fs::write(folder.path().join(name), text)?;
    }
    Ok(folder)
}

/// Bare Bun, which is the reference, and secure-bun.
fn ours(asked: &Args, scratch: &Path) -> Vec<Contender> {
    let secure_bun = |preset: &str, file: &str| {
        argv![&asked.launcher, "run", "--bun", &asked.bun, "--policy", preset, scratch.join(file)]
    };
    vec![
        Contender {
            name: "bun run hello.ts",
            argv: argv![&asked.bun, "run", scratch.join("hello.ts")],
            expect_stdout: "hello\n",
        },
        Contender {
            name: "secure-bun, preset script, hello.ts",
            argv: secure_bun("script", "hello.ts"),
            expect_stdout: "hello\n",
        },
        Contender {
            name: "secure-bun, preset script and a network, hello.ts",
            argv: argv![
                &asked.launcher,
                "run",
                "--bun",
                &asked.bun,
                "--policy",
                "script",
                "--allow-net=example.com:443",
                scratch.join("hello.ts")
            ],
            expect_stdout: "hello\n",
        },
        Contender {
            name: "secure-bun, preset function, function.ts",
            argv: secure_bun("function", "function.ts"),
            expect_stdout: "1\n",
        },
    ]
}

/// Other ways to confine the same program, as far as they are installed, and a note for each that is not.
fn rivals(asked: &Args, scratch: &Path) -> (Vec<Contender>, Vec<String>) {
    let mut missing = Vec::new();
    let mut find = |name: &str| -> Option<PathBuf> {
        which::which(name).inspect_err(|_| missing.push(format!("{name} is not installed"))).ok()
    };
    let mut rivals = Vec::new();
    if let Some(bwrap) = find("bwrap") {
        let root = ["--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"];
        let mut argv = argv![bwrap];
        argv.extend(root.map(Into::into));
        argv.extend(argv![&asked.bun, "run", scratch.join("hello.ts")]);
        rivals.push(Contender { name: "bwrap --unshare-all bun run hello.ts", argv, expect_stdout: "hello\n" });
    }
    if let Some(deno) = find("deno") {
        let argv = argv![deno, "run", "--no-prompt", scratch.join("hello.ts")];
        rivals.push(Contender { name: "deno run hello.ts", argv, expect_stdout: "hello\n" });
    }
    if let Some(node) = find("node") {
        let argv = argv![node, scratch.join("hello.js")];
        rivals.push(Contender { name: "node hello.js", argv, expect_stdout: "hello\n" });
    }
    (rivals, missing)
}
