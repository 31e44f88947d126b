//! Which threads there are. A child of fork has one thread; what another one held at that moment, a lock or half a
//! collection of garbage, stays held in it.

use crate::procfs::{self, NumberedPath};
use crate::sys::{self, Errno, Result};

/// Parked for good after Bun's start, and nothing waits for it.
const HARMLESS: &[u8] = b"JSCWarmUp";

/// The longest name of a thread, in bytes.
const MOST_NAME_BYTES: usize = 15;

/// Writes the names of the other threads into `names`, one a line, and says how many bytes those are.
pub(crate) fn others(names: &mut [u8]) -> Result<usize> {
    let own = sys::pid();
    let mut length = 0;
    procfs::numbers(c"/proc/self/task", |thread| {
        if thread == own {
            return Ok(());
        }
        let mut name = [0; MOST_NAME_BYTES + 1];
        let read = match name_of(thread, &mut name) {
            Ok(read) => read,
            // It has ended meanwhile.
            Err(Errno::ENOENT | Errno::ESRCH) => return Ok(()),
            Err(errno) => return Err(errno),
        };
        let line = name.get(..read).unwrap_or_default();
        if line.strip_suffix(b"\n") == Some(HARMLESS) {
            return Ok(());
        }
        names.get_mut(length..length + read).ok_or(Errno::E2BIG)?.copy_from_slice(line);
        length += read;
        Ok(())
    })?;
    Ok(length)
}

fn name_of(thread: u32, into: &mut [u8]) -> Result<usize> {
    let file = sys::open(NumberedPath::new(b"/proc/self/task/", thread, b"/comm").as_c_str())?;
    let read = sys::read(file, into);
    sys::close(file);
    read
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_seen_by_its_name() {
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let (start, started) = std::sync::mpsc::channel();
        let body = move || {
            start.send(()).expect("the test waits");
            let _ = ended.recv();
        };
        let thread = std::thread::Builder::new().name("JITWorker".into()).spawn(body).expect("a thread starts");
        started.recv().expect("it runs");
        let mut names = [0; 4096];
        let length = others(&mut names).expect("readable");
        let names = String::from_utf8_lossy(&names[..length]).into_owned();
        assert!(names.lines().any(|name| name == "JITWorker"), "{names}");
        drop(end);
        thread.join().expect("it ends");
    }
}
