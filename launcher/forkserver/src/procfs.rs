//! Reading /proc: files line by line, folders by number, without allocating.

use core::ffi::CStr;

use crate::sys::{self, Errno, Fd, Result};

/// Longer lines are cut: what is wanted stands at their beginning.
const MOST_LINE_BYTES: usize = 4096;

/// Calls `each` with every line of a file.
pub(crate) fn lines(path: &CStr, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let file = sys::open(path)?;
    let result = lines_of(file, &mut each);
    sys::close(file);
    result
}

fn lines_of(file: Fd, each: &mut impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut buffer = [0; MOST_LINE_BYTES];
    let mut splitter = Splitter::default();
    loop {
        let read = sys::read(file, buffer.get_mut(splitter.held..).ok_or(Errno::EINVAL)?)?;
        if read == 0 {
            return Ok(());
        }
        splitter.take(&mut buffer, read, each)?;
    }
}

/// What of the buffer is the beginning of a line, and whether the rest of a line that was cut is passed over.
#[derive(Default)]
struct Splitter {
    held: usize,
    skipping: bool,
}

impl Splitter {
    fn take(&mut self, buffer: &mut [u8], read: usize, each: &mut impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let end = self.held + read;
        let mut start = 0;
        while let Some(length) = position(buffer.get(start..end).unwrap_or_default(), b'\n') {
            if !core::mem::take(&mut self.skipping) {
                each(buffer.get(start..start + length).unwrap_or_default())?;
            }
            start += length + 1;
        }
        self.held = end - start;
        if self.held == buffer.len() {
            if !core::mem::replace(&mut self.skipping, true) {
                each(buffer)?;
            }
            self.held = 0;
        } else if self.skipping {
            self.held = 0;
        } else {
            buffer.copy_within(start..end, 0);
        }
        Ok(())
    }
}

/// Calls `each` with every number that is a name in a folder.
pub(crate) fn numbers(path: &CStr, mut each: impl FnMut(u32) -> Result<()>) -> Result<()> {
    const NAME_AT: usize = 19;
    let folder = sys::open(path)?;
    let mut buffer = [0u8; 4096];
    let mut result = Ok(());
    'all: while result.is_ok() {
        let length = match sys::entries(folder, &mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(errno) => {
                result = Err(errno);
                break;
            }
        };
        // Each entry is an inode, an offset, its own length, a type, and the name (getdents64(2)).
        let mut rest = buffer.get(..length).unwrap_or_default();
        while let [_, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, low, high, _, ..] = rest {
            let entry_length = usize::from(u16::from_le_bytes([*low, *high]));
            let name = rest.get(NAME_AT..entry_length).unwrap_or_default();
            let name = name.get(..position(name, 0).unwrap_or(name.len())).unwrap_or_default();
            // The folder's own descriptor is in /proc/self/fd too.
            if let Some(number) = decimal(name).filter(|number| i64::from(*number) != i64::from(folder.0)) {
                result = each(number);
                if result.is_err() {
                    break 'all;
                }
            }
            rest = rest.get(entry_length.max(NAME_AT)..).unwrap_or_default();
        }
    }
    sys::close(folder);
    result
}

/// A path such as `/proc/self/fd/7`.
pub(crate) struct NumberedPath {
    bytes: [u8; Self::MOST_BYTES],
}

impl NumberedPath {
    const MOST_BYTES: usize = 48;

    pub(crate) fn new(before: &[u8], number: u32, after: &[u8]) -> Self {
        let mut bytes = [0; Self::MOST_BYTES];
        let mut digits = [0; 10];
        let (mut value, mut first) = (number, digits.len());
        loop {
            first -= 1;
            digits[first] = b'0' + u8::try_from(value % 10).unwrap_or_default();
            value /= 10;
            if value == 0 {
                break;
            }
        }
        let text = before.iter().chain(&digits[first..]).chain(after);
        // The last byte stays NUL.
        for (place, byte) in bytes[..Self::MOST_BYTES - 1].iter_mut().zip(text) {
            *place = *byte;
        }
        Self { bytes }
    }

