//! The threads that start programs and look after them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::json;
use tokio::sync::{mpsc, oneshot};
use wire::envelope::Envelope;
use wire::rpc::{Code, Fault};

use crate::error::{Error, Kind};
use crate::explain;
use crate::run::{self, Job};

/// Starting a program keeps a thread busy for a millisecond, in which it looks after no other: as many threads as there
/// are processors share that, but no more than this.
const MOST_THREADS: usize = 8;

/// A job on its way to a thread, and where its outcome is waited for.
struct Task {
    job: Job,
    reply: oneshot::Sender<Result<Envelope, Fault>>,
}

/// The threads. They end when this is dropped.
pub(super) struct Workers {
    threads: Vec<mpsc::UnboundedSender<Task>>,
    next: AtomicUsize,
}

impl Workers {
    pub(super) fn start(concurrency: usize) -> Result<Self, Error> {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let threads = (0..processors.min(concurrency).clamp(1, MOST_THREADS)).map(|_| worker());
        let threads = threads.collect::<Result<_, _>>().map_err(|error| Error::system("start a thread", &error))?;
        Ok(Self { threads, next: AtomicUsize::new(0) })
    }

    /// Runs a job to its end. If nobody waits for that any more, it ends sooner.
    pub(super) async fn run(&self, job: Job) -> Result<Envelope, Fault> {
        let (reply, outcome) = oneshot::channel();
        let next = self.next.fetch_add(1, Ordering::Relaxed) % self.threads.len();
        let task = Task { job, reply };
        let sent = self.threads.get(next).is_some_and(|thread| thread.send(task).is_ok());
        let lost = || Fault::new(Code::Internal, "a thread of secure-bun is gone");
        if sent { outcome.await.unwrap_or_else(|_| Err(lost())) } else { Err(lost()) }
    }
}

fn worker() -> std::io::Result<mpsc::UnboundedSender<Task>> {
    let (sender, mut tasks) = mpsc::unbounded_channel::<Task>();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    thread::Builder::new().name("secure-bun-calls".to_owned()).spawn(move || {
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime, async move {
            while let Some(task) = tasks.recv().await {
                tokio::task::spawn_local(carry_out(task));
            }
        });
        runtime.shutdown_background();
    })?;
    Ok(sender)
}

async fn carry_out(task: Task) {
    let Task { job, mut reply } = task;
    let outcome = match run::prepare(&job, || Ok(None)) {
        Ok(launch) => launch.through_among_others(reply.closed()).await,
        Err(error) => Err(error),
    };
    let envelope = outcome.map_err(not_started).map(|outcome| {
        let verdict = explain::verdict(&outcome, true);
        explain::envelope(outcome, &verdict)
    });
    // Who has gone does not want it.
    let _ = reply.send(envelope);
}

fn not_started(error: Error) -> Fault {
    let kind = match error.kind {
        Kind::Usage => "usage",
        Kind::Sandbox => "sandbox",
        Kind::NotRunnable => "not_runnable",
        Kind::NotFound => "not_found",
    };
    let message = match error.help {
        Some(help) => format!("{} ({help})", error.message),
        None => error.message,
    };
    Fault::new(Code::NotStarted, message).with(json!({ "kind": kind }))
}
