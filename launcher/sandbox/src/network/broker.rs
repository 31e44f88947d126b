//! Answers to connect, bind and listen.

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use confine::{Act, Errno, Listener};
use nix::libc;
use policy::{ExpandedPolicy, Transport, carries, decide, reaches, resolves};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::unix::AsyncFd;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::coop::consume_budget;

use super::address::Address;
use super::datagrams::{Datagrams, Table};
use super::ground::{self, Ground};
use super::listening::{Listening, errno};
use super::name_server::{self, Stand};
use super::names::Names;
use super::own;
use super::refusals::Refusals;
use super::unix::UnixSockets;
use crate::count::Count;
use crate::requests::{self, Requests};
use crate::resolve::programs;
use crate::resolver::Resolver;

/// Callers that wait for a connection at a time: each takes a descriptor of the launcher's, which needs some of them to
/// see what the program has.
const MOST_WAITING: usize = 512;

/// How often to see whether a caller still waits: the kernel tells nobody that it was killed.
const LOOK: Duration = Duration::from_millis(50);

const INVALID: Errno = Errno(libc::EINVAL);
/// Where the C library looks for a cache of names before it asks for any. That there is none is nothing to report.
const NAME_CACHE: &str = "/var/run/nscd/socket";

/// Where names are asked for, which is within the sandbox whatever is granted.
const NAME_SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), name_server::PORT);

const IN_PROGRESS: Errno = Errno(libc::EINPROGRESS);

/// What answers for a sandbox's network.
pub(crate) struct Broker {
    listener: Listener,
    policy: ExpandedPolicy,
    ground: Ground,
    /// What answers for the host's name servers, where the sandbox has no network in which that could listen.
    name_server: Option<Stand>,
    pub(super) names: RefCell<Names>,
    pub(super) resolver: Resolver,
    listening: RefCell<Listening>,
    /// What carries out requests by URL, where some are granted.
    requests: Option<Rc<Requests>>,
    unix: UnixSockets,
    datagrams: Rc<Datagrams>,
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

/// What the caller of a blocking socket waits for.
enum Later {
    /// A connection of the host, for the caller's socket.
    Host(Socket, SocketAddr),
    /// One within the sandbox, on the caller's socket; where nobody takes it, one of the host.
    Own(Arc<OwnedFd>, Vec<u8>, SocketAddr),
}

/// An answer, or what it takes to have one.
type Answer = Result<Result<(), Errno>, Later>;

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

    fn connect(&self, request: &confine::Request, socket: OwnedFd, is_host: bool) -> Answer {
        let target = self.listener.address(request).and_then(|bytes| {
            let address = Address::parse(&bytes).ok_or(INVALID)?;
            Ok((bytes, address))
        });
        let (bytes, address) = match target {
            Ok(target) => target,
            Err(errno) => return Ok(Err(errno)),
        };
        if is_host {
            // It has its peer, and no other is made of it, not even none (AF_UNSPEC).
            return Ok(Err(self.asked_again(&socket)));
        }
        match (address, is_stream(&socket)) {
            (Address::Internet(to), false) => Ok(self.connect_datagrams(request, &socket, &bytes, to)),
            (Address::Unspecified, false) => {
                Ok(self.datagrams.end(&socket).and_then(|()| confine::connect(socket.as_fd(), &bytes)))
            }
            (Address::Internet(to), true) => self.connect_stream(request, socket, bytes, to),
            (Address::Path(path), true) if path == Path::new(requests::PLACE) => {
                Ok(self.connect_requests(request, &socket))
            }
            (Address::Path(path), true) => Ok(self.connect_unix(request, &socket, &path)),
            (Address::Unspecified, true) | (Address::Path(_) | Address::Other, _) => Ok(Err(Errno::EACCES)),
        }
    }

    /// What a caller hears who connects a socket of the host once more, perhaps to learn how far it is.
    fn asked_again(&self, socket: &OwnedFd) -> Errno {
        let model = SockRef::from(socket);
        if self.listening.borrow().may_listen(socket) || model.peer_addr().is_ok() {
            return Errno(libc::EISCONN);
        }
        match model.take_error() {
            Ok(Some(error)) => errno(error),
            // Until there is an outcome, it is not even writable.
            _ if !is_writable(socket) => Errno(libc::EALREADY),
            _ => Errno(libc::EISCONN),
        }
    }

