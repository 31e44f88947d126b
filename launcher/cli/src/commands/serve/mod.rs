//! `secure-bun serve`: carry out calls, asked for on standard input, answered on standard output (docs/protocol.md).

mod conversation;
mod input;
mod output;

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
use input::Input;
use output::Output;

/// Calls that may wait, if nothing else is said.
const QUEUE: usize = 256;

/// Calls at a time for each processor, if nothing else is said: most wait for something.
const CALLS_PER_PROCESSOR: usize = 4;

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
    let (output, writer) = Output::start().map_err(failed)?;
    let (guest, (failure, failed_with)) = (service.clone(), std::sync::mpsc::channel());
    service.host(move || async move {
        match Input::open() {
            Ok(input) => Conversation::with(guest, output).go_on(input, notices).await,
            // Whoever waits for it is there.
            Err(error) => drop(failure.send(failed(error))),
        }
    })?;
    // Calls have ended, here is what they leave.
    drop(service);
    // It ends when it has written what there is; an error of it is a host that has gone.
    let _ = writer.join();
    failed_with.try_recv().map_or(Ok(()), Err)
}
