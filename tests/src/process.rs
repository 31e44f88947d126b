//! Processes under test: each has a limit of time, and is ended with it.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{ChildStdin, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use snapbox::data::Inline;

use crate::envelope::Envelope;
use crate::folder::Folder;
use crate::tools::bun;

/// The longest that any process of a test may take.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A command to run.
#[derive(Debug)]
pub struct Command {
    inner: std::process::Command,
    folder: String,
    input: Option<Vec<u8>>,
    output: Option<Stdio>,
    files: Option<Folder>,
}

impl Command {
    pub(crate) fn new(program: &Path, folder: &Path) -> Self {
        let mut command = std::process::Command::new(program);
        command.current_dir(folder).env_clear();
        Self {
            inner: command,
            folder: folder.display().to_string(),
            input: Some(Vec::new()),
            output: None,
            files: None,
        }
    }

    /// With one more argument.
    #[must_use]
    pub fn word(self, word: impl AsRef<OsStr>) -> Self {
        self.words([word])
    }

    /// With more arguments.
    #[must_use]
    pub fn words<S: AsRef<OsStr>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.inner.args(words);
        self
    }

    /// With a variable in its environment.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.inner.env(name, value);
        self
    }

    /// With a text to read on standard input, instead of none.
    #[must_use]
    pub fn input(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.input = Some(text.into());
        self
    }

    /// With a standard input that stays open while it runs.
    #[must_use]
    pub fn open_input(mut self) -> Self {
        self.input = None;
        self
    }

    /// With another standard output than a pipe that is read.
    #[must_use]
    pub fn stdout(mut self, to: impl Into<Stdio>) -> Self {
        self.output = Some(to.into());
        self
    }

    /// In another folder.
    #[must_use]
    pub fn from(mut self, folder: &Path) -> Self {
        self.inner.current_dir(folder);
        self
    }

    /// With its files, which go away when it has ended.
    #[must_use]
    pub fn keep(mut self, files: Folder) -> Self {
        self.files = Some(files);
        self
    }

    /// With one more descriptor, that appends to a file.
    #[must_use]
    pub fn descriptor(self, number: u32, file: &Path) -> Self {
        // Only a shell gives a child a descriptor of a chosen number without unsafe code here.
        self.after(&format!("exec {number}>>'{}'", file.display()))
    }

    /// With a line of shell before it, in the same process.
    #[must_use]
    pub fn after(mut self, line: &str) -> Self {
        let inner = self.replace_program(Path::new("/bin/sh"));
        self.inner
            .arg("-c")
            .arg(format!("{line} && exec \"$0\" \"$@\""))
            .arg(inner.get_program())
            .args(inner.get_args());
        self
    }

    /// Started by another program, which gets these arguments before the command.
    #[must_use]
    pub fn started_by(mut self, program: &Path, arguments: &[&str]) -> Self {
        let inner = self.replace_program(program);
        self.inner.args(arguments).arg(inner.get_program()).args(inner.get_args());
        self
    }

    /// Runs another program in the same surroundings; the command it was before.
    fn replace_program(&mut self, program: &Path) -> std::process::Command {
        let mut outer = std::process::Command::new(program);
        outer.env_clear().envs(self.inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        outer.current_dir(self.inner.get_current_dir().expect("it was set"));
        std::mem::replace(&mut self.inner, outer)
    }

    /// Runs it to its end.
    pub fn end(self) -> Ended {
        self.start().end()
    }

    /// Runs it to its end, which has to be a success, and gives what it printed.
    #[track_caller]
    pub fn prints(self) -> String {
        let ended = self.end();
        assert_eq!(ended.code(), 0, "{ended}");
        ended.stdout()
    }

    /// Runs it to its end and compares exit code and output with a snapshot. `SNAPSHOTS=overwrite` renews it.
    #[track_caller]
    pub fn shows(self, snapshot: Inline) {
        self.end().is(snapshot);
    }

    /// Runs it to its end and reads the envelope that it printed.
    #[track_caller]
    pub fn envelope(self) -> Envelope {
        Envelope::of(&self.end())
    }

    /// Starts it.
    pub fn start(mut self) -> Running {
        let output = self.output.take().unwrap_or_else(Stdio::piped);
        self.inner.stdin(Stdio::piped()).stdout(output).stderr(Stdio::piped());
        // A group of its own: a signal for it reaches nobody else.
        self.inner.process_group(0);
        let began = Instant::now();
        let mut child =
            self.inner.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.inner.get_program().display()));
        // What it had of ours it alone shall hold now: a pipe ends when its last writer does.
        let program = self.inner.get_program().to_owned();
        drop(std::mem::replace(&mut self.inner, std::process::Command::new(program)));
        let stdout = Stream::follow(child.stdout.take());
        let stderr = Stream::follow(child.stderr.take());
        let mut stdin = child.stdin.take();
        if let Some(input) = self.input {
            let stdin = stdin.take();
            std::thread::spawn(move || {
                // A program that does not read its input is no failure.
                let _ = stdin.expect("standard input is a pipe").write_all(&input);
            });
        }
        let pid = Pid::from_raw(child.id().cast_signed());
        let (sender, exit) = mpsc::channel();
        std::thread::spawn(move || {
            let status = child.wait().expect("a child can be waited for");
            let _ = sender.send((status, began.elapsed()));
        });
        Running { pid, stdout, stderr, stdin, exit, folder: self.folder, files: self.files, taken: 0 }
    }
}