    fn connect_unix(&self, request: &confine::Request, like: &OwnedFd, path: &Path) -> Result<(), Errno> {
        // Relative paths start in a folder that the program can change meanwhile.
        let path = policy::normalize(path);
        if let Some(connected) = self.unix.connect(like, &path) {
            return self.replace(request, &connected?);
        }
        if path == Path::new(NAME_CACHE) {
            return Err(Errno::ENOENT);
        }
        let asked = policy::unix_request(&path);
        let decision = decide(&self.policy, &asked);
        self.refusals.note(asked, decision);
        Err(Errno::EACCES)
    }

    fn connect_stream(&self, request: &confine::Request, socket: OwnedFd, bytes: Vec<u8>, to: SocketAddr) -> Answer {
        if let Some(name_server) = self.name_server.as_ref().filter(|name_server| name_server.is_at(to)) {
            return Ok(self.connect_name_server(request, &socket, name_server));
        }
        if !to.ip().is_loopback() && !to.ip().is_unspecified() {
            return match self.destination(to) {
                Ok(to) => self.connect_host(request, &socket, to),
                Err(errno) => Ok(Err(errno)),
            };
        }
        // What the program itself listens on is nearer than the same port of the host.
        let own = SocketAddr::new(loopback(to.ip()), to.port());
        if own == NAME_SERVER || self.listening.borrow().has_own(own.port()) {
            return Err(Later::Own(Arc::new(socket), bytes, own));
        }
        match self.outside(own) {
            Some(to) => self.connect_host(request, &socket, to),
            None => Ok(Err(Errno(libc::ECONNREFUSED))),
        }
    }

    /// Connects a socket for datagrams: by way of the launcher where a rule grants the peer; within the sandbox
    /// otherwise, where other addresses than its own lead nowhere.
    fn connect_datagrams(
        &self,
        request: &confine::Request,
        socket: &OwnedFd,
        bytes: &[u8],
        to: SocketAddr,
    ) -> Result<(), Errno> {
        if self.ground == Ground::Shared {
            // There are no such sockets; an address of the machine itself would be made of `to`.
            return Err(Errno::EACCES);
        }
        let asked = SocketAddr::new(loopback(to.ip()), to.port());
        let stays_inside = || self.datagrams.end(socket).and_then(|()| confine::connect(socket.as_fd(), bytes));
        if asked.port() == 0 {
            // Nobody is there: a C library that looks for a way.
            return stays_inside();
        }
        let (host, address) = self.host(asked.ip())?;
        let decision = reaches(&self.policy, Transport::Udp, &host, asked.port(), address);
        if decision.allowed {
            let table = Table::read(request.thread());
            let is_own = asked == NAME_SERVER || table.is_open(asked.port());
            if asked.ip().is_loopback() && is_own {
                return stays_inside();
            }
            let real = SocketAddr::new(address, asked.port());
            return self.datagrams.connect(socket, (bytes, asked), real, &table);
        }
        // C libraries connect sockets to each address of a name to learn which of them there is a way to, at the port
        // that is to be connected to later, or at this one. That is nothing to report.
        let looks_for_a_way = asked.port() == u16::MAX || carries(&self.policy, Transport::Tcp, &host);
        if asked.ip().is_loopback() || looks_for_a_way {
            return stays_inside();
        }
        self.refusals.note(Transport::Udp.request(&host, asked.port()), decision);
        Err(Errno::EACCES)
    }

    /// The name by which a program knows an address, and the real address behind it.
    fn host(&self, address: IpAddr) -> Result<(String, IpAddr), Errno> {
        match self.names.borrow().host(address) {
            Ok(Some(host)) => Ok((host.name.clone(), host.address)),
            // Nobody was given this one.
            Ok(None) => Err(Errno(libc::EHOSTUNREACH)),
            Err(address) => Ok((address.to_string(), address)),
        }
    }

    /// Where on the host a connection to a loopback address goes that nobody inside takes.
    fn outside(&self, to: SocketAddr) -> Option<SocketAddr> {
        let host = to.ip().to_string();
        let decision = reaches(&self.policy, Transport::Tcp, &host, to.port(), to.ip());
        if decision.allowed || self.listening.borrow().is_own(to) {
            return Some(to);
        }
        self.refusals.note(policy::Request::Net { host, port: to.port() }, decision);
        None
    }

