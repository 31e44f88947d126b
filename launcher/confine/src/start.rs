//! Starting the program of a plan in its sandbox: what is prepared before the clone.

use std::cell::Cell;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

use crate::child::{self, IdMaps, Parent, PrivateSetup, Setup};
use crate::error::{Error, Step};
use crate::host_view;
use crate::init;
use crate::landlock::Rules;
use crate::layout;
use crate::listener::{Listener, NameServer, Network};
use crate::plan::{Access, Bind, Identity, Need, Plan, Processes, Root, Sockets, View};
use crate::seccomp::{self, Filter};
use crate::status::Status;
use crate::sys::{self, Child, CloneFlags, Exec, Fd, Memory, MountFlags, NoMapping, Stack};

/// A program that runs in its sandbox.
#[derive(Debug)]
pub struct Started {
    /// The running process.
    pub child: Child,
    /// What was enforced on it.
    pub status: Status,
    /// Its network, where the plan gives it one.
    pub network: Option<Network>,
}

pub(crate) const NAMESPACES: CloneFlags =
    CloneFlags(libc::CLONE_NEWUSER | libc::CLONE_NEWNS | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS);

/// Whether others may look into this process changes for all of its threads when root starts a program as another user
/// (see [`clone`]), or acts as one.
pub(crate) static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Descriptors of the launcher's own that a child uses lie from here on, beyond those that it hands over.
const LOWEST_ASIDE: Fd = Fd(seccomp::EXEC_FD - 50);

/// Establishes the sandbox of `plan` and runs its program in it. On success every layer that the plan asks for is in
/// force; on failure nothing has run and nothing is left behind.
///
/// The program dies with the thread that called this.
pub fn start(plan: &Plan) -> Result<Started, Error> {
    // Nothing is kept in it that could be left half changed.
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let at = |step: Step| move |errno| Error { step, errno, path: None };
    let rules = match &plan.view {
        View::Private(_) => Rules::new(plan.landlock)?,
        // Nothing else guards files there.
        View::Host(_) => Rules::new(Need::Required)?,
    };
    sys::raise_open_files(u64::from(seccomp::EXEC_FD.unsigned_abs()) + 1).map_err(at(Step::RaiseOpenFiles))?;
    let mut stack = Stack::new().map_err(at(Step::Clone))?;
    let exec =
        Exec::new(plan.program.argv.iter().map(CString::as_c_str), plan.program.env.iter().map(CString::as_c_str));
    let exec_key = sys::random().map_err(at(Step::LoadFilter))?;
    let mut filter = Filter::new(&plan.filter, exec_key);
    let asked = plan.network.is_asked().then(|| sys::message_pair(LOWEST_ASIDE)).transpose();
    let asked = asked.map_err(at(Step::HandOverNetwork))?;
    let setup = Setup {
        plan,
        network: asked.as_ref().map(|[_, inside]| Fd(inside.as_raw_fd())),
        rules: rules.as_ref(),
        exec: &exec,
        exec_key,
        filter: Cell::new(Some(&mut filter)),
        parent: Parent::Pid(sys::pid()),
        failure: Cell::new(None),
    };
    let landlock_abi = rules.as_ref().map(Rules::version);
    let (child, status) = match &plan.view {
        View::Private(root) => {
            let (child, unmapped) = start_in_private_view(setup, root, &mut stack)?;
            (child, Status { landlock_abi, namespaces: names(plan), unmapped })
        }
        View::Host(grants) => {
            let child = host_view::start(&setup, grants, &mut stack)?;
            (child, Status { landlock_abi, namespaces: &[], unmapped: Vec::new() })
        }
    };
    let network = asked.map(|[ours, _]| take_network(&ours, plan)).transpose().inspect_err(|_| {
        child.kill();
        // Its end is all that is wanted.
        let _ = child.reap();
    })?;
    Ok(Started { child, status, network })
}

