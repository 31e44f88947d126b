//! The threads that start programs and look after them.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::json;
use tokio::sync::{mpsc, oneshot};
use wire::envelope::Envelope;
use wire::rpc::{Code, Fault};

use super::Engine;
use super::calls::Calls;
use super::functions::Function;
use super::pool::{self, Pool};
use super::programs::{Programs, State};
use crate::error::{Error, Kind};
use crate::explain;
use crate::launch::Launch;
use crate::redaction::Redaction;
use crate::run::{self, Job};

/// Starting a program keeps a thread busy for a millisecond, in which it looks after no other: as many threads as there
/// are processors share that, but no more than this.
const MOST_THREADS: usize = 8;

/// What a thread is told.
enum Order {
    Call(Box<Task>),
    /// A function was registered: it may be called soon.
    Expect(Arc<Function>),
    /// It is no more.
    Forget(Arc<Function>),
}

/// A call on its way to a thread, and where its outcome is waited for.
struct Task {
    wanted: Wanted,
    reply: oneshot::Sender<Result<Envelope, Fault>>,
}

/// What is to be run.
pub(super) struct Wanted {
    pub(super) job: Job,
    /// The function of which a program that was started ahead may be called instead.
    pub(super) ahead: Option<Arc<Function>>,
}

/// The threads. They end when this is dropped.
pub(super) struct Workers {
    threads: Vec<mpsc::UnboundedSender<Order>>,
    next: AtomicUsize,
    /// The programs of all threads.
    programs: Arc<Programs>,
}

impl Workers {
    /// Starts the threads that so many calls at a time need.
    pub(super) fn start(concurrency: usize, calls: &Arc<Calls>, engine: Engine) -> Result<Self, Error> {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let programs = Arc::new(Programs::default());
        let threads = (0..processors.min(concurrency).clamp(1, MOST_THREADS))
            .map(|_| worker(Arc::clone(calls), Arc::clone(&programs), engine))
            .collect::<Result<_, _>>()
            .map_err(|error| Error::system("start a thread", &error))?;
        Ok(Self { threads, next: AtomicUsize::new(0), programs })
    }

    /// The programs of all threads.
    pub(super) fn programs(&self) -> &Programs {
        &self.programs
    }

    /// Carries out a call. If nobody waits for that any more, it ends sooner.
    pub(super) async fn run(&self, wanted: Wanted) -> Result<Envelope, Fault> {
        let (reply, outcome) = oneshot::channel();
        let next = self.next.fetch_add(1, Ordering::Relaxed) % self.threads.len();
        let order = Order::Call(Box::new(Task { wanted, reply }));
        let sent = self.threads.get(next).is_some_and(|thread| thread.send(order).is_ok());
        let lost = || Fault::new(Code::Internal, "a thread of secure-bun is gone");
        if sent { outcome.await.unwrap_or_else(|_| Err(lost())) } else { Err(lost()) }
    }

    pub(super) fn expect(&self, function: &Arc<Function>) {
        for thread in &self.threads {
            // One that is gone has nothing ahead either.
            let _ = thread.send(Order::Expect(Arc::clone(function)));
        }
    }

    pub(super) fn forget(&self, function: &Arc<Function>) {
        for thread in &self.threads {
            let _ = thread.send(Order::Forget(Arc::clone(function)));
        }
    }
}

fn worker(calls: Arc<Calls>, programs: Arc<Programs>, engine: Engine) -> std::io::Result<mpsc::UnboundedSender<Order>> {
    let (sender, mut orders) = mpsc::unbounded_channel::<Order>();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    thread::Builder::new().name("secure-bun-calls".to_owned()).spawn(move || {
        let pool = (engine == Engine::Pool).then(|| Pool::new(Arc::clone(&programs)));
        let worker = Rc::new(Worker { calls, programs, pool });
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime, async move {
            while let Some(order) = orders.recv().await {
                match order {
                    Order::Call(task) => drop(tokio::task::spawn_local(Rc::clone(&worker).carry_out(*task))),
                    Order::Expect(function) => worker.refill(&function),
                    Order::Forget(function) => worker.forget(&function),
                }
            }
        });
        runtime.shutdown_background();
    })?;
    Ok(sender)
}

/// What a thread works with.
struct Worker {
    calls: Arc<Calls>,
    programs: Arc<Programs>,
    /// Where programs are started ahead.
    pool: Option<Pool>,
}

impl Worker {
    async fn carry_out(self: Rc<Self>, task: Task) {
        let Task { wanted: Wanted { job, ahead }, mut reply } = task;
        let started = ahead.as_ref().and_then(|function| self.pool.as_ref()?.take(function));
        let outcome = match (started, &ahead) {
            (Some((started, _listed)), Some(function)) => pool::call(started, function, &job, reply.closed()).await,
            _ => match run::prepare(&job, || Ok(None)).and_then(Launch::start) {
                Ok(started) => {
                    let _listed = self.programs.list(started.pid(), Engine::Spawn, State::Busy);
                    started.through(reply.closed()).await
                }
                Err(error) => Err(error),
            },
        };
        let trace = job.context.as_ref().and_then(|context| context.traceparent.as_ref());
        let not_started = |error| not_started(Redaction::of_given(&job.secrets).not_run(error));
        let envelope = outcome.map_err(not_started).map(|outcome| {
            let verdict = explain::verdict(&outcome, true);
            explain::envelope(outcome, &verdict).traced(trace)
        });
        // Who has gone does not want it.
        let _ = reply.send(envelope);
        if let Some(function) = ahead {
            // The answer goes first.
            tokio::task::yield_now().await;
            self.refill(&function);
        }
    }

    fn refill(&self, function: &Arc<Function>) {
        if let Some(pool) = &self.pool
            && function.is_registered()
        {
            pool.refill(function, &self.calls.job_ahead(function));
        }
    }

    fn forget(&self, function: &Arc<Function>) {
        if let Some(pool) = &self.pool {
            pool.forget(function);
        }
    }
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