    /// The real address behind one that a program was given, or granted as such.
    fn destination(&self, to: SocketAddr) -> Result<SocketAddr, Errno> {
        let port = to.port();
        let (name, address) = self.host(to.ip())?;
        let decision = reaches(&self.policy, Transport::Tcp, &name, port, address);
        if decision.allowed {
            return Ok(SocketAddr::new(address, port));
        }
        self.refusals.note(policy::Request::Net { host: name, port }, decision);
        Err(Errno::EACCES)
    }

    /// Connects a socket of the host and puts it in the place of the program's.
    fn connect_host(&self, request: &confine::Request, like: &OwnedFd, to: SocketAddr) -> Answer {
        let model = SockRef::from(like);
        let made =
            Socket::new(Domain::for_address(to), Type::STREAM.nonblocking(), Some(Protocol::TCP)).and_then(|socket| {
                if model.keepalive().unwrap_or(false) {
                    socket.set_keepalive(true)?;
                }
                if model.tcp_nodelay().unwrap_or(false) {
                    socket.set_tcp_nodelay(true)?;
                }
                Ok(socket)
            });
        let socket = match made {
            Ok(socket) => socket,
            Err(error) => return Ok(Err(errno(error))),
        };
        if !model.nonblocking().unwrap_or(true) {
            return Err(Later::Host(socket, to));
        }
        let answer = socket.connect(&to.into()).map_err(errno);
        if !matches!(answer, Ok(()) | Err(IN_PROGRESS)) {
            return Ok(answer);
        }
        Ok(self.replace(request, &socket.into()).and(answer))
    }

    /// Puts `socket` in the place of the one that a request is about.
    fn replace(&self, request: &confine::Request, socket: &OwnedFd) -> Result<(), Errno> {
        // Where no other program can run, none inherits it. To ask takes a fifth of the time that an answer takes.
        let close_on_exec = !self.runs_programs || self.listener.closes_on_exec(request);
        self.listener.replace(request, socket, close_on_exec)
    }

    /// Puts a connection to the launcher in the place of the program's socket.
    fn connect_requests(&self, request: &confine::Request, like: &OwnedFd) -> Result<(), Errno> {
        let requests = self.requests.as_ref().ok_or(Errno::EACCES)?;
        let theirs = requests.connect().map_err(errno)?;
        theirs.set_nonblocking(SockRef::from(like).nonblocking().unwrap_or(true)).map_err(errno)?;
        self.replace(request, &theirs.into())
    }

    fn connect_name_server(&self, request: &confine::Request, like: &OwnedFd, taker: &Stand) -> Result<(), Errno> {
        let (ours, theirs) = ground::connected_pair()?;
        theirs.set_nonblocking(SockRef::from(like).nonblocking().unwrap_or(true)).map_err(errno)?;
        ours.set_nonblocking(true).map_err(errno)?;
        taker.take(TcpStream::from_std(ours).map_err(errno)?)?;
        self.replace(request, &theirs.into())
    }
}

impl Later {
    async fn finish(self, broker: &Broker, request: &confine::Request) -> Result<(), Errno> {
        let (socket, to) = match self {
            Self::Host(socket, to) => (socket, to),
            Self::Own(socket, bytes, to) => {
                let answer = own::connect(&socket, bytes).await;
                if answer != Err(Errno(libc::ECONNREFUSED)) || to == NAME_SERVER {
                    return answer;
                }
                let Some(to) = broker.outside(to) else { return answer };
                match broker.connect_host(request, &socket, to) {
                    Err(Self::Host(socket, to)) => (socket, to),
                    Err(Self::Own(..)) => return answer,
                    Ok(answer) => return answer,
                }
            }
        };
        let stream = TcpSocket::from_std_stream(socket.into()).connect(to).await.map_err(errno)?;
        let stream = stream.into_std().map_err(errno)?;
        stream.set_nonblocking(false).map_err(errno)?;
        broker.replace(request, &stream.into())
    }
}

fn is_writable(socket: &OwnedFd) -> bool {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    poll(&mut [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)], PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}

/// Where a socket listens that was bound nowhere: at some port of all addresses.
fn unspecified(socket: &OwnedFd) -> SocketAddr {
    let local = SockRef::from(socket).local_addr().ok().and_then(|address| address.as_socket());
    local.unwrap_or_else(|| SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0))
}

fn is_stream(socket: &OwnedFd) -> bool {
    SockRef::from(socket).r#type().is_ok_and(|kind| kind == Type::STREAM)
}

/// The address by which this machine reaches itself, where programs may say "any".
fn loopback(address: IpAddr) -> IpAddr {
    if address.is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { address }
}