/// A process that runs.
#[derive(Debug)]
pub struct Running {
    /// Its number.
    pub pid: Pid,
    stdout: Stream,
    stderr: Stream,
    stdin: Option<ChildStdin>,
    exit: Receiver<(ExitStatus, Duration)>,
    folder: String,
    files: Option<Folder>,
    /// Bytes of standard output that [`Running::next_line`] has given.
    taken: usize,
}

impl Running {
    /// Waits until it has printed `text` on standard output.
    #[track_caller]
    pub fn says(&self, text: &str) {
        assert!(self.stdout.wait_for(text), "no {text:?}; standard error: {}", self.stderr.text());
    }

    /// The first line that it prints on standard output.
    #[track_caller]
    pub fn line(&self) -> String {
        self.says("\n");
        self.stdout.text().lines().next().unwrap_or_default().to_owned()
    }

    /// The next line that it prints on standard output; `None` where there will be none.
    #[track_caller]
    pub fn next_line(&mut self) -> Option<String> {
        let line = self.stdout.line_from(self.taken)?;
        self.taken += line.len() + 1;
        Some(String::from_utf8_lossy(&line).into_owned())
    }

    /// Gives it bytes of standard input, as many of them as it reads.
    pub fn give(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stdin.as_mut().expect("its input was kept open").write_all(bytes)
    }

    /// Its standard input, for another thread to write to.
    pub fn take_input(&mut self) -> ChildStdin {
        self.stdin.take().expect("its input was kept open")
    }

    /// Ends its standard input.
    pub fn hang_up(&mut self) {
        drop(self.stdin.take());
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid, signal).expect("it is still running");
    }

    /// Gives it a line of standard input.
    pub fn tell(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("its input was kept open");
        stdin.write_all(format!("{line}\n").as_bytes()).expect("it reads");
    }

    /// Waits for its end.
    #[track_caller]
    pub fn end(mut self) -> Ended {
        drop(self.stdin.take());
        let (status, took) = match self.exit.recv_timeout(PATIENCE) {
            Ok(end) => end,
            Err(RecvTimeoutError::Timeout) => {
                // Not waited for yet, so the number is still its own.
                let _ = kill(self.pid, Signal::SIGKILL);
                let (stdout, stderr) = (self.stdout.text(), self.stderr.text());
                panic!("still running after {PATIENCE:?}; standard output: {stdout}; standard error: {stderr}");
            }
            Err(RecvTimeoutError::Disconnected) => unreachable!("the waiting thread answers"),
        };
        let (stdout, stderr) = (self.stdout.finish(), self.stderr.finish());
        drop(self.files);
        Ended { status, took, output: stdout, errors: stderr, folder: self.folder }
    }
}

/// What a process prints, as it comes.
#[derive(Debug)]
struct Stream {
    shared: Arc<(Mutex<Vec<u8>>, Condvar)>,
    has_ended: Arc<AtomicBool>,
    reader: JoinHandle<()>,
}

