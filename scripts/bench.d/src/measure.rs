//! Timing processes from spawn to exit, all contenders in turn.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::args::Args;
use crate::contender::Contender;

/// The times of each contender, in the contenders' order and the rounds' order.
pub(crate) fn interleaved(contenders: &[Contender], args: &Args, scratch: &Path) -> Result<Vec<Vec<Duration>>, String> {
    let mut commands: Vec<Command> = contenders.iter().map(|contender| silent(contender, scratch)).collect();
    let mut times = vec![Vec::with_capacity(args.rounds); contenders.len()];
    for round in 0..args.warmup + args.rounds {
        for turn in 0..contenders.len() {
            // Whoever goes first in a round differs, so that no contender always follows the same one.
            let index = (round + turn) % contenders.len();
            sleep(args.pause);
            let time = spawn_to_exit(&mut commands[index])
                .map_err(|problem| format!("{} in round {round}: {problem}", contenders[index].name))?;
            if round >= args.warmup {
                times[index].push(time);
            }
        }
    }
    Ok(times)
}

/// The time of one run.
pub(crate) fn once(contender: &Contender, scratch: &Path) -> Result<Duration, String> {
    spawn_to_exit(&mut silent(contender, scratch)).map_err(|problem| format!("{}: {problem}", contender.name))
}

fn silent(contender: &Contender, scratch: &Path) -> Command {
    let mut command = contender.command(scratch);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn spawn_to_exit(command: &mut Command) -> Result<Duration, String> {
    let start = Instant::now();
    let status = command.spawn().and_then(|mut child| child.wait());
    let time = start.elapsed();
    match status {
        Ok(status) if status.success() => Ok(time),
        Ok(status) => Err(status.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Bench;
    use crate::contender::argv;

    fn args() -> Args {
        Args {
            bench: Bench::Cold,
            bun: "".into(),
            launcher: "".into(),
            rounds: 10,
            warmup: 2,
            pause: Duration::ZERO,
            span: Duration::ZERO,
            packages: None,
            only: None,
        }
    }

    fn shell(name: &'static str, script: &str) -> Contender {
        Contender { name, argv: argv!["/bin/sh", "-c", script], expect_stdout: "" }
    }

    #[test]
    fn every_round_counts_once_and_warm_up_does_not() {
        let contenders = [shell("quick", ":"), shell("slow", "sleep 0.02")];
        let times = interleaved(&contenders, &args(), Path::new("/")).unwrap();
        assert_eq!(times.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10]);
        assert!(times[1].iter().all(|time| *time >= Duration::from_millis(20)));
    }

    #[test]
    fn a_run_that_fails_ends_the_bench() {
        let message = interleaved(&[shell("broken", "exit 3")], &args(), Path::new("/")).unwrap_err();
        assert_eq!(message, "broken in round 0: exit status: 3");
    }
}
