//! `scripts/bench BENCH …` ends up here, with the paths of Bun and of the release launcher filled in.
#![forbid(unsafe_code)]

mod args;
mod bytes;
mod cold;
mod contender;
mod host;
mod measure;
mod overhead;
mod report;
mod serve;

use std::process::ExitCode;

use args::Bench;

fn main() -> ExitCode {
    let outcome = args::parse(std::env::args().skip(1)).and_then(|args| match args.bench {
        Bench::Cold => cold::run(&args),
        Bench::Overhead => overhead::run(&args),
        Bench::Net => overhead::run_net(&args),
        Bench::Serve => serve::run(&args),
        Bench::Bytes => bytes::run(&args),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("bench: {message}");
            ExitCode::FAILURE
        }
    }
}