impl Stream {
    fn follow(from: Option<impl Read + Send + 'static>) -> Self {
        let shared = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let ours = Arc::clone(&shared);
        let has_ended = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&has_ended);
        let reader = std::thread::spawn(move || {
            let Some(mut from) = from else { return };
            let mut chunk = vec![0; 64 * 1024];
            while let Ok(n @ 1..) = from.read(&mut chunk) {
                ours.0.lock().expect("no reader panics").extend_from_slice(&chunk[..n]);
                ours.1.notify_all();
            }
            let _seen = ours.0.lock().expect("no reader panics");
            ended.store(true, Ordering::SeqCst);
            ours.1.notify_all();
        });
        Self { shared, has_ended, reader }
    }

    /// The line that begins at `start`, without its line feed, once it is there.
    #[track_caller]
    fn line_from(&self, start: usize) -> Option<Vec<u8>> {
        let end = |seen: &Vec<u8>| seen.iter().skip(start).position(|byte| *byte == b'\n');
        let seen = self.shared.0.lock().expect("no reader panics");
        let missing = |seen: &mut Vec<u8>| end(seen).is_none() && !self.has_ended.load(Ordering::SeqCst);
        let (seen, waited) = self.shared.1.wait_timeout_while(seen, PATIENCE, missing).expect("no reader panics");
        assert!(!waited.timed_out(), "no further line; so far: {}", String::from_utf8_lossy(&seen));
        end(&seen).map(|length| seen[start..start + length].to_vec())
    }

    fn wait_for(&self, text: &str) -> bool {
        let seen = self.shared.0.lock().expect("no reader panics");
        let missing = |seen: &mut Vec<u8>| !String::from_utf8_lossy(seen).contains(text);
        let (_seen, waited) = self.shared.1.wait_timeout_while(seen, PATIENCE, missing).expect("no reader panics");
        !waited.timed_out()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.shared.0.lock().expect("no reader panics")).into_owned()
    }

    fn finish(self) -> Vec<u8> {
        self.reader.join().expect("no reader panics");
        std::mem::take(&mut self.shared.0.lock().expect("no reader panics"))
    }
}

/// A process that has ended.
#[derive(Debug)]
pub struct Ended {
    /// How.
    pub status: ExitStatus,
    /// How long it took.
    pub took: Duration,
    /// What it printed on standard output.
    pub output: Vec<u8>,
    /// What it printed on standard error.
    pub errors: Vec<u8>,
    folder: String,
}

impl Ended {
    /// Its exit code; a signal is a failure of the test.
    #[track_caller]
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("ended by a signal: {self}"))
    }

    /// The signal that ended it.
    pub fn signal(&self) -> Option<Signal> {
        self.status.signal().map(|number| Signal::try_from(number).expect("an ordinary signal"))
    }

    /// Standard output, with the test's folder as `[FOLDER]` and Bun as `[BUN]`.
    pub fn stdout(&self) -> String {
        self.redacted(&self.output)
    }

    /// Standard error, with the test's folder as `[FOLDER]` and Bun as `[BUN]`.
    pub fn stderr(&self) -> String {
        self.redacted(&self.errors)
    }

    /// Compares exit code and output with a snapshot.
    #[track_caller]
    pub fn is(&self, snapshot: Inline) {
        compare(self.to_string(), snapshot);
    }

    fn redacted(&self, text: &[u8]) -> String {
        let bun = bun().display().to_string();
        String::from_utf8_lossy(text).replace(&self.folder, "[FOLDER]").replace(&bun, "[BUN]")
    }
}

/// For snapshots: exit code or signal, standard output, standard error.
impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.status.code(), self.signal()) {
            (Some(code), _) => writeln!(f, "exit code {code}")?,
            (None, signal) => writeln!(f, "ended by {}", signal.map_or("nothing", Signal::as_str))?,
        }
        for (name, text) in [("stdout", self.stdout()), ("stderr", self.stderr())] {
            if !text.is_empty() {
                write!(f, "--- {name}\n{text}")?;
            }
        }
        Ok(())
    }
}

/// Compares a text with a snapshot, which `SNAPSHOTS=overwrite` renews.
#[track_caller]
pub(crate) fn compare(text: String, snapshot: Inline) {
    snapbox::Assert::new().normalize_paths(false).action_env(snapbox::assert::DEFAULT_ACTION_ENV).eq(text, snapshot);
}
