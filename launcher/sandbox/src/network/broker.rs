//! Answers to connect (in `connecting`), bind and listen.

use std::cell::RefCell;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use confine::{Act, Errno, Listener};
use nix::libc;
use policy::{ExpandedPolicy, decide, resolves};
use socket2::{SockRef, Type};
use tokio::io::unix::AsyncFd;
use tokio::task::coop::consume_budget;

use super::address::Address;
use super::connecting::Answer;
use super::datagrams::Datagrams;
use super::ground::{self, Ground};
use super::listening::{Listening, errno};
use super::name_server::Stand;
use super::names::Names;
use super::refusals::Refusals;
use super::unix::UnixSockets;
use crate::count::Count;
use crate::requests::Requests;
use crate::resolve::programs;
use crate::resolver::Resolver;

/// Callers that wait for a connection at a time: each takes a descriptor of the launcher's, which needs some of them to
/// see what the program has.
const MOST_WAITING: usize = 512;

/// How often to see whether a caller still waits: the kernel tells nobody that it was killed.
const LOOK: Duration = Duration::from_millis(50);

pub(super) const INVALID: Errno = Errno(libc::EINVAL);
/// What answers for a sandbox's network.
pub(crate) struct Broker {
    pub(super) listener: Listener,
    pub(super) policy: ExpandedPolicy,
    pub(super) ground: Ground,
    /// What answers for the host's name servers, where the sandbox has no network in which that could listen.
    pub(super) name_server: Option<Stand>,
    pub(super) names: RefCell<Names>,
    pub(super) resolver: Resolver,
    pub(super) listening: RefCell<Listening>,
    /// What carries out requests by URL, where some are granted.
    pub(super) requests: Option<Rc<Requests>>,
    pub(super) unix: UnixSockets,
    pub(super) datagrams: Rc<Datagrams>,
    /// Whether the sandbox's filter lets a program run another one.
    runs_programs: bool,
    pub(crate) refusals: Refusals,
}

/// Answers requests as they come. One that has to wait keeps no other waiting.
pub(crate) async fn serve(broker: Rc<Broker>, readiness: AsyncFd<OwnedFd>) {
    let waiting = Count::default();
    loop {
        let Ok(mut ready) = readiness.readable().await else { return };
        match has_request(&readiness) {
            Waiting::Request => {}
            Waiting::Nothing => {
                ready.clear_ready();
                continue;
            }
            // Nobody is left who could ask, and that stays so.
            Waiting::Nobody => return,
        }
        match broker.listener.receive() {
            Ok(Some(request)) => {
                let answer = match broker.at_once(&request) {
                    Ok(answer) => answer,
                    Err(later) => match waiting.one(MOST_WAITING) {
                        Some(one) => {
                            let broker = Rc::clone(&broker);
                            tokio::task::spawn_local(async move {
                                tokio::select! {
                                    answer = later.finish(&broker, &request) => broker.listener.answer(&request, answer),
                                    () = broker.gone(&request) => {}
                                }
                                drop(one);
                            });
                            continue;
                        }
                        None => Err(Errno(libc::EAGAIN)),
                    },
                };
                broker.listener.answer(&request, answer);
            }
            Ok(None) => {}
            Err(_) => return,
        }
        // Whoever asks without end keeps the launcher from nothing else that it looks after, such as limits.
        consume_budget().await;
    }
}

/// What there is on the listener.
enum Waiting {
    Request,
    Nothing,
    Nobody,
}

fn has_request(listener: &AsyncFd<OwnedFd>) -> Waiting {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    let mut fds = [PollFd::new(listener.get_ref().as_fd(), PollFlags::POLLIN)];
    let ready = poll(&mut fds, PollTimeout::ZERO).unwrap_or(0) > 0;
    let events = fds.first().filter(|_| ready).and_then(PollFd::revents).unwrap_or(PollFlags::empty());
    if events.contains(PollFlags::POLLIN) {
        Waiting::Request
    } else if events.is_empty() {
        Waiting::Nothing
    } else {
        Waiting::Nobody
    }
}

impl Broker {
    pub(crate) fn new(
        listener: Listener,
        policy: ExpandedPolicy,
        requests: Option<Rc<Requests>>,
        (name_server, resolver): (Option<Stand>, Resolver),
        refusals: Refusals,
    ) -> io::Result<Self> {
        Ok(Self {
            unix: UnixSockets::of(&policy),
            runs_programs: programs::grants_any(&policy),
            listener,
            policy,
            ground: if name_server.is_some() { Ground::Shared } else { Ground::own()? },
            name_server,
            names: RefCell::default(),
            resolver,
            listening: RefCell::default(),
            datagrams: Rc::default(),
            requests,
            refusals,
        })
    }

    pub(crate) fn readiness(&self) -> io::Result<AsyncFd<OwnedFd>> {
        self.listener.readiness()
    }

    /// Whether a name may be asked for.
    pub(super) fn resolves(&self, name: &str) -> bool {
        resolves(&self.policy, name)
    }

