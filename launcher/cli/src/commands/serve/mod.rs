//! `secure-bun serve`: carry out calls, asked for on standard input, answered on standard output (docs/protocol.md).

mod conversation;
mod output;

use std::io::Read;
use std::process::ExitCode;
use std::thread;

use policy::Policy;
use secure_bun::Error;
use secure_bun::service::{Service, Settings};
use tokio::sync::mpsc;

use super::run::{policy_in_force, search};
use crate::args::Serve;
use crate::policy_source::Code;
use crate::report;
use conversation::Conversation;
use output::Output;

/// Calls that may wait, if nothing else is said.
const QUEUE: usize = 256;

/// Calls at a time for each processor, if nothing else is said: most wait for something.
const CALLS_PER_PROCESSOR: usize = 4;

/// How many looks at the memory of programs are taken at a time; others wait.
const LOOKS: usize = 1;

/// What is read of standard input at once.
const CHUNK_BYTES: usize = 64 << 10;

/// Carries out what is asked for, until that ends.
pub(crate) fn serve(serve: &Serve) -> ExitCode {
    let policy = match policy_in_force(&serve.run, Code::Folder) {
        Ok(policy) => policy,
        Err(code) => return code,
    };
    match converse(serve, policy) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report::refusal(&error),
    }
}

fn converse(serve: &Serve, policy: Policy) -> Result<(), Error> {
    let (notify, notices) = mpsc::unbounded_channel();
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let service = Service::new(Settings {
        policy,
        search: search(&serve.run),
        launcher: std::env::current_exe().ok(),
        concurrency: serve.concurrency.unwrap_or(processors * CALLS_PER_PROCESSOR),
        queue: serve.queue.unwrap_or(QUEUE),
        engine: serve.engine,
        notices: Some(notify),
    })?;
    let failed = |error: std::io::Error| {
        Error::new(secure_bun::error::Kind::Sandbox, format!("cannot start to listen to standard input: {error}"))
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .max_blocking_threads(LOOKS)
        .build()
        .map_err(failed)?;
    let input = input().map_err(failed)?;
    let (output, writer) = Output::start().map_err(failed)?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, Conversation::with(service, output).go_on(input, notices));
    // Calls that are still under way end here, with those who wait for them.
    drop(local);
    // It ends when it has written what there is; an error of it is a host that has gone.
    let _ = writer.join();
    Ok(())
}

/// Standard input, chunk by chunk, as fast as it is taken.
fn input() -> std::io::Result<mpsc::Receiver<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel(1);
    thread::Builder::new().name("secure-bun-input".to_owned()).spawn(move || {
        let mut stdin = std::io::stdin().lock();
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            match stdin.read(&mut chunk) {
                Ok(0) => return,
                Ok(read) => {
                    if sender.blocking_send(chunk.get(..read).unwrap_or_default().to_vec()).is_err() {
                        return;
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    })?;
    Ok(receiver)
}
