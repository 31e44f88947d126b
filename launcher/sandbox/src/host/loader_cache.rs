//! `/etc/ld.so.cache`, which ldconfig(8) writes and the loader of the GNU C library reads: where each library is.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

/// The cache's path, on the host and inside.
pub(crate) const PATH: &str = "/etc/ld.so.cache";

const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const HEADER_BYTES: usize = 48;
const ENTRY_BYTES: usize = 24;
/// The largest cache that is read.
const MOST_BYTES: u64 = 16 << 20;

/// Libraries of this processor in its 64-bit form, as in the entries' flags.
#[cfg(target_arch = "x86_64")]
const FLAGS: u32 = 0x0303;
#[cfg(target_arch = "aarch64")]
const FLAGS: u32 = 0x0a03;

/// The libraries in the cache; none where there is no cache, as with other C libraries.
pub(super) fn read() -> BTreeMap<String, PathBuf> {
    let mut bytes = Vec::new();
    let read = File::open(PATH).and_then(|file| file.take(MOST_BYTES).read_to_end(&mut bytes));
    read.ok().and_then(|_| parse(&bytes)).unwrap_or_default()
}

fn parse(cache: &[u8]) -> Option<BTreeMap<String, PathBuf>> {
    // Before its own format the cache may carry that of older versions.
    let start = cache.windows(MAGIC.len()).step_by(4).position(|window| window == MAGIC)? * 4;
    let cache = cache.get(start..)?;
    let word = |at: usize| Some(u32::from_le_bytes(cache.get(at..at + 4)?.try_into().ok()?));
    let text = |at: u32| {
        let rest = cache.get(usize::try_from(at).ok()?..)?;
        std::str::from_utf8(rest.split(|byte| *byte == 0).next()?).ok()
    };
    let count = usize::try_from(word(MAGIC.len())?).ok()?;
    let mut libraries = BTreeMap::new();
    for entry in 0..count {
        let at = HEADER_BYTES + entry * ENTRY_BYTES;
        let Some(flags) = word(at) else { break };
        // Entries for processors with more than the usual are left out: the usual one is there as well.
        if flags == FLAGS && word(at + 16)? == 0 && word(at + 20)? == 0 {
            let (name, path) = (text(word(at + 4)?)?, text(word(at + 8)?)?);
            libraries.entry(name.to_owned()).or_insert_with(|| PathBuf::from(path));
        }
    }
    Some(libraries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(entries: &[(u32, u64, &str, &str)]) -> Vec<u8> {
        let mut header = MAGIC.to_vec();
        header.extend(u32::try_from(entries.len()).unwrap().to_le_bytes());
        header.resize(HEADER_BYTES, 0);
        let mut strings = Vec::new();
        let base = HEADER_BYTES + entries.len() * ENTRY_BYTES;
        for (flags, capabilities, name, path) in entries {
            header.extend(flags.to_le_bytes());
            for text in [name, path] {
                header.extend(u32::try_from(base + strings.len()).unwrap().to_le_bytes());
                strings.extend(text.as_bytes());
                strings.push(0);
            }
            header.extend([0; 4]);
            header.extend(capabilities.to_le_bytes());
        }
        header.extend(strings);
        header
    }

    #[test]
    fn libraries_of_this_processor_are_found() {
        let bytes = cache(&[
            (3, 0, "liba.so", "/lib32/liba.so"),
            (FLAGS, 1 << 62, "liba.so", "/lib/v3/liba.so"),
            (FLAGS, 0, "liba.so", "/lib/liba.so"),
        ]);
        let expected = BTreeMap::from([("liba.so".to_owned(), PathBuf::from("/lib/liba.so"))]);
        assert_eq!(parse(&bytes), Some(expected.clone()));
        let older: Vec<u8> = b"ld.so-1.7.0\0".iter().copied().chain(bytes).collect();
        assert_eq!(parse(&older), Some(expected));
    }

    #[test]
    fn a_damaged_cache_is_no_cache() {
        let whole = cache(&[(FLAGS, 0, "liba.so", "/lib/liba.so")]);
        assert_eq!(parse(b""), None);
        for end in 0..whole.len() {
            // Whatever it says, it says so without a panic.
            let _ = parse(&whole[..end]);
        }
        assert_eq!(parse(&whole[..HEADER_BYTES]).unwrap_or_default(), BTreeMap::new());
    }
}
