//! What the harness calls, through `bun:ffi`. All of it on the one thread of JavaScript.
//!
//! Results below zero are error numbers of the kernel, negated.

use core::cell::UnsafeCell;
use core::slice;

use crate::channel;
use crate::descriptors;
use crate::server::{self, Server};
use crate::sys::{self, Errno, Fd, Result};
use crate::threads;

/// The state between calls of the harness.
struct OneThread(UnsafeCell<Server>);

// SAFETY: the harness calls from its main thread alone, and takes the functions from the reach of everything else.
unsafe impl Sync for OneThread {}

static SERVER: OneThread = OneThread(UnsafeCell::new(Server::new()));

/// The state; no function that is called below calls another of this module.
fn server() -> &'static mut Server {
    // SAFETY: one thread, as above, and one reference at a time: each exported function takes it once, and none of them
    // runs within another, since none calls back into JavaScript.
    unsafe { &mut *SERVER.0.get() }
}

/// Writes the names of the threads beside this one, one a line, and says how many bytes those are.
///
/// # Safety
/// `names` points to `length` bytes that nobody else uses meanwhile.
#[cfg_attr(shared_library, unsafe(export_name = "forkserver_threads"))]
pub(crate) unsafe extern "C" fn threads(names: *mut u8, length: u32) -> i32 {
    // SAFETY: as this function's caller promises.
    let names = unsafe { slice::from_raw_parts_mut(names, length as usize) };
    number(threads::others(names))
}

/// Puts /dev/null in the place of the descriptor from which this library was loaded: with it, whoever can write there
/// writes into the code that the server and all children run. Not left free, since it is standard input.
#[cfg_attr(shared_library, unsafe(export_name = "forkserver_release"))]
pub(crate) extern "C" fn release(library: i32) -> i32 {
    number(descriptors::replace_by_nothing(Fd(library)).map(|()| 0))
}

/// Prepares this process for forks. Says how many mappings were withheld from children.
#[cfg_attr(shared_library, unsafe(export_name = "forkserver_prepare"))]
pub(crate) extern "C" fn prepare() -> i32 {
    number(server().prepare().map(|(mappings, _)| mappings))
}

/// How many descriptors are open.
#[cfg_attr(shared_library, unsafe(export_name = "forkserver_descriptors"))]
pub(crate) extern "C" fn descriptors() -> i32 {
    number(descriptors::count())
}

/// Looks for the state of the generators of random numbers; `Math.random` has just returned `drawn`.
#[cfg_attr(shared_library, unsafe(export_name = "forkserver_find_random"))]
pub(crate) extern "C" fn find_random(drawn: f64) -> i32 {
    number(server().random.find(drawn).map(|()| 0))
}

/// Whether (1 or 0) each was found once, by what `Math.random` has drawn since.
#[cfg_attr(shared_library, unsafe(export_name = "forkserver_confirm_random"))]
pub(crate) extern "C" fn confirm_random(drawn: f64) -> i32 {
    i32::from(server().random.confirm(drawn))
}

/// Whether (1 or 0) anybody has called `Math.random` since.
#[cfg_attr(shared_library, unsafe(export_name = "forkserver_random_was_used"))]
pub(crate) extern "C" fn random_was_used() -> i32 {
    i32::from(server().random.was_used())
}

/// What [`rehearse`] returns in the child: no exit code, and no signal.
const IN_REHEARSAL: i32 = 1000;

/// Forks for a rehearsal. In the child 1000; else its exit code, the signal that ended it, negated, or 2000 where there
/// was none.
#[cfg_attr(shared_library, unsafe(export_name = "forkserver_rehearse"))]
pub(crate) extern "C" fn rehearse() -> i32 {
    match server().rehearse() {
        Ok(None) => IN_REHEARSAL,
        Ok(Some(end)) => end,
        Err(_) => 2 * IN_REHEARSAL,
    }
}

/// Serves the launcher at `control`, and tells it why the module is not loaded that it wanted before the fork, or 0. Returns in children, with their gate; ends the process with the launcher.
#[cfg_attr(shared_library, unsafe(export_name = "forkserver_serve"))]
pub(crate) extern "C" fn serve(control: i32, refused: u32) -> i32 {
    descriptor(server().serve(Fd(control), refused))
}

