//! The threads that start programs and look after them.

use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::json;
use tokio::sync::{mpsc, oneshot};
use wire::envelope::Envelope;
use wire::rpc::{Code, Fault, Notification};

use super::calls::Calls;
use super::forks;
use super::functions::{Function, Way};
use super::pool::{self, Pool};
use super::programs::{Programs, State};
use super::{Engine, PAUSE_AFTER_CALL};
use crate::error::{Error, Kind};
use crate::explain;
use crate::launch::{Launch, Started};
use crate::outcome::Outcome;
use crate::redaction::Redaction;
use crate::run::{self, Input, Job};

/// How long the threads have to put away what they made.
const LAST_MOMENTS: Duration = Duration::from_secs(5);

/// Starting a program keeps a thread busy for a millisecond, in which it looks after no other: as many threads as there
/// are processors share that, but no more than this.
const MOST_THREADS: usize = 8;

/// What a thread has to do for a forked call is a tenth of what the call itself takes of a processor.
const PROCESSORS_PER_FORKS: usize = 8;

/// What a thread is told.
pub(super) enum Order {
    Call(Box<Task>),
    /// A function was registered: it may be called soon.
    Expect(Arc<Function>),
    /// It is no more.
    Forget(Arc<Function>),
}

/// A call on its way to a thread, and where its outcome is waited for.
pub(super) struct Task {
    wanted: Wanted,
    reply: oneshot::Sender<Answered>,
}

/// What is to be run.
pub(super) struct Wanted {
    pub(super) job: Job,
    /// The function whose policy is in force, so that what was started ahead for it may be called instead.
    pub(super) function: Option<Arc<Function>>,
    /// A secret is given, which a program that was started ahead has no way to get.
    pub(super) has_secrets: bool,
}

impl Wanted {
    /// The function of which a program may have been started ahead.
    fn pooled(&self) -> Option<&Arc<Function>> {
        self.function.as_ref().filter(|function| !self.has_secrets && !function.is_text())
    }
}

/// What a call is answered with.
pub(super) type Answered = Result<Envelope, Fault>;

/// The threads. They end when this is dropped.
pub(super) struct Workers {
    threads: Vec<mpsc::UnboundedSender<Order>>,
    next: AtomicUsize,
    /// Those that have servers, where calls may be forked.
    forks: Vec<mpsc::UnboundedSender<forks::Order>>,
    /// The programs of all threads.
    programs: Arc<Programs>,
    /// Each thread has an end of it.
    here: Mutex<std::sync::mpsc::Receiver<()>>,
}

impl Drop for Workers {
    /// Waits until the threads have put away what they made: a process that ends leaves that where it is.
    fn drop(&mut self) {
        self.forks.clear();
        self.threads.clear();
        // Nothing is ever sent: it ends with the last thread.
        let _ = self.here.get_mut().unwrap_or_else(PoisonError::into_inner).recv_timeout(LAST_MOMENTS);
    }
}

impl Workers {
    /// Starts the threads that so many calls at a time need.
    pub(super) fn start(
        concurrency: usize,
        calls: &Arc<Calls>,
        engine: Engine,
        notices: Option<&mpsc::UnboundedSender<Notification>>,
    ) -> Result<Self, Error> {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let count = processors.min(concurrency).clamp(1, MOST_THREADS);
        let programs = Arc::new(Programs::default());
        let (at, here) = std::sync::mpsc::channel();
        let failed = |error: std::io::Error| Error::system("start a thread", &error);
        let threads: Vec<_> = (0..count)
            .map(|_| worker(Arc::clone(calls), Arc::clone(&programs), engine, at.clone()))
            .collect::<Result<_, _>>()
            .map_err(failed)?;
        let common = || forks::Common {
            calls: Arc::clone(calls),
            programs: Arc::clone(&programs),
            concurrency,
            pools: threads.clone(),
            notices: notices.cloned(),
        };
        let forks = if engine.may_fork() { processors.div_ceil(PROCESSORS_PER_FORKS).min(MOST_THREADS) } else { 0 };
        let forks = (0..forks).map(|_| forks::start(common(), at.clone())).collect::<Result<_, _>>().map_err(failed)?;
        Ok(Self { threads, next: AtomicUsize::new(0), forks, programs, here: Mutex::new(here) })
    }

    /// Whether calls can be forked here: a server of `function` is started and proves itself.
    pub(super) fn prove(&self, function: &Arc<Function>) -> Result<(), Error> {
        let lost = || Error::new(Kind::Sandbox, "a thread of secure-bun is gone");
        let (proved, proof) = std::sync::mpsc::channel();
        let thread = self.thread_of(function).ok_or_else(lost)?;
        thread.send(forks::Order::Prove(Arc::clone(function), proved)).map_err(|_| lost())?;
        proof.recv().unwrap_or_else(|_| Err(lost()))
    }

    /// Carries out `guest` on a thread that forks, to its end. It comes back where there is none.
    pub(super) fn host(&self, guest: forks::Guest) -> Result<(), forks::Guest> {
        let Some(thread) = self.forks.first() else { return Err(guest) };
        let (here, ended) = std::sync::mpsc::channel::<()>();
        let hosted: forks::Guest = Box::new(move || {
            let guest = guest();
            Box::pin(async move {
                let _here = here;
                guest.await;
            })
        });
        if let Err(mpsc::error::SendError(forks::Order::Host(guest))) = thread.send(forks::Order::Host(hosted)) {
            return Err(guest);
        }
        // Nothing is ever sent: it ends with the guest.
        let _ = ended.recv();
        Ok(())
    }

