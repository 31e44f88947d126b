//! The memory of this process: what children would not get, and where to look for something.

use crate::procfs::{field, hexadecimal, lines};
use crate::sys::{self, Errno, Result};

/// How many mappings may have to be mended. Bun has one.
const MOST_WITHHELD: usize = 64;

/// Addresses from `start` to before `end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// Lets children inherit what this process has marked as its own (`MADV_DONTFORK`): the engine does that with the
/// memory of its machine code, and a child would crash at its first jump there. Says how many mappings those were.
pub(crate) fn inherit_all() -> Result<usize> {
    let mut withheld = [Range::default(); MOST_WITHHELD];
    let mut count = 0;
    let mut current = Range::default();
    lines(c"/proc/self/smaps", |line| {
        if let Some((range, _)) = header(line) {
            current = range;
        } else if line.starts_with(b"VmFlags:") && is_withheld(line) {
            *withheld.get_mut(count).ok_or(Errno::E2BIG)? = current;
            count += 1;
        }
        Ok(())
    })?;
    // Afterwards, since the list changes as mappings become alike.
    for range in withheld.iter().take(count) {
        sys::inherit_mapping(range.start, range.end - range.start)?;
    }
    Ok(count)
}

/// Calls `each` with every range of memory that is read from and written to.
pub(crate) fn writable(mut each: impl FnMut(Range) -> Result<()>) -> Result<()> {
    lines(c"/proc/self/maps", |line| match header(line) {
        Some((range, rest)) if is_data(rest) => each(range),
        _ => Ok(()),
    })
}

/// The range at the beginning of a mapping's line (proc_pid_maps(5)), and what follows it.
fn header(line: &[u8]) -> Option<(Range, &[u8])> {
    let (start, rest) = hexadecimal(line)?;
    let (end, rest) = hexadecimal(rest.strip_prefix(b"-")?)?;
    let rest = rest.strip_prefix(b" ")?;
    let (start, end) = (usize::try_from(start).ok()?, usize::try_from(end).ok()?);
    (start < end).then_some((Range { start, end }, rest))
}

fn is_data(rest: &[u8]) -> bool {
    rest.starts_with(b"rw") && !rest.ends_with(b"[stack]")
}

fn is_withheld(line: &[u8]) -> bool {
    let flags = field(line, b"VmFlags").unwrap_or_default();
    flags.split(|byte| *byte == b' ').any(|flag| flag == b"dc")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_mappings() {
        let line = b"7f00-8000 rw-p 00000000 00:00 0                          [heap]";
        let (range, rest) = header(line).expect("a mapping");
        assert_eq!(range, Range { start: 0x7f00, end: 0x8000 });
        assert!(is_data(rest));
        assert!(!is_data(b"r--p 00000000 00:00 0"));
        assert!(!is_data(b"rw-p 00000000 00:00 0    [stack]"));
        // Begins like a hexadecimal number.
        assert_eq!(header(b"AnonHugePages:         0 kB"), None);
    }

    #[test]
    fn a_withheld_mapping_is_told_by_its_flags() {
        assert!(is_withheld(b"VmFlags: rd wr mr mw me dc sd "));
        assert!(!is_withheld(b"VmFlags: rd wr mr mw me sd "));
    }
}
