//! What an ELF file says about loading it, read without running anything.

use std::fs::File;
use std::path::{Path, PathBuf};

use object::read::ReadCache;
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use object::{Endianness, elf};

/// The most entries of a list, and the longest text, that are believed.
const MOST_ENTRIES: usize = 4096;
const MOST_BYTES: u64 = 64 * 1024;

/// The parts of an ELF file that the dynamic loader looks at first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Elf {
    /// The loader that it asks for; only programs do.
    pub(super) interpreter: Option<PathBuf>,
    /// The names of the libraries that it needs.
    pub(super) needed: Vec<String>,
    /// Folders to look for them in: its own, its dependencies' too (`DT_RPATH`).
    pub(super) rpath: Vec<String>,
    /// Folders to look for its own in (`DT_RUNPATH`).
    pub(super) runpath: Vec<String>,
}

/// Reads the file at `path`; an error says why it is none.
pub(super) fn read(path: &Path) -> Result<Elf, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let cache = ReadCache::new(file);
    parse(&cache).map_err(|error| error.to_string())
}

fn parse(data: &ReadCache<File>) -> object::read::Result<Elf> {
    let header = elf::FileHeader64::<Endianness>::parse(data)?;
    let endian = header.endian()?;
    let segments = header.program_headers(endian, data)?;
    let mut found = Elf::default();
    let mut strings = 0;
    let (mut needed, mut rpath, mut runpath) = (Vec::new(), None, None);
    for segment in segments {
        if let Some(name) = segment.interpreter(endian, data)? {
            found.interpreter = Some(PathBuf::from(String::from_utf8_lossy(name).into_owned()));
        }
        for entry in segment.dynamic(endian, data)?.into_iter().flatten().take(MOST_ENTRIES) {
            let value = entry.d_val(endian);
            match entry.d_tag(endian) {
                elf::DT_NULL => break,
                elf::DT_NEEDED => needed.push(value),
                elf::DT_RPATH => rpath = Some(value),
                elf::DT_RUNPATH => runpath = Some(value),
                elf::DT_STRTAB => strings = value,
                _ => {}
            }
        }
    }
    // The table of strings is given by its address in memory; the segment that is loaded there says where it is.
    let text = |offset: u64| {
        let address = strings.checked_add(offset)?;
        let segment = segments.iter().filter(|segment| segment.p_type(endian) == elf::PT_LOAD).find(|segment| {
            let start = segment.p_vaddr(endian);
            address >= start && address - start < segment.p_filesz(endian)
        })?;
        let inside = address - segment.p_vaddr(endian);
        let start = segment.p_offset(endian).checked_add(inside)?;
        let end = start + (segment.p_filesz(endian) - inside).min(MOST_BYTES);
        let bytes = object::read::ReadRef::read_bytes_at_until(data, start..end, 0).ok()?;
        String::from_utf8(bytes.to_vec()).ok()
    };
    let folders = |offset: Option<u64>| -> Vec<String> {
        let list = offset.and_then(text).unwrap_or_default();
        list.split(':').filter(|folder| !folder.is_empty()).map(str::to_owned).collect()
    };
    found.needed = needed.into_iter().filter_map(text).collect();
    found.rpath = folders(rpath);
    found.runpath = folders(runpath);
    Ok(found)
}
