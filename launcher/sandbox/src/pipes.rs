//! The pipes between the launcher and the program.

use std::io::IsTerminal;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::path::Path;

use confine::Stdio;

use crate::error::{Error, Kind};
use crate::run::{Input, Output};
use crate::supervise::Sink;

/// Of each: reading end, writing end, and where it goes.
pub(crate) struct Pipes {
    /// Where a call is written to, and what the program reads.
    pub(crate) call: Option<OwnedFd>,
    input: Option<OwnedFd>,
    pub(crate) stdout: Option<(OwnedFd, OwnedFd, Sink)>,
    pub(crate) stderr: Option<(OwnedFd, OwnedFd, Sink)>,
    pub(crate) channel: Option<(OwnedFd, OwnedFd)>,
}

/// A pipe: its reading end, and its writing end.
pub(crate) fn pipe() -> std::io::Result<(OwnedFd, OwnedFd)> {
    std::io::pipe().map(|(reader, writer)| (reader.into(), writer.into()))
}

/// Which streams of a program go through the launcher.
pub(crate) struct Streams {
    pub(crate) output: Output,
    /// What it prints is counted.
    pub(crate) counted: bool,
    /// What stands on standard output where a call begins.
    pub(crate) mark: Option<&'static str>,
    /// There is a preload, which may report.
    pub(crate) channel: bool,
    /// What it reads.
    pub(crate) input: Input,
}

impl Pipes {
    pub(crate) fn open(streams: &Streams) -> Result<Self, Error> {
        let pipe = || pipe().map_err(|error| Error::system("make a pipe", &error));
        let captured = streams.output == Output::Capture;
        let Streams { counted, mark, .. } = *streams;
        let mut pipes = Self { call: None, input: None, stdout: None, stderr: None, channel: None };
        if captured || counted || mark.is_some() {
            let sink = if captured { Sink::Capture } else { Sink::Output { mark } };
            let (reader, writer) = pipe()?;
            pipes.stdout = Some((reader, writer, sink));
        }
        if captured || counted {
            let sink = if captured { Sink::Capture } else { Sink::Error };
            let (reader, writer) = pipe()?;
            pipes.stderr = Some((reader, writer, sink));
        }
        if streams.channel {
            pipes.channel = Some(pipe()?);
        }
        match streams.input {
            Input::Own => {}
            Input::Empty => {
                let null = Path::new("/dev/null");
                let opened =
                    std::fs::File::open(null).map_err(|error| Error::io(Kind::Sandbox, "open", null, &error))?;
                pipes.input = Some(opened.into());
            }
            Input::Call => {
                let (reader, writer) = pipe()?;
                (pipes.input, pipes.call) = (Some(reader), Some(writer));
            }
        }
        pipes.refuse_directories()?;
        Ok(pipes)
    }

    /// A directory that the program is given as a stream is a way past its root: the names below it are the host's.
    fn refuse_directories(&self) -> Result<(), Error> {
        let (input, output, error) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
        for (stream, given, fd) in [
            ("input", self.input.is_none(), input.as_fd()),
            ("output", self.stdout.is_none(), output.as_fd()),
            ("error", self.stderr.is_none(), error.as_fd()),
        ] {
            let kind = nix::sys::stat::fstat(fd).map_or(0, |stat| stat.st_mode & nix::libc::S_IFMT);
            if given && kind == nix::libc::S_IFDIR {
                return Err(Error::new(Kind::Usage, format!("standard {stream} is a directory"))
                    .with_help("a program cannot have one of those: redirect it from a file, or from /dev/null"));
            }
        }
        Ok(())
    }

    pub(crate) fn stdio(&self) -> Stdio {
        let end =
            |pipe: &Option<(OwnedFd, OwnedFd, Sink)>, own: RawFd| pipe.as_ref().map_or(own, |pipe| pipe.1.as_raw_fd());
        Stdio {
            input: self.input.as_ref().map_or(0, AsRawFd::as_raw_fd),
            output: end(&self.stdout, 1),
            error: end(&self.stderr, 2),
            channel: self.channel.as_ref().map(|(_, writer)| writer.as_raw_fd()),
        }
    }

    /// Whether the program has a terminal that it may configure.
    pub(crate) fn has_terminal(&self) -> bool {
        (self.input.is_none() && std::io::stdin().is_terminal())
            || (self.stdout.is_none() && std::io::stdout().is_terminal())
            || (self.stderr.is_none() && std::io::stderr().as_fd().is_terminal())
    }
}
