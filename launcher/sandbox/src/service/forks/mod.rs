//! Servers that fork for each call, one for each function and one for all that are called by their text. Each belongs to
//! one thread.

mod served;
mod texts;

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::{self, LocalSet};
use wire::rpc::Notification;

use super::calls::Calls;
use super::functions::{Function, Way};
use super::programs::{Listed, Programs};
use super::workers::{Answered, Order as PoolOrder, Wanted, answered};
use crate::error::Error;
use crate::forks::{Child, Server};
use crate::run::Entry;
use crate::stage;
use served::Served;
use texts::{Text, Texts};

/// Children that wait for a call of one function.
const AHEAD: usize = 4;

/// A server is replaced by a fresh one after so many calls, or after this time where there were any.
const MOST_CALLS: u64 = 10_000;
const MOST_AGE: Duration = Duration::from_mins(10);

/// And when its own memory has grown by so many bytes, which is looked at after so many calls.
const MOST_GROWTH: u64 = 32 << 20;
const CALLS_BETWEEN_LOOKS: u64 = 100;

/// What a thread is told.
pub(super) enum Order {
    Call(Box<Task>),
    /// A function was registered: a server of it is wanted.
    Expect(Arc<Function>),
    /// The same, and how that went.
    Prove(Arc<Function>, std::sync::mpsc::Sender<Result<(), Error>>),
    /// It is no more.
    Forget(Arc<Function>),
    /// Something else is to be carried out here.
    Host(Guest),
}

/// Makes what a thread is to carry out besides, on that thread.
pub(super) type Guest = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = ()>>> + Send>;

/// Looks at the memory of programs, and long lines to read or to write, that a guest has going at a time elsewhere.
const MOST_BLOCKING: usize = 2;

/// A call on its way to a thread, and where its outcome is waited for.
pub(super) struct Task {
    pub(super) function: Arc<Function>,
    pub(super) wanted: Box<Wanted>,
    pub(super) reply: oneshot::Sender<Result<Answered, Box<Wanted>>>,
}

/// What the threads have in common.
#[derive(Clone)]
pub(super) struct Common {
    pub(super) calls: Arc<Calls>,
    /// The programs of all threads.
    pub(super) programs: Arc<Programs>,
    /// Calls at a time.
    pub(super) concurrency: usize,
    /// Where functions go that cannot be forked.
    pub(super) pools: Vec<mpsc::UnboundedSender<PoolOrder>>,
    pub(super) notices: Option<mpsc::UnboundedSender<Notification>>,
}

/// Starts a thread.
pub(super) fn start(common: Common, here: std::sync::mpsc::Sender<()>) -> io::Result<mpsc::UnboundedSender<Order>> {
    let (sender, mut orders) = mpsc::unbounded_channel::<Order>();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_blocking_threads(MOST_BLOCKING)
        .build()?;
    thread::Builder::new().name("secure-bun-forks".to_owned()).spawn(move || {
        let _here = here;
        let forks = Rc::new(Forks { common, tenants: RefCell::default() });
        let local = LocalSet::new();
        local.block_on(&runtime, async {
            while let Some(order) = orders.recv().await {
                match order {
                    Order::Call(task) => drop(task::spawn_local(Rc::clone(&forks).carry_out(*task))),
                    Order::Expect(function) => drop(task::spawn_local(Rc::clone(&forks).expect(function))),
                    Order::Prove(function, proved) => {
                        let forks = Rc::clone(&forks);
                        task::spawn_local(async move {
                            // Who has gone does not want to know.
                            let _ = proved.send(forks.serve(&function).await);
                        });
                    }
                    Order::Forget(function) => forks.forget(&function),
                    Order::Host(guest) => drop(task::spawn_local(guest())),
                }
            }
            forks.tenants.borrow_mut().clear();
        });
        runtime.shutdown_background();
    })?;
    Ok(sender)
}

/// The servers of one thread.
struct Forks {
    common: Common,
    tenants: RefCell<Vec<Rc<Tenant>>>,
}

/// A function and its server.
struct Tenant {
    function: Arc<Function>,
    served: RefCell<Rc<Served>>,
    texts: Option<Texts>,
    is_replaced: Cell<bool>,
}

impl Forks {
    /// Starts a server of a function. Where that does not work, its calls are for the pool.
    async fn expect(self: Rc<Self>, function: Arc<Function>) {
        if let Err(error) = self.serve(&function).await {
            self.leave_to_pool(&function, &error);
        }
    }

    fn leave_to_pool(&self, function: &Arc<Function>, error: &Error) {
        function.goes(Way::Pool);
        self.notify(Notification::Engine {
            engine: "pool".to_owned(),
            function: Some(function.name.clone()),
            because: error.message.clone(),
        });
        for pool in &self.common.pools {
            // One that is gone has nothing ahead either.
            let _ = pool.send(PoolOrder::Expect(Arc::clone(function)));
        }
    }

