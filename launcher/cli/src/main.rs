//! `secure-bun`: real Bun, running code nobody trusts. What the user typed ([`args`]) becomes one of the stories in
//! [`commands`]; what it means for people is in [`report`], for programs in `wire`.
#![forbid(unsafe_code)]

#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: confine::Allocator = confine::Allocator;

mod args;
mod commands;
mod policy_source;
mod report;

use std::process::ExitCode;

use args::Command;

fn main() -> ExitCode {
    if commands::narrow::is_asked_for() {
        return commands::narrow::narrow();
    }
    let command = match args::parse(std::env::args_os()) {
        Ok(command) => command,
        Err(stop) => return report::stop(&stop),
    };
    match command {
        Command::Run(run) => commands::run::run(*run),
        Command::Spawn(run) => commands::spawn::spawn(&run),
        Command::Serve(serve) => commands::serve::serve(&serve),
        Command::Policy(policy) => commands::policy::policy(&policy),
        Command::Doctor(doctor) => commands::doctor::doctor(&doctor),
    }
}
