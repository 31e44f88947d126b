//! The guards as bytecode: made once per Bun by a confined Bun, kept in the private cache. From source they take 3 ms
//! longer to start.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use confine::seccomp::Files;
use confine::{Access, File, Identity, Root};

use crate::errand::Runner;
use crate::error::{Error, Kind};
use crate::host::{Cache, Host};
use crate::resolve::look::{Look, Object, RealFiles};
use crate::resolve::runtime;

/// What Bun makes of `preload.js`: the source with the pragma that names the bytecode, and the bytecode beside it.
const FILES: [&str; 2] = ["preload.js", "preload.js.jsc"];

/// The folder with the compiled guards, made now if need be. `None` where that cannot be: they run from source then.
pub(super) fn compiled(host: &Host) -> Option<Object> {
    let cache = host.cache.as_ref()?;
    let folder = cache.path(&key(host));
    if let Ok(found) = RealFiles.look(&folder) {
        return Some(found);
    }
    if host.layers.files == Files::Host {
        // Bun writes to a folder of the cache, which must not be closed to the program's user for that.
        return None;
    }
    make(host, cache, &folder).ok()?;
    RealFiles.look(&folder).ok()
}

/// Reads the compiled guards, and hands each file to `stage`.
pub(super) fn copy(folder: &Path, stage: impl Fn(&str, &[u8]) -> Result<(), Error>) -> Result<(), Error> {
    for name in FILES {
        let path = folder.join(name);
        let contents = fs::read(&path).map_err(|error| Error::io(Kind::Sandbox, "read", &path, &error))?;
        stage(name, &contents)?;
    }
    Ok(())
}

/// Bytecode fits one Bun binary and one text only.
fn key(host: &Host) -> String {
    let bun = host.bun.sha256.get(..16).unwrap_or_default();
    format!("guards-{FINGERPRINT:016x}-{bun}")
}

/// Tells one build's guards from another's; taken at build time, since hashing costs more than all the rest of staging.
const FINGERPRINT: u64 = fingerprint(super::GUARDS.as_bytes());

/// FNV-1a. It keeps builds apart and guards nothing: who can write to the private cache is the user.
const fn fingerprint(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    hash
}

fn make(host: &Host, cache: &Cache, folder: &Path) -> io::Result<()> {
    let making = cache.temporary()?;
    let other = |error: crate::Error| io::Error::other(error.message);
    let found = RealFiles.look(making.path())?;
    let dropped = matches!(host.identity, Identity::Dropped { .. });
    let mut root = Root::default();
    root.binds.push(runtime::bind(&found, c"/out".to_owned(), Access::Write, dropped).map_err(other)?);
    root.files.push(File { target: c"/in/preload.js".to_owned(), contents: super::GUARDS.into() });
    let runner =
        Runner { bun: &host.bun.path, libraries: &host.bun.libraries, identity: host.identity, layers: host.layers };
    let words = ["build", "--target=bun", "--minify", "--bytecode", "--format=cjs", "/in/preload.js", "--outdir=/out"];
    let said = runner.run(root, &words).map_err(other)?;
    let files: Vec<PathBuf> = FILES.iter().map(|name| making.path().join(name)).collect();
    if let Some(missing) = files.iter().find(|file| !file.is_file()) {
        return Err(io::Error::other(format!("Bun made no {}: {said}", missing.display())));
    }
    // The program's user is another one where root starts it, and the files hold nothing that is not public.
    for file in &files {
        fs::set_permissions(file, fs::Permissions::from_mode(0o444))?;
    }
    fs::set_permissions(making.path(), fs::Permissions::from_mode(0o755))?;
    match fs::rename(making.path(), folder) {
        // From here on it is not temporary.
        Ok(()) => {
            let _ = making.keep();
            Ok(())
        }
        // Somebody was faster; what they made is the same.
        Err(_) if folder.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}
