//! What is asked, and what is answered.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use secure_bun::service::{Service, Stats};
use serde::Serialize;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{self, JoinError, JoinSet};
use wire::envelope::Envelope;
use wire::rpc::{
    self, Answer, Call, Code, Fault, Id, Initialized, Line, Lines, MAX_LINE_BYTES, Message, Named, Notification,
    PROTOCOL, Refused, Request, Shutdown, StatsFormat, Version,
};

use super::input::Input;
use super::output::Output;

/// A conversation with the service that has started us.
pub(super) struct Conversation {
    service: Service,
    output: Output,
    /// What answers them, or is about to.
    tasks: RefCell<JoinSet<()>>,
    is_initialized: Cell<bool>,
    /// Requests that take their time and are not answered, each with what cancels it.
    under_way: RefCell<HashMap<Id, oneshot::Sender<()>>>,
    /// Set by `shutdown`.
    is_closing: Cell<bool>,
}

/// A millisecond's worth of JSON.
const MOST_BYTES_HERE: usize = 256 << 10;

type Answered = Result<Box<RawValue>, Fault>;

impl Conversation {
    pub(super) fn with(service: Service, output: Output) -> Rc<Self> {
        Rc::new(Self {
            service,
            output,
            tasks: RefCell::default(),
            is_initialized: Cell::new(false),
            under_way: RefCell::default(),
            is_closing: Cell::new(false),
        })
    }

    /// Goes on until the input ends or `shutdown` is answered. Calls that are under way then end with it.
    pub(super) async fn go_on(self: Rc<Self>, input: Input, notices: mpsc::UnboundedReceiver<Notification>) {
        self.listen(input, notices).await;
        let mut tasks = self.tasks.take();
        tasks.shutdown().await;
    }

    async fn listen(self: &Rc<Self>, mut input: Input, mut notices: mpsc::UnboundedReceiver<Notification>) {
        let (ended, mut end) = mpsc::channel(1);
        let mut lines = Lines::default();
        loop {
            let chunk = tokio::select! {
                biased;
                _ = end.recv() => return,
                // Nothing is said before the first answer.
                Some(notice) = notices.recv(), if self.is_initialized.get() => {
                    self.output.send(notice.to_line());
                    continue;
                }
                chunk = input.next() => chunk,
            };
            let Some(chunk) = chunk else { break };
            lines.push(chunk);
            while let Some(line) = lines.next_line() {
                self.output.room().await;
                match read(line).await {
                    Ok(Message::Request(id, request)) => self.take(id, request, &ended),
                    Ok(Message::Cancel(id)) => drop(self.under_way.borrow_mut().remove(&id)),
                    Ok(Message::Ignored) => {}
                    Err(refused) => self.answer(refused.id, Err(refused.fault)),
                }
            }
        }
        if self.is_closing.get() {
            // A host may close its side once it has said the last.
            let _ = end.recv().await;
        }
    }

    fn answer(&self, id: Option<Id>, outcome: Answered) {
        self.output.send(Answer { id, outcome }.to_line());
    }

    fn take(self: &Rc<Self>, id: Id, request: Request, ended: &mpsc::Sender<()>) {
        if self.under_way.borrow().contains_key(&id) {
            let fault = Fault::new(Code::NotARequest, "not a request: its id is in use");
            return self.answer(None, Err(fault.with(json!({ "id": id }))));
        }
        let is_first = matches!(request, Request::Initialize(_));
        if is_first == self.is_initialized.get() {
            let message = if is_first { "there was an initialize already" } else { "initialize comes first" };
            return self.answer(Some(id), Err(Fault::new(Code::NotInitialized, message)));
        }
        if self.is_closing.get() {
            return self.answer(Some(id), Err(Fault::new(Code::ShuttingDown, "shutting down")));
        }
        let answer = match request {
            Request::Initialize(_) => {
                self.is_initialized.set(true);
                result(&self.initialized())
            }
            Request::Register(register) => {
                let name = register.name.clone();
                self.service.register(*register).and_then(|()| result(&json!({ "name": name })))
            }
            Request::Remove(remove) => {
                let name = remove.name;
                self.service.remove(&name).and_then(|()| result(&json!({ "name": name })))
            }
            Request::Stats(rpc::Stats { format, memory: false }) => numbers(&self.service.stats(), format),
            Request::Stats(rpc::Stats { format, memory: true }) => return self.look_at_memory(id, format),
            Request::Call(call) => return self.call(id, *call),
            Request::Shutdown(shutdown) => return self.shut_down(id, shutdown, ended.clone()),
        };
        self.answer(Some(id), answer);
    }

