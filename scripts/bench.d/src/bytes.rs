//! `scripts/bench bytes`: what it takes to hand bytes to a program and to get some back: as base64 within the JSON of a
//! call, as they are through a pipe, and in memory whose descriptor the program inherits. Each time in a new process,
//! as a call is.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use serde_json::{Value, json};

use crate::args::Args;
use crate::report;

/// It imports what the preload serialises with, so it is run where it lies.
const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/programs/bytes.ts");

const SIZES: [usize; 8] = [1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20];
const WAYS: [&str; 3] = ["base64", "pipe", "memory"];
const DIRECTIONS: [&str; 2] = ["take", "give"];

/// What is read of a pipe at once.
const CHUNK_BYTES: usize = 64 << 10;

/// What the bytes are.
const BYTE: u8 = 0xa5;

pub(crate) fn run(args: &Args) -> Result<(), String> {
    for direction in DIRECTIONS {
        println!("the program {direction}s, {} rounds", args.rounds);
        for size in SIZES {
            let mut times = vec![Vec::with_capacity(args.rounds); WAYS.len()];
            for round in 0..args.warmup + args.rounds {
                for (way, times) in WAYS.iter().zip(&mut times) {
                    let time = once(&args.bun, way, direction, size).map_err(|error| format!("{way}: {error}"))?;
                    if round >= args.warmup {
                        times.push(time);
                    }
                }
            }
            println!("{size} bytes");
            println!("{}", report::table(&WAYS, &times));
        }
    }
    Ok(())
}

/// The time of one hand-over, from the bytes on one side to the bytes on the other.
fn once(bun: &Path, way: &str, direction: &str, size: usize) -> std::io::Result<Duration> {
    let memory = File::from(memfd_create("bytes", MFdFlags::MFD_ALLOW_SEALING)?);
    let mut child = Command::new(bun)
        .args(["run", PROGRAM, way, direction, &size.to_string(), &memory.as_raw_fd().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    expect(&mut child, b'!')?;
    let time = if direction == "give" {
        taken(&mut child, way, &memory, size)?
    } else {
        given(&mut child, way, &memory, &vec![BYTE; size])?
    };
    drop(child.stdin.take());
    if child.wait()?.success() { Ok(time) } else { Err(std::io::Error::other("the program failed")) }
}

/// Hands bytes to the program.
fn given(child: &mut Child, way: &str, memory: &File, bytes: &[u8]) -> std::io::Result<Duration> {
    let begun = Instant::now();
    let Some(mut pipe) = child.stdin.take() else { return Err(std::io::ErrorKind::BrokenPipe.into()) };
    match way {
        "base64" => {
            let args = json!([STANDARD.encode(bytes)]).to_string();
            pipe.write_all(json!({ "args": args }).to_string().as_bytes())?;
        }
        "pipe" => pipe.write_all(bytes)?,
        _ => {
            memory.write_all_at(bytes, 0)?;
            seal(memory)?;
            pipe.write_all(b".")?;
        }
    }
    drop(pipe);
    expect(child, b'.')?;
    Ok(begun.elapsed())
}

/// Gets bytes from the program.
fn taken(child: &mut Child, way: &str, memory: &File, size: usize) -> std::io::Result<Duration> {
    let begun = Instant::now();
    if let Some(pipe) = &mut child.stdin {
        pipe.write_all(b".")?;
    }
    let bytes = match way {
        "base64" => {
            let mut text = Vec::new();
            if let Some(pipe) = &mut child.stdout {
                BufReader::with_capacity(CHUNK_BYTES, pipe).read_until(b'\n', &mut text)?;
            }
            let value: Value = serde_json::from_slice(&text)?;
            STANDARD.decode(value.as_str().unwrap_or_default()).map_err(std::io::Error::other)?
        }
        "pipe" => {
            let mut bytes = vec![0; size];
            child.stdout.as_mut().map_or(Ok(()), |pipe| pipe.read_exact(&mut bytes))?;
            bytes
        }
        _ => {
            expect(child, b'.')?;
            seal(memory)?;
            let mut bytes = vec![0; size];
            memory.read_exact_at(&mut bytes, 0)?;
            bytes
        }
    };
    let time = begun.elapsed();
    let is_whole = bytes.len() == size && bytes.last() == Some(&BYTE);
    if is_whole { Ok(time) } else { Err(std::io::Error::other("other bytes than were given")) }
}

/// Nobody changes it any more.
fn seal(memory: &File) -> std::io::Result<()> {
    let all = SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SHRINK;
    fcntl(memory, FcntlArg::F_ADD_SEALS(all))?;
    Ok(())
}

fn expect(child: &mut Child, sign: u8) -> std::io::Result<()> {
    let mut said = [0];
    child.stdout.as_mut().map_or(Ok(()), |pipe| pipe.read_exact(&mut said))?;
    if said == [sign] { Ok(()) } else { Err(std::io::Error::other("the program said something else")) }
}
