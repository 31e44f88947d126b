//! `within WHAT COMMAND [ARGS…]` runs a command inside something that a launcher may find itself in.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    match run(&words) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("within: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[OsString]) -> Result<ExitCode, Failure> {
    let (what, command) = words.split_first().ok_or("usage: within WHAT COMMAND [ARGS…]")?;
    let command = match (what.to_str(), command) {
        // Another sandbox: a user namespace whose root is its user, with mounts of its own.
        (Some("user-namespace"), command) => {
            become_root()?;
            command
        }
        // A container, some of whose /proc is covered or read-only.
        (Some("masked-proc"), command) => {
            become_root()?;
            let none = None::<&str>;
            mount(Some("tmpfs"), "/proc/fs", Some("tmpfs"), MsFlags::MS_RDONLY, none)?;
            mount(Some("/proc/sys"), "/proc/sys", none, MsFlags::MS_BIND, none)?;
            mount(none, "/proc/sys", none, MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY, none)?;
            command
        }
        // A network of one's own, where public addresses are this machine's and names are asked of it.
        (Some("internet"), command) => {
            internet()?;
            command
        }
        // A folder on overlayfs, as a container's files are: over the one that is named, in its place.
        (Some("overlay"), [folder, command @ ..]) => {
            let folder = Path::new(folder);
            overlay(folder)?;
            let (program, arguments) = command.split_first().ok_or("there is no command")?;
            let ended = Command::new(program).args(arguments).status()?;
            // The kernel's own folder in it, which nobody may list and so not remove.
            fs::set_permissions(folder.with_extension("work").join("work"), fs::Permissions::from_mode(0o700))?;
            return Ok(ended.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from));
        }
        _ => return Err("there is no such thing to be within".into()),
    };
    let (program, arguments) = command.split_first().ok_or("there is no command")?;
    Err(Command::new(program).args(arguments).exec().into())
}

/// Addresses of an internet: two hosts, one without IPv4, a private network and what clouds tell their machines.
const ADDRESSES: [&str; 6] =
    ["93.184.216.34/32", "93.184.216.35/32", "10.0.0.5/32", "169.254.169.254/32", "2606:4700::1/128", "fd00::5/128"];

fn internet() -> Result<(), Failure> {
    if geteuid().is_root() {
        unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET)?;
    } else {
        become_root()?;
        unshare(CloneFlags::CLONE_NEWNET)?;
    }
    let addresses = ADDRESSES.map(|address| {
        if address.contains(':') {
            vec!["-6", "addr", "add", address, "dev", "lo", "nodad"]
        } else {
            vec!["addr", "add", address, "dev", "lo"]
        }
    });
    for words in [vec!["link", "set", "lo", "up"]].into_iter().chain(addresses) {
        let failed = |error| format!("ip {}: {error} (Debian's package iproute2 has it)", words.join(" "));
        let status =
            Command::new("ip").args(&words).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").status().map_err(failed)?;
        if !status.success() {
            return Err(format!("ip {}: {status}", words.join(" ")).into());
        }
    }
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    let files = tempfile::tempdir()?;
    for (path, text) in [("resolv.conf", "nameserver 127.0.0.1\n"), ("hosts", "127.0.0.1 localhost\n::1 localhost\n")] {
        let file = files.path().join(path);
        fs::write(&file, text)?;
        mount(Some(&file), &Path::new("/etc").join(path), none, MsFlags::MS_BIND, none)?;
    }
    // The files are held by their mounts.
    Ok(files.close()?)
}

/// Mounts of one's own; for a user, who may not mount otherwise, in a user namespace.
fn overlay(folder: &Path) -> Result<(), Failure> {
    let is_root = geteuid().is_root();
    if is_root {
        unshare(CloneFlags::CLONE_NEWNS)?;
    } else {
        become_root()?;
    }
    let (upper, work) = (folder.with_extension("upper"), folder.with_extension("work"));
    fs::create_dir_all(&upper)?;
    fs::create_dir_all(&work)?;
    // Nothing of it is to be seen outside.
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)?;
    let mut options = format!("lowerdir={},upperdir={},workdir={}", folder.display(), upper.display(), work.display());
    if !is_root {
        options += ",userxattr";
    }
    mount(Some("overlay"), folder, Some("overlay"), MsFlags::empty(), Some(options.as_str()))?;
    // The old one is still the working directory.
    Ok(std::env::set_current_dir(std::env::current_dir()?)?)
}

/// As `unshare --map-root-user --mount` does.
fn become_root() -> Result<(), Failure> {
    let (uid, gid) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    fs::write("/proc/self/gid_map", format!("0 {gid} 1"))?;
    Ok(())
}
