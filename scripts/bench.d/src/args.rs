//! What the caller asked for.

use std::path::PathBuf;
use std::time::Duration;

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bench {
    /// From start to exit.
    Cold,
    /// Work done by a program that runs.
    Overhead,
    /// The same over the network.
    Net,
    /// Calls of functions.
    Serve,
    /// Bytes to a program and back.
    Bytes,
}

/// The arguments of a bench, checked.
#[derive(Debug)]
pub(crate) struct Args {
    pub(crate) bench: Bench,
    /// The Bun that every contender runs.
    pub(crate) bun: PathBuf,
    /// The release build of `secure-bun`.
    pub(crate) launcher: PathBuf,
    /// How many times each contender is measured.
    pub(crate) rounds: usize,
    /// How many rounds come before these and are not counted.
    pub(crate) warmup: usize,
    /// The rest between two runs: the kernel tears namespaces down after a run's end, at the next run's expense.
    pub(crate) pause: Duration,
    /// How long a workload is done each time.
    pub(crate) span: Duration,
    /// Where npm packages are installed, for calls that use some.
    pub(crate) packages: Option<PathBuf>,
    /// Part of the names of the workloads that shall be done.
    pub(crate) only: Option<String>,
}

const ROUNDS: std::ops::RangeInclusive<usize> = 10..=10_000;
const SPAN_MS: std::ops::RangeInclusive<u64> = 10..=10_000;

/// Parses `cold --bun PATH --launcher PATH [--rounds N] [--warmup N] [--pause-ms N]`, and `overhead` or
/// `net` with `[--rounds N] [--warmup N] [--span-ms N] [--only NAME]`, `serve` with all of these but `--only`, `bytes`
/// with `[--rounds N] [--warmup N]`.
pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Args, String> {
    let (bench, rounds, warmup) = match words.next().as_deref() {
        Some("cold") => (Bench::Cold, 100, 10),
        Some("overhead") => (Bench::Overhead, 10, 1),
        Some("net") => (Bench::Net, 10, 1),
        Some("serve") => (Bench::Serve, 100, 10),
        Some("bytes") => (Bench::Bytes, 20, 1),
        other => {
            let other = other.unwrap_or("(none given)");
            return Err(format!("no such bench: {other}; there are: cold, overhead, net, serve, bytes"));
        }
    };
    let (mut bun, mut launcher, mut packages, mut only) = (None, None, None, None);
    let (mut rounds, mut warmup) = (rounds, warmup);
    let (mut pause_ms, mut span_ms) = if bench == Bench::Serve { (20, 3000) } else { (5, 600) };
    while let Some(flag) = words.next() {
        let value = words.next().ok_or_else(|| format!("{flag} needs a value"))?;
        match (flag.as_str(), bench) {
            ("--bun", _) => bun = Some(PathBuf::from(value)),
            ("--launcher", _) => launcher = Some(PathBuf::from(value)),
            ("--packages", Bench::Serve) => packages = Some(PathBuf::from(value)),
            ("--rounds", _) => rounds = number(&flag, &value)?,
            ("--warmup", _) => warmup = number(&flag, &value)?,
            ("--pause-ms", Bench::Cold | Bench::Serve) => pause_ms = number(&flag, &value)?,
            ("--span-ms", Bench::Overhead | Bench::Net | Bench::Serve) => span_ms = number(&flag, &value)?,
            ("--only", Bench::Overhead | Bench::Net) => only = Some(value),
            (_, Bench::Cold) => return Err(format!("no such flag: {flag}; there are: --rounds, --warmup, --pause-ms")),
            (_, Bench::Bytes) => return Err(format!("no such flag: {flag}; there are: --rounds, --warmup")),
            (_, Bench::Serve) => {
                return Err(format!("no such flag: {flag}; there are: --rounds, --warmup, --pause-ms, --span-ms"));
            }
            (_, Bench::Overhead | Bench::Net) => {
                return Err(format!("no such flag: {flag}; there are: --rounds, --warmup, --span-ms, --only"));
            }
        }
    }
    within("--rounds", &rounds, &ROUNDS)?;
    within("--span-ms", &span_ms, &SPAN_MS)?;
    Ok(Args {
        bench,
        bun: bun.ok_or("--bun is missing")?,
        launcher: launcher.ok_or("--launcher is missing")?,
        rounds,
        warmup,
        pause: Duration::from_millis(pause_ms),
        span: Duration::from_millis(span_ms),
        packages,
        only,
    })
}

fn within<N: PartialOrd + std::fmt::Display>(
    flag: &str,
    value: &N,
    range: &std::ops::RangeInclusive<N>,
) -> Result<(), String> {
    if range.contains(value) {
        return Ok(());
    }
    Err(format!("{flag} is {value}, but must be {} to {}", range.start(), range.end()))
}

fn number<N: std::str::FromStr>(flag: &str, value: &str) -> Result<N, String> {
    value.parse().map_err(|_| format!("{flag} takes a whole number, not {value:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(words: &str) -> Result<Args, String> {
        parse(words.split_whitespace().map(String::from))
    }

    #[test]
    fn rounds_default_and_can_be_set() {
        assert_eq!(parse_words("cold --bun b --launcher l").unwrap().rounds, 100);
        assert_eq!(parse_words("cold --bun b --launcher l --rounds 20").unwrap().rounds, 20);
    }

    #[test]
    fn too_few_rounds_for_a_tenth_percentile_are_refused() {
        let message = parse_words("cold --bun b --launcher l --rounds 3").unwrap_err();
        assert_eq!(message, "--rounds is 3, but must be 10 to 10000");
    }

    #[test]
    fn overhead_has_flags_of_its_own() {
        let asked = parse_words("overhead --bun b --launcher l --span-ms 50 --only GC").unwrap();
        assert_eq!((asked.bench, asked.rounds, asked.only.as_deref()), (Bench::Overhead, 10, Some("GC")));
        let message = parse_words("overhead --bun b --launcher l --span-ms 1").unwrap_err();
        assert_eq!(message, "--span-ms is 1, but must be 10 to 10000");
    }

    #[test]
    fn unknown_words_are_refused() {
        assert_eq!(
            parse_words("warm").unwrap_err(),
            "no such bench: warm; there are: cold, overhead, net, serve, bytes"
        );
        assert!(parse_words("cold --span-ms 3").unwrap_err().starts_with("no such flag: --span-ms"));
        assert!(parse_words("cold --loops 3").unwrap_err().starts_with("no such flag: --loops"));
        assert_eq!(parse_words("cold --rounds ten").unwrap_err(), "--rounds takes a whole number, not \"ten\"");
    }
}
