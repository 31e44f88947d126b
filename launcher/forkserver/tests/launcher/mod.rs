//! Plays the launcher, outside of any sandbox: starts the server, asks it for children, and calls them.
#![allow(dead_code, unreachable_pub, reason = "each test and example uses a part")]

#[path = "table.rs"]
mod table;

use std::ffi::OsString;
use std::io::{self, BufRead as _, BufReader, IoSlice, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use rustix::process::{Signal, pidfd_send_signal};
use secure_bun_forkserver::LIBRARY;
use secure_bun_forkserver::messages::{
    ANSWER_BYTES, Answer, JOIN, Limits, MOST_REQUEST_BYTES, READY, Reaped, Refusal, Request, VERSION,
};
use serde_json::{Value, json};

/// Longer than anything here takes, shorter than anyone's patience.
const PATIENCE: Duration = Duration::from_secs(30);

/// What Bun gets, and a program does not see.
const VARIABLES: [(&str, &str); 7] = [
    ("BUN_JSC_useShadowRealm", "0"),
    ("BUN_RUNTIME_TRANSPILER_CACHE_PATH", "0"),
    ("BUN_FEATURE_FLAG_DISABLE_ASYNC_TRANSPILER", "1"),
    ("BUN_JSC_useConcurrentJIT", "0"),
    ("BUN_JSC_useConcurrentGC", "0"),
    ("BUN_JSC_numberOfGCMarkers", "1"),
    ("MIMALLOC_SCAVENGER", "0"),
];

/// Who the server runs as where this program is root.
const NOBODY: u32 = 65534;

/// How the server is to be started.
pub struct Settings {
    /// Whether the program's powers are tamed, or the harness stands alone.
    pub guards: bool,
    /// What may be read, for the guards.
    pub read: Vec<PathBuf>,
    /// A module to load before the fork.
    pub module: Option<Preloaded>,
    /// How often a child warms up before it gets its channel.
    pub child_rounds: u32,
    /// Whether code may be made of strings.
    pub eval: bool,
}

/// A module to load before the fork, and the arguments of calls of it.
pub struct Preloaded {
    /// The file.
    pub path: PathBuf,
    /// Arguments of each call.
    pub calls: Vec<Value>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { guards: false, read: Vec::new(), module: None, child_rounds: 1, eval: false }
    }
}

/// A server that is ready to fork.
pub struct Server {
    process: std::process::Child,
    control: OwnedFd,
    folder: tempfile::TempDir,
    /// Why the module is not loaded.
    pub refused: Option<Refusal>,
}

/// A child that has not been asked for anything yet.
pub struct Child {
    /// Its number, as the server sees it.
    pub pid: u32,
    pidfd: OwnedFd,
    gate: OwnedFd,
}

/// A child that has its channel.
pub struct Called {
    /// The child.
    pub child: Child,
    channel: BufReader<UnixStream>,
    token: Option<String>,
}

impl Preloaded {
    /// One that is not called.
    pub fn uncalled(path: &Path) -> Self {
        Self { path: path.to_owned(), calls: Vec::new() }
    }

    fn describe(&self) -> Value {
        let calls: Value = self.calls.iter().map(Value::to_string).collect();
        json!({ "path": self.path, "export": "default", "calls": calls })
    }
}

/// Bun, by the same variable as everywhere in the project.
pub fn bun() -> PathBuf {
    std::env::var_os("SECURE_BUN_BUN").expect("SECURE_BUN_BUN=$(scripts/bun)").into()
}

/// Lets a program run without capabilities, as inside the sandbox. Says whether that makes it somebody else.
pub fn take_privileges(command: &mut Command) -> bool {
    let root = rustix::process::getuid().is_root();
    if root {
        command.uid(NOBODY).gid(NOBODY);
    }
    root
}

/// Descriptors that a program is to inherit are open for inheritance for a moment: no other may start meanwhile.
static STARTING: Mutex<()> = Mutex::new(());

impl Server {
    /// Starts one and waits until it is ready.
    pub fn start(settings: &Settings) -> Self {
        Self::try_start(settings).unwrap_or_else(|said| panic!("the server does not start: {said}"))
    }