const fn names(plan: &Plan) -> &'static [&'static str] {
    match (plan.processes, plan.network) {
        (Processes::One, Sockets::None | Sockets::AskedOnHost) => &["user", "mnt", "ipc", "uts"],
        (Processes::One, Sockets::Asked | Sockets::Nowhere) => &["user", "mnt", "net", "ipc", "uts"],
        (Processes::Tree { .. } | Processes::Copies, _) => &["user", "pid", "mnt", "net", "ipc", "uts"],
    }
}

/// What the child has sent: its name server's sockets when it made its network, the listener with its filter.
fn take_network(from: &OwnedFd, plan: &Plan) -> Result<Network, Error> {
    let at = |errno| Error { step: Step::HandOverNetwork, errno, path: None };
    let take = || sys::receive_descriptors(from.as_fd()).map_err(at).map(Vec::into_iter);
    let incomplete = || at(sys::Errno(libc::EPROTO));
    let name_server = if plan.network == Sockets::Asked {
        let mut sockets = take()?;
        let (datagrams, connections) = sockets.next().zip(sockets.next()).ok_or_else(incomplete)?;
        Some(NameServer { datagrams, connections })
    } else {
        None
    };
    let listener = take()?.next().ok_or_else(incomplete)?;
    Ok(Network { listener: Listener::new(listener, plan.identity), name_server })
}

fn start_in_private_view(setup: Setup<'_>, root: &Root, stack: &mut Stack) -> Result<(Child, Vec<String>), Error> {
    let plan = setup.plan;
    let sources = match plan.identity {
        Identity::Own { .. } => Sources::default(),
        Identity::Dropped { uid, gid } => open_sources(&root.binds, uid, gid, stack)?,
    };
    let size = CString::new(root_bytes(root).to_string()).unwrap_or_default();
    let tmpfs_sizes =
        root.tmpfs.iter().map(|tmpfs| CString::new(tmpfs.bytes.to_string()).unwrap_or_default()).collect();
    let entries = layout::entries(root);
    let private = PrivateSetup {
        setup,
        root,
        sources: &sources.mounts,
        entries: &entries,
        maps: IdMaps::new(plan.identity),
        root_size: &size,
        tmpfs_sizes,
    };
    let child = match plan.processes {
        Processes::One => alone(&private, stack),
        Processes::Tree { .. } | Processes::Copies => init::start(private, stack),
    };
    let child = child.map_err(|failure| name_path(failure, plan, root, &entries))?;
    Ok((child, sources.unmapped))
}

/// Starts the program as our child.
fn alone(private: &PrivateSetup<'_, '_>, stack: &mut Stack) -> Result<Child, Error> {
    let plan = private.setup.plan;
    let network = if plan.network == Sockets::None { 0 } else { libc::CLONE_NEWNET };
    let namespaces = CloneFlags(NAMESPACES.0 | network);
    let child = clone(plan.identity, namespaces, Memory::Borrowed, stack, child::run, private)?;
    match private.setup.failure.take() {
        None => Ok(child),
        Some(failure) => {
            // It has left already; what it says is in `failure`.
            let _ = child.reap();
            Err(failure)
        }
    }
}

/// Clones, as root in the shape of the user who takes the program: a user namespace belongs to the effective user who
/// makes it, and only that user may write its map from inside.
pub(crate) fn clone<T>(
    identity: Identity,
    namespaces: CloneFlags,
    memory: Memory,
    stack: &mut Stack,
    body: fn(&T) -> !,
    context: &T,
) -> Result<Child, Error> {
    let at = |step: Step| move |errno| Error { step, errno, path: None };
    let Identity::Dropped { uid, gid } = identity else {
        return sys::clone_in(namespaces, memory, stack, body, context).map_err(at(Step::Clone));
    };
    sys::clear_groups().map_err(at(Step::DropUser))?;
    sys::set_effective_ids(uid, gid).map_err(at(Step::DropUser))?;
    // The change of user made us undumpable, and /proc/self of such a process belongs to root: the child, which shares
    // our memory, could not write its id map. Nobody gains by it: our real user stays root, which guards /proc/PID.
    let child = sys::set_dumpable(true)
        .map_err(at(Step::DropUser))
        .and_then(|()| sys::clone_in(namespaces, memory, stack, body, context).map_err(at(Step::Clone)));
    sys::set_effective_ids(0, 0).map_err(at(Step::DropUser))?;
    child
}