    /// Notes that a name was asked for which may not be.
    pub(super) fn note_name(&self, name: &str) {
        self.refusals.note_name(&self.policy, name);
    }

    /// Waits until the caller does not wait any more.
    async fn gone(&self, request: &confine::Request) {
        while self.listener.is_waiting(request) {
            tokio::time::sleep(LOOK).await;
        }
    }

    fn at_once(&self, request: &confine::Request) -> Answer {
        let socket = match self.listener.socket(request) {
            Ok(socket) => socket,
            Err(Errno::EPERM) if self.ground == Ground::Shared => return self.unseen(request),
            // What is no descriptor, or none that can be copied (`O_PATH`), is no socket either.
            Err(_) => return Ok(Err(Errno(libc::EBADF))),
        };
        let is_host = match self.ground.was_given(&socket, &self.listening.borrow()) {
            Ok(was_given) => was_given,
            Err(errno) => return Ok(Err(errno)),
        };
        match request.act {
            Act::Listen(backlog) => Ok(self.listen(&socket, is_host, backlog)),
            Act::Bind => Ok(self.bind(request, &socket, is_host).map(|_| ())),
            Act::Connect => self.connect(request, socket, is_host),
        }
    }

    /// An answer about a socket that cannot be copied. Another takes its place, or nothing happens to it.
    fn unseen(&self, request: &confine::Request) -> Answer {
        let Some(unseen) = self.listener.unseen(request) else { return Ok(Err(Errno(libc::EBADF))) };
        let address = self.listener.address(request).ok().and_then(|bytes| Address::parse(&bytes));
        let like = match ground::like(unseen, address.as_ref()) {
            Ok(like) => like,
            Err(errno) => return Ok(Err(errno)),
        };
        match request.act {
            // It listens already.
            Act::Listen(_) if self.listening.borrow().has_bound(unseen.inode) => Ok(Ok(())),
            Act::Listen(_) => Ok(Err(self.refuse_listening(unspecified(&like)))),
            Act::Bind => Ok(self
                .bind(request, &like, false)
                .and_then(|bound| bound.as_ref().map_or(Ok(()), ground::listen_at_once))),
            Act::Connect => self.connect(request, like, false),
        }
    }

    fn listen(&self, socket: &OwnedFd, is_host: bool, backlog: i32) -> Result<(), Errno> {
        if is_host && !self.listening.borrow().may_listen(socket) {
            return Err(Errno::EACCES);
        }
        if !is_host && self.ground == Ground::Shared {
            // It would be at some port of all addresses.
            return Err(self.refuse_listening(unspecified(socket)));
        }
        SockRef::from(socket).listen(backlog).map_err(errno)?;
        if !is_host {
            self.listening.borrow_mut().note_own(socket);
        }
        Ok(())
    }

    /// Notes that a program may not listen.
    fn refuse_listening(&self, wanted: SocketAddr) -> Errno {
        let asked = policy::Request::Listen { host: wanted.ip().to_string(), port: wanted.port() };
        let decision = decide(&self.policy, &asked);
        self.refusals.note(asked, decision);
        Errno::EACCES
    }

    /// Binds a socket of the sandbox, or puts one of the host in its place. Answers with what is bound.
    fn bind(&self, request: &confine::Request, socket: &OwnedFd, is_host: bool) -> Result<Option<OwnedFd>, Errno> {
        let bytes = self.listener.address(request)?;
        if is_host {
            // It is bound already.
            return Err(INVALID);
        }
        match Address::parse(&bytes).ok_or(INVALID)? {
            Address::Internet(wanted) => {
                let place = if is_stream(socket) { Listening::place(&self.policy, wanted) } else { None };
                let Some(place) = place else {
                    return match self.ground {
                        Ground::Own { .. } => confine::bind(socket.as_fd(), &bytes).map(|()| None),
                        Ground::Shared => Err(self.refuse_listening(wanted)),
                    };
                };
                let bound: OwnedFd = self.listening.borrow_mut().bind(socket, place)?.into();
                self.replace(request, &bound)?;
                Ok(Some(bound))
            }
            Address::Path(_) | Address::Other => Err(Errno::EACCES),
            Address::Unspecified => Err(Errno(libc::EAFNOSUPPORT)),
        }
    }

    /// Puts `socket` in the place of the one that a request is about.
    pub(super) fn replace(&self, request: &confine::Request, socket: &OwnedFd) -> Result<(), Errno> {
        // Where no other program can run, none inherits it. To ask takes a fifth of the time that an answer takes.
        let close_on_exec = !self.runs_programs || self.listener.closes_on_exec(request);
        self.listener.replace(request, socket, close_on_exec)
    }
}

/// Where a socket listens that was bound nowhere: at some port of all addresses.
fn unspecified(socket: &OwnedFd) -> SocketAddr {
    let local = SockRef::from(socket).local_addr().ok().and_then(|address| address.as_socket());
    local.unwrap_or_else(|| SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0))
}

pub(super) fn is_stream(socket: &OwnedFd) -> bool {
    SockRef::from(socket).r#type().is_ok_and(|kind| kind == Type::STREAM)
}