    /// The same; what it said on standard error where it does not serve.
    pub fn try_start(settings: &Settings) -> Result<Self, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let warm_up = folder.path().join("warm-up.ts");
        std::fs::write(&warm_up, "export default (a: number, b: number): number => a + b;").expect("written");
        let library =
            memfd_create("forkserver", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).expect("a file in memory");
        std::fs::File::from(library.try_clone().expect("a descriptor")).write_all(LIBRARY).expect("written");
        fcntl_add_seals(&library, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)
            .expect("sealed");
        let (control, theirs) = pair();
        let fork = json!({
            "library": 0,
            "control": theirs.as_raw_fd(),
            "warm_up": warm_up,
            "rounds": 2,
            "child_rounds": settings.child_rounds,
            "module": settings.module.as_ref().map(Preloaded::describe),
        });
        let table = table::of(folder.path(), settings, &fork);
        let policy = folder.path().join("policy.js");
        std::fs::write(&policy, format!("globalThis[Symbol.for(\"secure-bun.table\")]={table};\n")).expect("written");
        let bundle = if settings.guards { "forkserver.js" } else { "forkserver-inert.js" };
        let harness = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../preload/dist").join(bundle);
        let mut preload = OsString::from("--preload=");
        preload.push(policy);
        let mut command = Command::new(bun());
        command
            .args(["run", "--no-install", "--no-env-file", "--config=/dev/null", "--tsconfig-override=/dev/null"])
            .args(["--no-macros", "--no-ffi-cc", "--no-addons"])
            .args((!settings.eval).then_some("--disallow-code-generation-from-strings=strict"))
            .arg(preload)
            .arg(harness)
            .current_dir(folder.path())
            .env_clear()
            .envs(VARIABLES)
            .env("SECRET_OF_THE_SERVER", "5f1d6e0c")
            .stdin(library)
            .stderr(std::fs::File::create(folder.path().join("stderr")).expect("a file"));
        if take_privileges(&mut command) {
            std::os::unix::fs::chown(folder.path(), Some(NOBODY), Some(NOBODY)).expect("ours");
        }
        let process = {
            let _alone = STARTING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            fcntl_setfd(&theirs, FdFlags::empty()).expect("inherited");
            let process = command.spawn().expect("Bun starts");
            drop((theirs, command));
            process
        };
        let mut server = Self { process, control, folder, refused: None };
        match server.answer() {
            Some((Answer::Ready { version: VERSION, refused }, None)) => {
                server.refused = Refusal::of_number(refused);
                Ok(server)
            }
            answer => Err(format!("{answer:?} {}", server.said())),
        }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// What it and its children said on standard error.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("stderr")).expect("a file")
    }

    /// Where it can be given modules: a file with this text.
    pub fn module(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    }

    /// A child with these limits, not yet ready.
    pub fn fork(&self, limits: &Limits) -> Child {
        let (gate, theirs) = pair();
        self.ask(&Request::Fork(*limits), Some(theirs.as_fd()));
        match self.answer() {
            Some((Answer::Forked(pid), Some(pidfd))) => Child { pid, pidfd, gate },
            answer => panic!("{answer:?}"),
        }
    }

    /// A child that is ready.
    pub fn child(&self) -> Child {
        let child = self.fork(&Limits::default());
        child.wait_until_ready();
        child
    }

    /// Waits for a child's end.
    pub fn reap(&self, child: &Child) -> Reaped {
        wait(child.pidfd.as_fd());
        self.ask(&Request::Reap(child.pid), None);
        match self.answer() {
            Some((Answer::Reaped(reaped), None)) => reaped,
            answer => panic!("{answer:?}"),
        }
    }

    /// Ends a child and waits for that.
    pub fn end(&self, child: &Child) -> Reaped {
        child.kill();
        self.reap(child)
    }

    /// Asks for anything, and takes the answer.
    pub fn exchange(&self, bytes: &[u8]) -> Option<Answer> {
        send(self.control.as_fd(), bytes, &[]).ok()?;
        self.answer().map(|(answer, _)| answer)
    }

    /// Asks for a child's end, whether that has come or not.
    pub fn ask_to_reap(&self, pid: u32) -> Answer {
        self.ask(&Request::Reap(pid), None);
        self.answer().expect("an answer").0
    }

    /// Closes the control socket, and says how the server ended.
    pub fn hang_up(&mut self) -> std::process::ExitStatus {
        let (_, unconnected) = pair();
        drop(std::mem::replace(&mut self.control, unconnected));
        self.process.wait().expect("a child of ours")
    }

    fn ask(&self, request: &Request, descriptor: Option<BorrowedFd<'_>>) {
        let mut bytes = [0; MOST_REQUEST_BYTES];
        let length = request.encode(&mut bytes);
        send(self.control.as_fd(), &bytes[..length], descriptor.as_slice()).expect("the server listens");
    }

    fn answer(&self) -> Option<(Answer, Option<OwnedFd>)> {
        let mut bytes = [0; ANSWER_BYTES];
        let (length, descriptor) = receive(self.control.as_fd(), &mut bytes)?;
        Some((Answer::decode(&bytes[..length])?, descriptor))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.said());
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Child {
    /// Waits for its word.
    pub fn wait_until_ready(&self) {
        let mut bytes = [0; READY.len()];
        let (length, descriptor) = receive(self.gate.as_fd(), &mut bytes).expect("the child is ready");
        assert!(length == READY.len() && bytes == READY && descriptor.is_none());
    }

    /// The same child, its gate closed.
    pub fn without_gate(mut self) -> Self {
        let (_, unconnected) = pair();
        self.gate = unconnected;
        self
    }

    /// Gives it its channel and asks for a call.
    pub fn call(self, request: &str) -> Called {
        self.call_with(request, &[])
    }

    /// The same, with a standard output and a standard error of its own.
    pub fn call_with(self, request: &str, streams: &[BorrowedFd<'_>]) -> Called {
        let (mut ours, theirs) = UnixStream::pair().expect("a channel");
        let descriptors = [&[theirs.as_fd()], streams].concat();
        send(self.gate.as_fd(), JOIN, &descriptors).expect("the child waits");
        let length = u32::try_from(request.len()).expect("not too long");
        let frame = [&length.to_le_bytes(), request.as_bytes()].concat();
        ours.write_all(&frame).expect("the child reads");
        Called { child: self, channel: BufReader::new(ours), token: None }
    }

    /// Waits for its end, without forgetting it.
    pub fn wait_until_ended(&self) {
        wait(self.pidfd.as_fd());
    }

    /// Whether it is there still.
    pub fn is_alive(&self) -> bool {
        let mut polled = [PollFd::new(&self.pidfd, PollFlags::IN)];
        poll(&mut polled, Some(&Timespec::default())).expect("polled") == 0
    }

    /// Ends it.
    pub fn kill(&self) {
        pidfd_send_signal(&self.pidfd, Signal::KILL).expect("not reaped");
    }
}

impl Called {
    /// The next frame: its kind and its payload. `None`: there is none.
    pub fn frame(&mut self) -> Option<(String, Value)> {
        let (token, kind, payload) = self.any_frame()?;
        assert_eq!(*self.token.get_or_insert_with(|| token.clone()), token, "the first frame's token is in all");
        Some((kind, payload))
    }

    /// The next frame, whatever its token, with that.
    pub fn any_frame(&mut self) -> Option<(String, String, Value)> {
        self.channel.get_ref().set_read_timeout(Some(PATIENCE)).expect("set");
        let mut header = String::new();
        self.channel.read_line(&mut header).ok().filter(|read| *read > 0)?;
        let ["SB1", token, kind, length] = header.split_whitespace().collect::<Vec<_>>()[..] else {
            panic!("no header of a frame: {header}")
        };
        let mut payload = vec![0; length.parse::<usize>().expect("a number") + 1];
        self.channel.read_exact(&mut payload).ok()?;
        assert_eq!(payload.pop(), Some(b'\n'));
        Some((token.to_owned(), kind.to_owned(), serde_json::from_slice(&payload).expect("JSON")))
    }

    /// The next frame but those about how far the call has come.
    pub fn output(&mut self) -> Option<(String, Value)> {
        loop {
            match self.frame()? {
                (kind, _) if ["hello", "loaded", "call"].contains(&kind.as_str()) => {}
                frame => return Some(frame),
            }
        }
    }

    /// The result, past console output. Panics where that is an error.
    pub fn result(&mut self) -> Value {
        loop {
            match self.output() {
                Some((kind, payload)) if kind == "result" => return payload,
                Some((kind, payload)) if kind == "error" => panic!("{payload:#}"),
                Some(_) => {}
                None => panic!("no answer"),
            }
        }
    }
}

/// A request to call the default export of a module.
pub fn call(path: &Path, args: &Value) -> String {
    request(path, args).to_string()
}

/// The same, to change.
pub fn request(path: &Path, args: &Value) -> Value {
    json!({
        "kind": "call", "path": path, "export": "default", "args": args, "context": null, "env": [], "secrets": {},
        "mentions": [], "bytes": [], "returns_bytes": false,
    })
}

/// A request for random numbers, events and a loop.
pub const PROBE: &str = r#"{"kind":"probe"}"#;

/// The middle one and the 99th of a hundred.
pub fn percentiles(times: &mut [Duration]) -> (Duration, Duration) {
    times.sort();
    (times[times.len() / 2], times[times.len() * 99 / 100])
}

/// How long something takes.
pub fn time<T>(act: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let value = act();
    (start.elapsed(), value)
}

fn pair() -> (OwnedFd, OwnedFd) {
    socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).expect("a pair of sockets")
}

fn wait(fd: BorrowedFd<'_>) {
    let mut polled = [PollFd::new(&fd, PollFlags::IN)];
    let patience = Timespec::try_from(PATIENCE).expect("a short time");
    assert_eq!(poll(&mut polled, Some(&patience)), Ok(1), "nothing happens");
}

fn send(to: BorrowedFd<'_>, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut rights = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        assert!(rights.push(SendAncillaryMessage::ScmRights(descriptors)), "there is room");
    }
    sendmsg(to, &[IoSlice::new(bytes)], &mut rights, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// One message, and the descriptor with it. `None`: the other end is closed.
fn receive(from: BorrowedFd<'_>, into: &mut [u8]) -> Option<(usize, Option<OwnedFd>)> {
    wait(from);
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut rights = RecvAncillaryBuffer::new(&mut space);
    let message = recvmsg(from, &mut [IoSliceMut::new(into)], &mut rights, RecvFlags::CMSG_CLOEXEC).ok()?;
    let descriptor = rights.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    (message.bytes > 0).then_some((message.bytes, descriptor))
}