    fn initialized(&self) -> Initialized {
        Initialized {
            protocol: PROTOCOL,
            server: Named { name: "secure-bun", version: env!("CARGO_PKG_VERSION") },
            bun: Version { version: self.service.bun_version().to_owned() },
            engine: self.service.engine().name().to_owned(),
            limits: wire::rpc::Limits {
                line_bytes: MAX_LINE_BYTES,
                concurrency: self.service.concurrency(),
                queue: self.service.queue(),
            },
        }
    }

    fn call(self: &Rc<Self>, id: Id, call: Call) {
        let service = self.service.clone();
        self.begin(id, async move { raw(service.call(call).await?).await });
    }

    /// The rest goes on meanwhile.
    fn look_at_memory(self: &Rc<Self>, id: Id, format: StatsFormat) {
        let service = self.service.clone();
        let (found, stats) = oneshot::channel();
        // Among the tasks, so that it is waited for: it has the service.
        self.tasks.borrow_mut().spawn_blocking(move || {
            // Whoever has cancelled it does not want it.
            let _ = found.send(Stats { memory: Some(service.memory()), ..service.stats() });
        });
        self.begin(id, async move {
            let stats = stats.await.map_err(|error| Fault::new(Code::Internal, error.to_string()))?;
            numbers(&stats, format)
        });
    }

    /// Answers when `work` is done, or is cancelled.
    fn begin(self: &Rc<Self>, id: Id, work: impl Future<Output = Answered> + 'static) {
        let (cancel, cancelled) = oneshot::channel();
        self.under_way.borrow_mut().insert(id.clone(), cancel);
        let conversation = Rc::clone(self);
        self.spawn(async move {
            let answer = tokio::select! {
                // Whoever cancels a call that has just ended learns how it ended.
                biased;
                answer = work => answer,
                _ = cancelled => Err(Fault::new(Code::Cancelled, "cancelled")),
            };
            conversation.under_way.borrow_mut().remove(&id);
            conversation.answer(Some(id), answer);
        });
    }

    fn spawn(&self, work: impl Future<Output = ()> + 'static) {
        let mut tasks = self.tasks.borrow_mut();
        while tasks.try_join_next().is_some() {}
        tasks.spawn_local(work);
    }

    fn shut_down(self: &Rc<Self>, id: Id, shutdown: Shutdown, ended: mpsc::Sender<()>) {
        self.is_closing.set(true);
        let conversation = Rc::clone(self);
        self.spawn(async move {
            let wait = shutdown.wait_ms.map(Duration::from_millis);
            if !conversation.service.drain(wait).await {
                conversation.under_way.borrow_mut().clear();
                conversation.service.drain(None).await;
            }
            while !conversation.under_way.borrow().is_empty() {
                task::yield_now().await;
            }
            conversation.answer(Some(id), result(&()));
            let _ = ended.send(()).await;
        });
    }
}

fn result(value: &impl Serialize) -> Answered {
    to_raw_value(value).map_err(|error| Fault::new(Code::Internal, error.to_string()))
}

fn numbers(stats: &Stats, format: StatsFormat) -> Answered {
    match format {
        StatsFormat::Json => result(stats),
        StatsFormat::Prometheus => result(&json!({ "text": stats.to_prometheus() })),
    }
}

/// Reads a line. Programs are looked after on this thread, so a long one is read on another.
async fn read(line: Line) -> Result<Message, Refused> {
    match &line {
        Line::Bytes(bytes) if bytes.len() > MOST_BYTES_HERE => {}
        _ => return rpc::read(&line),
    }
    let lost = |error: JoinError| Refused { id: None, fault: Fault::new(Code::Internal, error.to_string()) };
    task::spawn_blocking(move || rpc::read(&line)).await.unwrap_or_else(|error| Err(lost(error)))
}

/// The other way round.
async fn raw(envelope: Envelope) -> Answered {
    if envelope.bytes_of_program() <= MOST_BYTES_HERE {
        return result(&envelope);
    }
    let written = task::spawn_blocking(move || result(&envelope)).await;
    written.unwrap_or_else(|error| Err(Fault::new(Code::Internal, error.to_string())))
}
