//! Many calls, each in a Bun and a sandbox of its own.
//!
//! A [`Service`] takes calls from any thread. As many as it was made for run at a time, some more wait, and all beyond
//! that are refused at once. `examples/service.rs` shows how a program uses it. The programs are started and looked after
//! by threads of the service's own, which live as long as it does: a program dies with the thread that started it.

mod admission;
mod calls;
mod forks;
mod functions;
mod pool;
mod programs;
mod stats;
mod workers;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use policy::Policy;
use tokio::sync::mpsc;
use tokio::task::LocalSet;
use wire::envelope::Envelope;
use wire::rpc::{Call, Fault, Notification, Register};

use crate::error::{Error, Kind};
use crate::host::{self, Host, Search};
use crate::layers::Layers;
use admission::Admission;
use calls::Calls;
use functions::{Function, Functions};
pub use programs::{ByEngine, ByState, Held, Memory, Resident};
use stats::{Counters, End};
pub use stats::{Latency, Outcomes, Stats};
use workers::Workers;

/// In which a host takes an answer before the next program is started ahead.
const PAUSE_AFTER_CALL: Duration = Duration::from_millis(1);

/// What a service is made of.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What calls may do at most; what they say themselves narrows it.
    pub policy: Policy,
    /// Where to look for Bun.
    pub search: Search,
    /// The launcher's own binary, which lets programs narrow what their children may do; without it, they cannot.
    pub launcher: Option<PathBuf>,
    /// Calls that run at a time, at least 1.
    pub concurrency: usize,
    /// Calls that may wait.
    pub queue: usize,
    /// How calls are run.
    pub engine: Engine,
    /// Where it says what nobody has asked: that calls are run in another way than was hoped for.
    pub notices: Option<mpsc::UnboundedSender<Notification>>,
}

/// How calls are run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// The first of the others that works here.
    #[default]
    Auto,
    /// One Bun for each function forks for each call. What a fork would share goes to the pool, and so does a function
    /// until its Bun is ready (docs/fork-engine.md).
    Fork,
    /// Programs are started ahead of calls of registered functions, one for each call. What narrows a call further, and
    /// what is not registered, is started when it is called.
    Pool,
    /// Each call starts a program.
    Spawn,
}

impl Engine {
    /// As it is said and reported.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Fork => "fork",
            Self::Pool => "pool",
            Self::Spawn => "spawn",
        }
    }

    const fn may_fork(self) -> bool {
        matches!(self, Self::Auto | Self::Fork)
    }
}

/// Whether this Bun can be forked here. The first server is that of all functions that are called by their text, or,
/// where what they may do keeps them from being forked, one that may do nothing.
fn prove(workers: &Workers, calls: &Calls) -> Result<(), Error> {
    let proved = workers.prove(&calls.text);
    match proved {
        Err(Error { kind: Kind::Usage, .. }) => {
            // With the layers that are done without here: they may be what is in the way.
            let nothing = Policy { kernel: calls.ceiling.kernel_in_force(), ..Policy::default() };
            let nothing = Arc::new(Function::text(nothing));
            let proved = workers.prove(&nothing);
            workers.forget(&nothing);
            proved
        }
        proved => proved,
    }
}

/// Carries out calls. Copies of it are the same service.
#[derive(Clone)]
pub struct Service {
    shared: Arc<Shared>,
}

struct Shared {
    calls: Arc<Calls>,
    functions: Functions,
    admission: Admission,
    counters: Counters,
    workers: Workers,
    bun_version: String,
    engine: Engine,
}

