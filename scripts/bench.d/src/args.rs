//! What the caller asked for.

use std::path::PathBuf;
use std::time::Duration;

/// The arguments of a bench, checked.
#[derive(Debug)]
pub(crate) struct Args {
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
}

const ROUNDS: std::ops::RangeInclusive<usize> = 10..=10_000;

/// Parses `cold --bun PATH --launcher PATH [--rounds N] [--warmup N] [--pause-ms N]`.
pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Args, String> {
    match words.next().as_deref() {
        Some("cold") => {}
        other => return Err(format!("no such bench: {}; there is: cold", other.unwrap_or("(none given)"))),
    }
    let (mut bun, mut launcher, mut rounds, mut warmup, mut pause_ms) = (None, None, 100, 10, 5);
    while let Some(flag) = words.next() {
        let value = words.next().ok_or_else(|| format!("{flag} needs a value"))?;
        match flag.as_str() {
            "--bun" => bun = Some(PathBuf::from(value)),
            "--launcher" => launcher = Some(PathBuf::from(value)),
            "--rounds" => rounds = number(&flag, &value)?,
            "--warmup" => warmup = number(&flag, &value)?,
            "--pause-ms" => pause_ms = number(&flag, &value)?,
            _ => return Err(format!("no such flag: {flag}; there are: --rounds, --warmup, --pause-ms")),
        }
    }
    if !ROUNDS.contains(&rounds) {
        return Err(format!("--rounds is {rounds}, but must be {} to {}", ROUNDS.start(), ROUNDS.end()));
    }
    Ok(Args {
        bun: bun.ok_or("--bun is missing")?,
        launcher: launcher.ok_or("--launcher is missing")?,
        rounds,
        warmup,
        pause: Duration::from_millis(pause_ms),
    })
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
    fn unknown_words_are_refused() {
        assert_eq!(parse_words("warm").unwrap_err(), "no such bench: warm; there is: cold");
        assert!(parse_words("cold --loops 3").unwrap_err().starts_with("no such flag: --loops"));
        assert_eq!(parse_words("cold --rounds ten").unwrap_err(), "--rounds takes a whole number, not \"ten\"");
    }
}