    pub(crate) fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or_default()
    }
}

/// Where the first `wanted` is.
pub(crate) fn position(bytes: &[u8], wanted: u8) -> Option<usize> {
    bytes.iter().position(|byte| *byte == wanted)
}

/// Whether `part` is somewhere in `bytes`.
pub(crate) fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// A decimal number, the whole of `text`.
pub(crate) fn decimal(text: &[u8]) -> Option<u32> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u32, |value, byte| {
        let digit = char::from(*byte).to_digit(10)?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

/// A hexadecimal number at the beginning of `text`, and what follows it.
pub(crate) fn hexadecimal(text: &[u8]) -> Option<(u64, &[u8])> {
    let length = text.iter().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(length)?;
    if digits.is_empty() {
        return None;
    }
    let value = digits.iter().try_fold(0u64, |value, byte| {
        let digit = char::from(*byte).to_digit(16)?;
        Some(value.checked_mul(16)? + u64::from(digit))
    })?;
    Some((value, rest))
}

/// What follows `name:` and the blanks after it, if the line has that field.
pub(crate) fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let at = line.windows(name.len() + 1).position(|window| window.split_last() == Some((&b':', name)))?;
    let rest = line.get(at + name.len() + 1..)?;
    let blanks = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    rest.get(blanks..)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(pieces: &[&[u8]], size: usize) -> Vec<String> {
        let mut found = Vec::new();
        let mut buffer = vec![0; size];
        let mut splitter = Splitter::default();
        for piece in pieces {
            for part in piece.chunks(size) {
                let mut part = part;
                while !part.is_empty() {
                    let room = (size - splitter.held).min(part.len());
                    let (now, later) = part.split_at(room);
                    buffer[splitter.held..splitter.held + room].copy_from_slice(now);
                    let each = &mut |line: &[u8]| {
                        found.push(String::from_utf8_lossy(line).into_owned());
                        Ok(())
                    };
                    splitter.take(&mut buffer, room, each).expect("no line is refused");
                    part = later;
                }
            }
        }
        found
    }

    #[test]
    fn lines_are_whole_however_they_arrive() {
        assert_eq!(split(&[b"one\ntwo\n", b"th", b"ree\n"], 16), ["one", "two", "three"]);
    }

    #[test]
    fn a_long_line_is_cut_and_the_next_is_whole() {
        assert_eq!(split(&[b"0123456789abcdef\nnext\n"], 8), ["01234567", "next"]);
    }

    #[test]
    fn numbers_and_fields() {
        assert_eq!(decimal(b"4294967295"), Some(u32::MAX));
        assert_eq!(decimal(b"4294967296"), None);
        assert_eq!(decimal(b""), None);
        assert_eq!(decimal(b"1a"), None);
        assert_eq!(hexadecimal(b"7f00-8000 rw"), Some((0x7f00, b"-8000 rw".as_slice())));
        assert_eq!(hexadecimal(b"ffffffffffffffff0"), None);
        assert_eq!(field(b"tfd:        5 events: 80000001", b"events"), Some(b"80000001".as_slice()));
        assert_eq!(field(b"tfd: 5", b"data"), None);
    }

    #[test]
    fn a_path_with_a_number() {
        assert_eq!(NumberedPath::new(b"/proc/self/fd/", 0, b"").as_c_str(), c"/proc/self/fd/0");
        assert_eq!(NumberedPath::new(b"/p/", u32::MAX, b"/comm").as_c_str(), c"/p/4294967295/comm");
    }

    #[test]
    fn the_files_and_folders_of_this_process() {
        let mut flags = 0;
        lines(c"/proc/self/smaps", |line| {
            flags += usize::from(field(line, b"VmFlags").is_some());
            Ok(())
        })
        .expect("readable");
        assert!(flags > 3, "{flags}");
        let mut descriptors = Vec::new();
        numbers(c"/proc/self/fd", |number| {
            descriptors.push(number);
            Ok(())
        })
        .expect("readable");
        assert!([0, 1, 2].iter().all(|number| descriptors.contains(number)), "{descriptors:?}");
    }
}