    fn notify(&self, notification: Notification) {
        if let Some(notices) = &self.common.notices {
            // Who has gone does not want to know.
            let _ = notices.send(notification);
        }
    }

    async fn serve(&self, function: &Arc<Function>) -> Result<(), Error> {
        let texts = function.is_text().then(Texts::make).transpose()?;
        let served = self.start(function, texts.as_ref()).await?;
        if let Some(refused) = served.server.refused {
            self.notify(Notification::Preload { function: function.name.clone(), because: refused.to_owned() });
        }
        if !function.is_registered() {
            return Ok(());
        }
        task::spawn_local(Rc::clone(&served).refill(self.ahead()));
        let (function, served) = (Arc::clone(function), RefCell::new(served));
        // The first call may come before the last child.
        function.goes(Way::Fork);
        self.tenants.borrow_mut().push(Rc::new(Tenant { function, served, texts, is_replaced: Cell::new(false) }));
        Ok(())
    }

    async fn start(&self, function: &Arc<Function>, texts: Option<&Texts>) -> Result<Rc<Served>, Error> {
        let job = self.common.calls.job_ahead(function);
        let wanted = stage::Server { module: function.preloaded.as_ref(), calls: texts.map(Texts::folder) };
        let server = Server::start(&job, &wanted).await?;
        Ok(Rc::new(Served::new(server, Arc::clone(&self.common.programs))))
    }

    /// Children that wait for a call of one function.
    fn ahead(&self) -> usize {
        self.common.concurrency.min(AHEAD)
    }

    fn tenant(&self, function: &Arc<Function>) -> Option<Rc<Tenant>> {
        self.tenants.borrow().iter().find(|tenant| Arc::ptr_eq(&tenant.function, function)).cloned()
    }

    fn forget(&self, function: &Arc<Function>) {
        self.tenants.borrow_mut().retain(|tenant| !Arc::ptr_eq(&tenant.function, function));
    }

    async fn carry_out(self: Rc<Self>, task: Task) {
        let Task { function, wanted, mut reply } = task;
        let Some(tenant) = self.tenant(&function) else {
            let _ = reply.send(Err(wanted));
            return;
        };
        let served = Rc::clone(&tenant.served.borrow());
        let Ready { child, listed, text } = match tenant.ready(&served, &wanted).await {
            Ok(ready) => ready,
            Err(error) => {
                // Nothing of it has run: another engine may take it.
                let _ = reply.send(Err(wanted));
                // Too many processes are no fault of the server's.
                if error.kind() != io::ErrorKind::WouldBlock {
                    self.replace(tenant).await;
                }
                return;
            }
        };
        let path = text.as_ref().map(Text::path);
        let outcome = served.server.call(child, &wanted.job, path.as_deref(), reply.closed()).await;
        // Who has gone does not want it.
        let _ = reply.send(Ok(answered(outcome, &wanted.job)));
        // The answer goes first.
        task::yield_now().await;
        drop((text, listed));
        if is_old(&served.server) {
            return self.replace(tenant).await;
        }
        served.refill_after_call(self.ahead()).await;
    }

    /// Puts a fresh server in the place of one that is old or gone. Calls of that one end as they would.
    async fn replace(&self, tenant: Rc<Tenant>) {
        if tenant.is_replaced.replace(true) {
            return;
        }
        match self.start(&tenant.function, tenant.texts.as_ref()).await {
            Ok(served) => {
                Rc::clone(&served).refill(self.ahead()).await;
                *tenant.served.borrow_mut() = served;
                tenant.is_replaced.set(false);
            }
            Err(error) => {
                self.forget(&tenant.function);
                if tenant.function.is_registered() {
                    self.leave_to_pool(&tenant.function, &error);
                }
            }
        }
    }
}

/// Whether it is time for a fresh one.
fn is_old(server: &Server) -> bool {
    let calls = server.calls();
    let has_grown = || calls.is_multiple_of(CALLS_BETWEEN_LOOKS) && server.growth() >= MOST_GROWTH;
    calls >= MOST_CALLS || server.age() >= MOST_AGE || has_grown()
}

impl Tenant {
    /// A child, and the call's text where it can import that.
    async fn ready(&self, served: &Rc<Served>, wanted: &Wanted) -> io::Result<Ready> {
        let text = match (&wanted.job.entry, &self.texts) {
            (Entry::Text(text), Some(texts)) => Some(texts.put(text)?),
            _ => None,
        };
        let (child, listed) = served.child().await?;
        listed.is_called();
        Ok(Ready { child, listed, text })
    }
}

/// What a call takes.
struct Ready {
    child: Child,
    listed: Listed,
    text: Option<Text>,
}