/// A user namespace for mounts that show what is root's as `uid`'s.
pub(crate) fn map_root_to(uid: u32, gid: u32, stack: &mut Stack) -> Result<OwnedFd, Error> {
    sys::user_namespace_mapping_root_to(uid, gid, stack).map_err(|missing| match missing {
        NoMapping::Namespace(errno) => Error { step: Step::Clone, errno, path: None },
        NoMapping::Ids(errno) => Error { step: Step::DropUser, errno, path: None },
    })
}

/// Opens every source with root's rights, which the child no longer has.
fn open_sources(binds: &[Bind], uid: u32, gid: u32, stack: &mut Stack) -> Result<Sources, Error> {
    let mut id_map: Option<OwnedFd> = None;
    let mut sources = Sources::default();
    for (index, bind) in binds.iter().enumerate() {
        if bind.map_owner && id_map.is_none() {
            id_map = Some(map_root_to(uid, gid, stack)?);
        }
        let failed = |step| move |errno| Error { step, errno, path: Some(display(&bind.source)) };
        let source = child::open_bind(bind).map(sys::own).map_err(failed(Step::OpenSource(index)))?;
        let (mount, flags) = (Fd(source.as_raw_fd()), mount_flags(bind.access));
        let map = id_map.as_ref().filter(|_| bind.map_owner).map(|namespace| Fd(namespace.as_raw_fd()));
        let restrict = |map| {
            if flags.read_only {
                sys::restrict_to_reading(mount, flags, map)
            } else {
                sys::restrict_mount(mount, c"", flags, map)
            }
        };
        match restrict(map) {
            Ok(()) => {}
            // Not every file system can map owners (overlayfs). What is only read is readable where its mode says so;
            // what is written to would have the wrong owner, or none.
            Err(sys::Errno::EINVAL) if map.is_some() && bind.access != Access::Write => {
                restrict(None).map_err(failed(Step::OpenSource(index)))?;
                sources.unmapped.push(display(&bind.source));
            }
            Err(errno) => {
                let step = if map.is_some() { Step::IdMap } else { Step::OpenSource(index) };
                return Err(failed(step)(errno));
            }
        }
        sources.mounts.push(source);
    }
    Ok(sources)
}

/// Detached mounts of the binds, opened by root.
#[derive(Default)]
struct Sources {
    mounts: Vec<OwnedFd>,
    /// Sources whose owner could not be shown as the program's user.
    unmapped: Vec<String>,
}

/// What a bind's mount forbids.
pub(crate) const fn mount_flags(access: Access) -> MountFlags {
    MountFlags {
        read_only: matches!(access, Access::List | Access::Read | Access::Load | Access::Execute),
        no_exec: !matches!(access, Access::Load | Access::Execute),
        devices: matches!(access, Access::Device),
    }
}

/// The root holds the launcher's own files and mount points; a page each is room enough.
fn root_bytes(root: &Root) -> u64 {
    let files: usize = root.files.iter().map(|file| file.contents.len() + 8192).sum();
    let places = (root.binds.len() + root.directories.len() + 64) * 8192;
    u64::try_from(files + places).unwrap_or(u64::MAX)
}

/// Names the path that a failed step was about.
fn name_path(mut failure: Error, plan: &Plan, root: &Root, entries: &[layout::Entry]) -> Error {
    failure.path = match failure.step {
        Step::OpenSource(n) => root.binds.get(n).map(|bind| display(&bind.source)),
        Step::LandlockRule(n) | Step::LayOut(n) => entries.get(n).map(|entry| format!("/{}", display(&entry.path))),
        Step::EnterDirectory => Some(display(&plan.program.cwd)),
        Step::OpenProgram | Step::Seal | Step::Exec => Some(display(&plan.program.path)),
        _ => None,
    };
    failure
}

pub(crate) fn display(path: &CStr) -> String {
    path.to_string_lossy().into_owned()
}