/// In a child: says that it is ready and waits for the channel.
#[cfg_attr(shared_library, unsafe(export_name = "forkserver_join"))]
pub(crate) extern "C" fn join(gate: i32) -> i32 {
    descriptor(server::join(Fd(gate)))
}

/// Opens a channel that leads back here, with one frame to receive. Both its ends are in the result, the far one
/// shifted by 16 bits.
///
/// # Safety
/// `from` points to `length` bytes that nobody writes to meanwhile.
#[cfg_attr(shared_library, unsafe(export_name = "forkserver_loopback"))]
pub(crate) unsafe extern "C" fn loopback(from: *const u8, length: u32) -> i32 {
    // SAFETY: as this function's caller promises.
    let from = unsafe { slice::from_raw_parts(from, length as usize) };
    match channel::loopback(from) {
        Ok((Fd(near), Fd(far))) => near | far << 16,
        Err(Errno(number)) => -number,
    }
}

/// Closes it.
#[cfg_attr(shared_library, unsafe(export_name = "forkserver_close_loopback"))]
pub(crate) extern "C" fn close_loopback(both: i32) {
    sys::close(Fd(both & 0xffff));
    sys::close(Fd(both >> 16));
}

/// The length of the next frame; -1: there is none, the channel has ended or is broken.
#[cfg_attr(shared_library, unsafe(export_name = "forkserver_next_length"))]
pub(crate) extern "C" fn next_length(channel: i32) -> f64 {
    match channel::next_length(Fd(channel)) {
        Ok(Some(length)) => f64::from(length),
        Ok(None) | Err(_) => -1.0,
    }
}

/// Fills the bytes from the channel.
///
/// # Safety
/// `into` points to `length` bytes that nobody else uses meanwhile.
#[cfg_attr(shared_library, unsafe(export_name = "forkserver_receive"))]
pub(crate) unsafe extern "C" fn receive(channel: i32, into: *mut u8, length: u32) -> i32 {
    // SAFETY: as this function's caller promises.
    let into = unsafe { slice::from_raw_parts_mut(into, length as usize) };
    number(channel::read(Fd(channel), into).map(|()| 0))
}

/// Writes the bytes to the channel.
///
/// # Safety
/// `from` points to `length` bytes that nobody writes to meanwhile.
#[cfg_attr(shared_library, unsafe(export_name = "forkserver_send"))]
pub(crate) unsafe extern "C" fn send(channel: i32, from: *const u8, length: u32) -> i32 {
    // SAFETY: as this function's caller promises.
    let from = unsafe { slice::from_raw_parts(from, length as usize) };
    number(channel::write(Fd(channel), from).map(|()| 0))
}

/// Fills the bytes with random ones of the kernel.
///
/// # Safety
/// `into` points to `length` bytes that nobody else uses meanwhile.
#[cfg_attr(shared_library, unsafe(export_name = "forkserver_random"))]
pub(crate) unsafe extern "C" fn random(into: *mut u8, length: u32) -> i32 {
    // SAFETY: as this function's caller promises.
    let into = unsafe { slice::from_raw_parts_mut(into, length as usize) };
    number(sys::random(into).map(|()| 0))
}

/// The number of this process, which the engine remembers from before the fork.
#[cfg_attr(shared_library, unsafe(export_name = "forkserver_process_id"))]
pub(crate) extern "C" fn process_id() -> i32 {
    sys::pid().cast_signed()
}

/// Ends the process without running anything more of it.
#[cfg_attr(shared_library, unsafe(export_name = "forkserver_end"))]
pub(crate) extern "C" fn end(code: i32) -> i32 {
    sys::exit(code)
}

fn number(result: Result<usize>) -> i32 {
    match result {
        Ok(count) => i32::try_from(count).unwrap_or(i32::MAX),
        Err(Errno(number)) => -number,
    }
}

fn descriptor(result: Result<Fd>) -> i32 {
    match result {
        Ok(Fd(number)) => number,
        Err(Errno(number)) => -number,
    }
}