    /// From here on nothing is forked.
    pub(super) fn stop_forking(&mut self) {
        self.forks.clear();
    }

    /// The thread that has the server of a function.
    fn thread_of(&self, function: &Function) -> Option<&mpsc::UnboundedSender<forks::Order>> {
        self.forks.get(function.number % self.forks.len().max(1))
    }

    /// The programs of all threads.
    pub(super) fn programs(&self) -> &Programs {
        &self.programs
    }

    /// Carries out a call. If nobody waits for that any more, it ends sooner.
    pub(super) async fn run(&self, wanted: Wanted) -> Answered {
        let wanted = match self.fork(Box::new(wanted)).await {
            Ok(answered) => return answered,
            Err(wanted) => *wanted,
        };
        let (reply, outcome) = oneshot::channel();
        let next = self.next.fetch_add(1, Ordering::Relaxed) % self.threads.len();
        let order = Order::Call(Box::new(Task { wanted, reply }));
        let sent = self.threads.get(next).is_some_and(|thread| thread.send(order).is_ok());
        if sent { outcome.await.unwrap_or_else(|_| Err(lost())) } else { Err(lost()) }
    }

    /// Has a server fork for a call. The call comes back where there is none.
    async fn fork(&self, wanted: Box<Wanted>) -> Result<Answered, Box<Wanted>> {
        let forked = wanted.function.as_ref().filter(|function| function.way() == Way::Fork);
        let Some((function, thread)) =
            forked.and_then(|function| Some((Arc::clone(function), self.thread_of(function)?)))
        else {
            return Err(wanted);
        };
        let (reply, outcome) = oneshot::channel();
        let order = forks::Order::Call(Box::new(forks::Task { function, wanted, reply }));
        match thread.send(order) {
            Ok(()) => outcome.await.unwrap_or_else(|_| Ok(Err(lost()))),
            Err(mpsc::error::SendError(_)) => Ok(Err(lost())),
        }
    }

    pub(super) fn expect(&self, function: &Arc<Function>) {
        if let Some(thread) = self.thread_of(function) {
            // One that is gone has no servers either.
            let _ = thread.send(forks::Order::Expect(Arc::clone(function)));
            return;
        }
        function.goes(Way::Pool);
        for thread in &self.threads {
            // One that is gone has nothing ahead either.
            let _ = thread.send(Order::Expect(Arc::clone(function)));
        }
    }

    pub(super) fn forget(&self, function: &Arc<Function>) {
        if let Some(thread) = self.thread_of(function) {
            let _ = thread.send(forks::Order::Forget(Arc::clone(function)));
        }
        for thread in &self.threads {
            let _ = thread.send(Order::Forget(Arc::clone(function)));
        }
    }
}

fn lost() -> Fault {
    Fault::new(Code::Internal, "a thread of secure-bun is gone")
}

fn worker(
    calls: Arc<Calls>,
    programs: Arc<Programs>,
    engine: Engine,
    here: std::sync::mpsc::Sender<()>,
) -> std::io::Result<mpsc::UnboundedSender<Order>> {
    let (sender, mut orders) = mpsc::unbounded_channel::<Order>();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    thread::Builder::new().name("secure-bun-calls".to_owned()).spawn(move || {
        let _here = here;
        let pool = (engine != Engine::Spawn).then(|| Pool::new(Arc::clone(&programs)));
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
        let Task { wanted, mut reply } = task;
        let ahead = wanted.pooled().cloned();
        let job = wanted.job;
        let started = ahead.as_ref().and_then(|function| self.pool.as_ref()?.take(function));
        let outcome = match (started, &ahead) {
            (Some((started, _listed)), Some(_)) => pool::call(started, &job, reply.closed()).await,
            _ => match start(&job) {
                Ok(started) => {
                    let _listed = self.programs.list(started.pid(), Engine::Spawn, State::Busy);
                    started.through(reply.closed()).await
                }
                Err(error) => Err(error),
            },
        };
        // Who has gone does not want it.
        let _ = reply.send(answered(outcome, &job));
        if let Some(function) = ahead {
            // The answer goes first, and whoever it is for gets the processor.
            tokio::time::sleep(PAUSE_AFTER_CALL).await;
            self.refill(&function);
        }
    }

    fn refill(&self, function: &Arc<Function>) {
        if let Some(pool) = &self.pool
            && function.is_registered()
            && function.way() == Way::Pool
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

/// Starts a program for its call.
fn start(job: &Job) -> Result<Started, Error> {
    let mut started = run::prepare(job, || Ok(None)).and_then(Launch::start)?;
    if job.input == Input::Call {
        pool::tell(&mut started, job)?;
    }
    Ok(started)
}

/// How a call went, as its service is told.
pub(super) fn answered(outcome: Result<Outcome, Error>, job: &Job) -> Answered {
    let trace = job.context.as_ref().and_then(|context| context.traceparent.as_ref());
    let not_started = |error| not_started(Redaction::of_given(&job.secrets).not_run(error));
    outcome.map_err(not_started).map(|outcome| {
        let verdict = explain::verdict(&outcome, true);
        explain::envelope(outcome, &verdict).traced(trace)
    })
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