impl Service {
    /// Makes a service.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        let Settings { policy, search, launcher, concurrency, queue, engine, notices } = settings;
        let identity = host::identity();
        let layers = Layers::choose(&policy.kernel_in_force(), identity)?;
        let bun_version = Host::discover(&search, identity, layers)?.bun.version;
        let text = Arc::new(Function::text(policy.clone()));
        let calls = Arc::new(Calls { ceiling: policy, search, launcher, text });
        let mut workers = Workers::start(concurrency.max(1), &calls, engine, notices.as_ref())?;
        let engine = if engine.may_fork() {
            match prove(&workers, &calls) {
                Ok(()) => Engine::Fork,
                Err(error) if engine == Engine::Fork => return Err(error),
                Err(error) => {
                    workers.stop_forking();
                    if let Some(notices) = &notices {
                        let (engine, because) = (Engine::Pool.name().to_owned(), error.message);
                        // Who has gone does not want to know.
                        let _ = notices.send(Notification::Engine { engine, function: None, because });
                    }
                    Engine::Pool
                }
            }
        } else {
            engine
        };
        let shared = Shared {
            workers,
            engine,
            calls,
            functions: Functions::default(),
            admission: Admission::of(concurrency.max(1), queue),
            counters: Counters::default(),
            bun_version,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The version of the Bun that runs programs.
    pub fn bun_version(&self) -> &str {
        &self.shared.bun_version
    }

    /// How calls are run.
    pub fn engine(&self) -> Engine {
        self.shared.engine
    }

    /// Calls that run at a time.
    pub fn concurrency(&self) -> usize {
        self.shared.admission.concurrency
    }

    /// Calls that may wait.
    pub fn queue(&self) -> usize {
        self.shared.admission.queue
    }

    /// Registers a function, in the place of one by the same name.
    pub fn register(&self, register: Register) -> Result<(), Fault> {
        let Shared { calls, functions, workers, .. } = &*self.shared;
        let function = Arc::new(calls.function(register)?);
        if let Some(before) = functions.register(Arc::clone(&function)) {
            workers.forget(&before);
        }
        workers.expect(&function);
        Ok(())
    }

    /// Removes a function.
    pub fn remove(&self, name: &str) -> Result<(), Fault> {
        let Shared { functions, workers, .. } = &*self.shared;
        workers.forget(&functions.remove(name).ok_or_else(|| calls::no_function(name))?);
        Ok(())
    }

    /// Carries out a call. An accepted call has an envelope, however it went; a fault is one that was never made. To
    /// cancel it, drop the future.
    pub async fn call(&self, call: Call) -> Result<Envelope, Fault> {
        let Shared { calls, functions, admission, counters, workers, .. } = &*self.shared;
        let mut counted = counters.arrived();
        let wanted = calls.wanted(call, functions).inspect_err(|_| counted.ends(End::Refused))?;
        let place = admission.enter().inspect_err(|_| counted.ends(End::Overloaded))?;
        let _turn = place.turn().await;
        counted.runs();
        let envelope = workers.run(wanted).await.inspect_err(|_| counted.ends(End::Refused))?;
        counted.ends(End::Answered(&envelope));
        Ok(envelope)
    }

    /// Carries out what `make` makes, to its end, where calls have the shortest way: on the thread that forks for them,
    /// which has to wait for nothing else, or, where none is forked, on this one. `make` is called there. Meant for the
    /// conversation with a host that makes most calls; what it blocks, calls are not looked after meanwhile. Nothing that
    /// it started may be left at its end with a copy of the service.
    ///
    /// Blocks this thread, which must not be one of an asynchronous runtime.
    pub fn host<F: Future<Output = ()> + 'static>(
        &self,
        make: impl FnOnce() -> F + Send + 'static,
    ) -> Result<(), Error> {
        let Err(guest) = self.shared.workers.host(Box::new(|| Box::pin(make()))) else { return Ok(()) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
        let runtime = runtime.map_err(|error| Error::system("make a runtime", &error))?;
        LocalSet::new().block_on(&runtime, async { guest().await });
        Ok(())
    }

    /// Numbers since the start.
    pub fn stats(&self) -> Stats {
        let Shared { admission, counters, functions, workers, engine, .. } = &*self.shared;
        let programs = workers.programs().count(*engine);
        counters.stats(*engine, admission.waiting(), functions.count(), programs)
    }

    /// The memory of the service now. Asking the kernel for it takes up to a millisecond for each process, so ask for it
    /// on a thread that may wait; calls do not.
    pub fn memory(&self) -> Memory {
        self.shared.workers.programs().memory(self.shared.engine)
    }

    /// Waits until no call is left, or until `wait` is over. Whether none is left.
    pub async fn drain(&self, wait: Option<Duration>) -> bool {
        let idle = self.shared.admission.idle();
        let Some(wait) = wait else {
            idle.await;
            return true;
        };
        tokio::time::timeout(wait, idle).await.is_ok()
    }
}
