//! Which files Bun needs to start: its dynamic loader and its libraries, as ldd(1) finds them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, elf};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind};

/// A file that Bun needs to start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Library {
    /// The path by which it is asked for.
    pub name: PathBuf,
    /// Where it is, free of symbolic links.
    pub path: PathBuf,
}

/// The loader and the libraries of a program, loader first; empty for a static one.
pub(super) fn libraries(program: &Path) -> Result<Vec<Library>, Error> {
    let Some(loader) = loader(program)? else { return Ok(Vec::new()) };
    // The loader lists what it would load and runs nothing of the program (ld.so(8), --list).
    let output = Command::new(&loader)
        .arg("--list")
        .arg(program)
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Error::io(Kind::Sandbox, "run the dynamic loader", &loader, &error))?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Error::new(
            Kind::Sandbox,
            format!("the libraries of {} are incomplete: {message}", program.display()),
        ));
    }
    let mut found = vec![loader];
    found.extend(listed(&String::from_utf8_lossy(&output.stdout)));
    found.dedup();
    let library = |name: PathBuf| {
        let path = fs::canonicalize(&name).map_err(|error| Error::io(Kind::Sandbox, "open", &name, &error))?;
        Ok(Library { name, path })
    };
    found.into_iter().map(library).collect()
}

/// The paths in the loader's list: `libc.so.6 => /lib/libc.so.6 (0x…)`; what has no path is of the kernel's making.
fn listed(text: &str) -> Vec<PathBuf> {
    let path = |line: &str| {
        let (_, right) = line.split_once("=>")?;
        let path = right.trim().rsplit_once(" (0x").map_or(right.trim(), |(path, _)| path);
        path.starts_with('/').then(|| PathBuf::from(path))
    };
    text.lines().filter_map(path).collect()
}

/// What the program names as its loader.
fn loader(program: &Path) -> Result<Option<PathBuf>, Error> {
    let unreadable = |error: std::io::Error| Error::io(Kind::Sandbox, "read", program, &error);
    let malformed = |what| Error::new(Kind::Sandbox, format!("{} is not a Linux program: {what}", program.display()));
    let file = fs::File::open(program).map_err(unreadable)?;
    let cache = object::read::ReadCache::new(file);
    let header = elf::FileHeader64::<Endianness>::parse(&cache).map_err(malformed)?;
    let endian = header.endian().map_err(malformed)?;
    for segment in header.program_headers(endian, &cache).map_err(malformed)? {
        if let Some(name) = segment.interpreter(endian, &cache).map_err(malformed)? {
            return Ok(Some(PathBuf::from(String::from_utf8_lossy(name).into_owned())));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_the_loader() {
        let text = "\tlinux-vdso.so.1 (0x00007ffd)\n\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n\tlibx.so => not found\n";
        assert_eq!(listed(text), [PathBuf::from("/lib/x86_64-linux-gnu/libm.so.6")]);
    }

    #[test]
    fn a_script_is_not_a_program() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "#!/bin/sh\n").unwrap();
        assert!(libraries(file.path()).unwrap_err().message.contains("is not a Linux program"));
    }

    #[test]
    fn a_dynamic_program_has_its_loader_first() {
        let found = libraries(Path::new("/bin/sh")).unwrap();
        assert!(found.len() >= 2, "{found:?}");
        assert!(found.iter().all(|library| library.name.is_absolute() && library.path.exists()), "{found:?}");
    }
}
