//! What the child does between the clone and the program, in the order in which it has to be done.
//!
//! It shares its parent's memory while the parent is suspended: nothing here allocates, locks or panics.

use std::cell::Cell;
use std::convert::Infallible;
use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, OwnedFd};

use crate::error::{Error, Step};
use crate::landlock::Rules;
use crate::layout::{Entry, What};
use crate::plan::{Access, Bind, INSIDE_ID, Identity, Kind, Plan, Processes, Root, Sockets};
use crate::seccomp::{EXEC_FD, Filter};
use crate::start::mount_flags;
use crate::sys::{self, Errno, Exec, Extent, Fd, MountFlags, Resource};

/// Everything the child needs in either view, made by the parent.
pub(crate) struct Setup<'a> {
    pub(crate) plan: &'a Plan,
    /// Where the host has Landlock.
    pub(crate) rules: Option<&'a Rules>,
    pub(crate) exec: &'a Exec<'a>,
    /// Where the child sends the launcher what it is asked through, if it is to have a network.
    pub(crate) network: Option<Fd>,
    /// What the filter asks of the one exec.
    pub(crate) exec_key: u64,
    pub(crate) filter: Cell<Option<&'a mut Filter>>,
    /// The launcher, to be sure that it is still there.
    pub(crate) parent: Parent,
    /// Where the child says what went wrong.
    pub(crate) failure: Cell<Option<Error>>,
}

/// Everything the child needs for a root file system of its own.
pub(crate) struct PrivateSetup<'a, 's> {
    pub(crate) setup: Setup<'s>,
    pub(crate) root: &'a Root,
    /// Detached mounts of the binds, opened by root; empty where the child opens them itself.
    pub(crate) sources: &'a [OwnedFd],
    pub(crate) entries: &'a [Entry],
    pub(crate) maps: IdMaps,
    pub(crate) root_size: &'a CStr,
    pub(crate) tmpfs_sizes: Vec<CString>,
}

/// The launcher, as its child can know it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Parent {
    /// By its process id.
    Pid(u32),
    /// By a descriptor: in a pid namespace of its own the child sees no parent.
    Descriptor(Fd),
}

/// How the new user namespace names its one user and group.
pub(crate) struct IdMaps {
    identity: Identity,
    uid: String,
    gid: String,
}

impl IdMaps {
    pub(crate) fn new(identity: Identity) -> Self {
        let (Identity::Own { uid, gid } | Identity::Dropped { uid, gid }) = identity;
        Self { identity, uid: format!("{INSIDE_ID} {uid} 1\n"), gid: format!("{INSIDE_ID} {gid} 1\n") }
    }
}

/// Places for descriptors in the order of `Root::binds` would need memory; the child keeps this many on its stack.
pub(crate) const MOST_BINDS: usize = 1024;

pub(crate) type Outcome<T> = Result<T, Error>;

pub(crate) trait At<T> {
    fn at(self, step: Step) -> Outcome<T>;
}

impl<T> At<T> for Result<T, Errno> {
    fn at(self, step: Step) -> Outcome<T> {
        self.map_err(|errno| Error { step, errno, path: None })
    }
}

/// The child's whole life: the program, or an exit that leaves the reason with the parent.
pub(crate) fn run(private: &PrivateSetup<'_, '_>) -> ! {
    let Err(failure) = steps(private);
    private.setup.leave(failure)
}

fn steps(private: &PrivateSetup<'_, '_>) -> Outcome<Infallible> {
    enclose(private)?;
    private.setup.take_along()?;
    private.setup.become_program()
}

/// Moves the calling process into the sandbox's file system, for good, and ties it to the launcher.
pub(crate) fn enclose(private: &PrivateSetup<'_, '_>) -> Outcome<()> {
    let setup = &private.setup;
    map_user(&private.maps)?;
    // The program's umask is the usual one whatever the launcher's: the skeleton must be passable.
    sys::set_umask(0o022);

    // Sources are opened while the host's file system is still in place, before anything hides it.
    let mut opened = [Fd(-1); MOST_BINDS];
    let sources = open_sources(private, &mut opened)?;
    let proc = open_proc(setup.plan.processes)?;

    // /proc is the one directory that every host has and that we need no longer.
    let open = MountFlags { read_only: false, no_exec: true, devices: false };
    let root = sys::tmpfs(private.root_size, c"65536", c"0755", open).at(Step::MakeRoot)?;
    sys::attach(root, Fd::CWD, c"/proc").at(Step::MakeRoot)?;
    setup.allow(root, Access::List, Kind::Directory, Step::LandlockRule(0))?;
    lay_out(private, root, sources)?;
    mount_proc(setup, root, proc)?;

    sys::enter_directory(root).at(Step::PivotRoot)?;
    sys::pivot_into().at(Step::PivotRoot)?;
    let sealed = MountFlags { read_only: true, no_exec: true, devices: false };
    sys::restrict_mount(Fd::CWD, c"/", sealed, None).at(Step::PivotRoot)?;

    sys::set_hostname(c"sandbox").at(Step::SetHostname)?;
    setup.make_network()?;
    setup.tie()
}

impl Setup<'_> {
    /// Ends the child, with the reason left for the parent.
    pub(crate) fn leave(&self, failure: Error) -> ! {
        self.failure.set(Some(failure));
        sys::exit_now(125)
    }

    /// Lets the program use an object, as far as Landlock has a say.
    pub(crate) fn allow(&self, object: Fd, access: Access, kind: Kind, step: Step) -> Outcome<()> {
        let Some(rules) = self.rules else { return Ok(()) };
        sys::landlock_add_path(rules.fd(), object, rules.rights(access, kind).0).at(step)
    }

    /// Makes what is in the network namespace, and hands over where it asks for names.
    fn make_network(&self) -> Outcome<()> {
        let (Some(launcher), Sockets::Asked) = (self.network, self.plan.network) else { return Ok(()) };
        sys::raise_loopback().at(Step::MakeNetwork)?;
        let sockets = sys::name_server_sockets().at(Step::MakeNetwork)?;
        sys::send_descriptors(launcher, &sockets).at(Step::HandOverNetwork)?;
        sockets.into_iter().for_each(sys::close);
        Ok(())
    }

    /// The same for what the program sees through a mount of its own, which has its flags already.
    fn allow_mounted(&self, mount: Fd, bind: &Bind, step: Step) -> Outcome<()> {
        let Some(rules) = self.rules else { return Ok(()) };
        let rights = if mount_flags(bind.access).read_only {
            rules.rights_below_read_only_mount(bind.access, bind.kind)
        } else {
            rules.rights(bind.access, bind.kind)
        };
        sys::landlock_add_path(rules.fd(), mount, rights.0).at(step)
    }

    /// Enters the working directory, and ties the calling process to the launcher.
    pub(crate) fn tie(&self) -> Outcome<()> {
        sys::change_directory(&self.plan.program.cwd).at(Step::EnterDirectory)?;
        sys::set_parent_death_signal(libc::SIGKILL).at(Step::TieToParent)?;
        let orphaned = match self.parent {
            Parent::Pid(pid) => sys::parent_pid() != pid,
            Parent::Descriptor(pidfd) => sys::has_ended(pidfd),
        };
        if orphaned {
            // It died before the tie; a program without its launcher must not start.
            return Err(Error { step: Step::TieToParent, errno: Errno(libc::ESRCH), path: None });
        }
        sys::no_new_privileges().at(Step::NoNewPrivileges)
    }

    /// Puts what the program inherits at its numbers. The program itself gets the only one so high, and no later one
    /// can be: the filter lets exactly this one run.
    pub(crate) fn take_along(&self) -> Outcome<()> {
        hand_over_stdio(self.plan)?;
        let program = sys::open_path(Fd::CWD, &self.plan.program.path).at(Step::OpenProgram)?;
        sys::duplicate_to(program, Fd(EXEC_FD), true).at(Step::OpenProgram)
    }

    /// Gives up everything that is left, and becomes the program.
    pub(crate) fn become_program(&self) -> Outcome<Infallible> {
        let plan = self.plan;
        let first_unwanted = if plan.stdio.channel.is_some() { Fd(4) } else { Fd(3) };
        sys::close_on_exec_from(first_unwanted).at(Step::CloseDescriptors)?;
        set_limits(plan)?;

        if let Some(rules) = self.rules {
            sys::landlock_restrict_self(rules.fd()).at(Step::LandlockRestrict)?;
        }
        sys::reset_signals().at(Step::ResetSignals)?;
        // Last, since it forbids nearly all of the above.
        if let Some(filter) = self.filter.take() {
            filter.patch_pid(sys::pid());
            match self.network {
                None => sys::load_filter(filter.program()).at(Step::LoadFilter)?,
                Some(launcher) => {
                    // The listener needs a number below the limit on open files, and a launcher of many programs may
                    // hold all of these. This one was to be closed anyway, and nothing of ours is so low.
                    sys::close(first_unwanted);
                    let listener = sys::load_asking_filter(filter.program()).at(Step::LoadFilter)?;
                    sys::send_descriptors(launcher, &[listener]).at(Step::HandOverNetwork)?;
                }
            }
        }
        sys::exec(Fd(EXEC_FD), self.exec, self.exec_key).at(Step::Exec)
    }
}

/// Becomes the one user of the new user namespace. `setgroups` has to be denied before the group map may be written
/// without privilege (user_namespaces(7)).
pub(crate) fn map_user(maps: &IdMaps) -> Outcome<()> {
    for (file, text) in [
        (c"/proc/self/setgroups", "deny"),
        (c"/proc/self/uid_map", maps.uid.as_str()),
        (c"/proc/self/gid_map", maps.gid.as_str()),
    ] {
        let fd = sys::open_at(Fd::CWD, file, libc::O_WRONLY, 0).at(Step::MapUser)?;
        let written = sys::write_all(fd, text.as_bytes());
        sys::close(fd);
        written.at(Step::MapUser)?;
    }
    if matches!(maps.identity, Identity::Dropped { .. }) {
        // Real and saved ids are still root's.
        sys::set_ids(INSIDE_ID, INSIDE_ID).at(Step::MapUser)?;
    }
    Ok(())
}

fn open_sources<'o>(setup: &PrivateSetup<'_, '_>, opened: &'o mut [Fd; MOST_BINDS]) -> Outcome<&'o [Fd]> {
    let binds = &setup.root.binds;
    for (index, (bind, place)) in binds.iter().zip(opened.iter_mut()).enumerate() {
        *place = match setup.sources.get(index) {
            Some(source) => Fd(source.as_raw_fd()),
            None => open_bind(bind)
                .and_then(|fd| sys::restrict_mount(fd, c"", mount_flags(bind.access), None).map(|()| fd))
                .at(Step::OpenSource(index))?,
        };
    }
    opened.get(..binds.len()).ok_or(Error { step: Step::OpenSource(MOST_BINDS), errno: Errno(libc::E2BIG), path: None })
}

/// A detached mount of a bind's source, which must still be the object that the plan was made for.
pub(crate) fn open_bind(bind: &Bind) -> Result<Fd, Errno> {
    let fd = sys::clone_tree(Fd::CWD, &bind.source, Extent::WithSubmounts)?;
    let object = sys::file_id(fd)?;
    if object == bind.object { Ok(fd) } else { Err(Errno::ESTALE) }
}

fn lay_out(private: &PrivateSetup<'_, '_>, root: Fd, sources: &[Fd]) -> Outcome<()> {
    let (setup, plan_root) = (&private.setup, private.root);
    for (index, entry) in private.entries.iter().enumerate() {
        let rule = Step::LandlockRule(index);
        let step = Step::LayOut(index);
        let path = entry.path.as_c_str();
        match entry.what {
            What::Directory => sys::make_directory(root, path).at(step)?,
            What::EmptyFile => sys::create_file(root, path, 0o444, b"").at(step)?,
            What::File(n) => {
                if let Some(file) = plan_root.files.get(n) {
                    sys::create_file(root, path, 0o444, &file.contents).at(step)?;
                    let fd = sys::open_path(root, path).at(step)?;
                    setup.allow(fd, Access::Read, Kind::File, rule)?;
                    sys::close(fd);
                }
            }
            What::Link(n) => {
                if let Some(link) = plan_root.links.get(n) {
                    sys::make_symlink(&link.target, root, path).at(step)?;
                }
            }
            What::Bind(n) => {
                if let (Some(bind), Some(source)) = (plan_root.binds.get(n), sources.get(n)) {
                    setup.allow_mounted(*source, bind, rule)?;
                    sys::attach(*source, root, path).at(step)?;
                }
            }
            What::Tmpfs(n) => {
                if let Some(size) = private.tmpfs_sizes.get(n) {
                    let flags = MountFlags { read_only: false, no_exec: true, devices: false };
                    let mount = sys::tmpfs(size, c"65536", c"0700", flags).at(step)?;
                    setup.allow(mount, Access::Write, Kind::Directory, rule)?;
                    sys::attach(mount, root, path).at(step)?;
                    sys::close(mount);
                }
            }
            What::Mask(n) => {
                if let Some(mask) = plan_root.masks.get(n) {
                    cover(root, path, mask.kind).at(step)?;
                }
            }
        }
    }
    Ok(())
}

/// Mounts an object without permissions over `path`: it can be neither opened nor listed.
fn cover(root: Fd, path: &CStr, kind: Kind) -> Result<(), Errno> {
    let flags = MountFlags { read_only: true, no_exec: true, devices: false };
    match kind {
        Kind::Directory => {
            let tmpfs = sys::tmpfs(c"4096", c"2", c"0000", flags)?;
            sys::attach(tmpfs, root, path)?;
        }
        Kind::File => {
            // A file system's root is a directory; only a file covers a file.
            sys::create_file(root, c".mask", 0o000, b"")?;
            let mask = sys::clone_tree(root, c".mask", Extent::Alone)?;
            sys::restrict_mount(mask, c"", flags, None)?;
            sys::attach(mask, root, path)?;
        }
    }
    Ok(())
}

/// The processes that the program sees: itself and no other, or those of its tree. The mount is read-only: what can be
/// written below /proc/PID (memory, id maps, out-of-memory score) is the launcher's business.
fn open_proc(processes: Processes) -> Outcome<Fd> {
    let flags = MountFlags { read_only: true, no_exec: true, devices: false };
    match processes {
        Processes::One => {
            // The slash at the end follows the symbolic link that /proc/self is.
            let own = sys::clone_tree(Fd::CWD, c"/proc/self/", Extent::Alone).at(Step::MountProc)?;
            sys::restrict_mount(own, c"", flags, None).at(Step::MountProc)?;
            Ok(own)
        }
        // Nothing but processes, and of those none that may not be looked into: init is not there.
        Processes::Tree { .. } | Processes::Copies => {
            sys::filesystem(c"proc", &[(c"subset", c"pid"), (c"hidepid", c"invisible")], flags).at(Step::MountProc)
        }
    }
}

fn mount_proc(setup: &Setup<'_>, root: Fd, proc: Fd) -> Outcome<()> {
    sys::make_directory(root, c"proc").at(Step::MountProc)?;
    let place = match setup.plan.processes {
        Processes::One => {
            sys::make_directory(root, c"proc/self").at(Step::MountProc)?;
            c"proc/self"
        }
        Processes::Tree { .. } | Processes::Copies => c"proc",
    };
    setup.allow(proc, Access::Read, Kind::Directory, Step::MountProc)?;
    sys::attach(proc, root, place).at(Step::MountProc)?;
    if matches!(setup.plan.processes, Processes::One) {
        // Addresses, connections and listeners of the host, which is in the same network namespace; each task has them,
        // too. A tree has a network namespace of its own, which is empty.
        for network in [c"proc/self/net", c"proc/self/task"] {
            cover(root, network, Kind::Directory).at(Step::MountProc)?;
        }
    }
    Ok(())
}

/// Moves the descriptors to 0..=3. They are first copied out of the way, since one may hold another's place.
fn hand_over_stdio(plan: &Plan) -> Outcome<()> {
    const ASIDE: i32 = EXEC_FD - 10;
    let wanted = [Some(plan.stdio.input), Some(plan.stdio.output), Some(plan.stdio.error), plan.stdio.channel];
    for (source, place) in wanted.into_iter().zip(ASIDE..) {
        if let Some(source) = source {
            sys::duplicate_to(Fd(source), Fd(place), true).at(Step::HandOverStdio)?;
        }
    }
    for ((source, from), to) in wanted.into_iter().zip(ASIDE..).zip(0..) {
        if source.is_some() {
            sys::duplicate_to(Fd(from), Fd(to), false).at(Step::HandOverStdio)?;
        }
    }
    Ok(())
}

fn set_limits(plan: &Plan) -> Outcome<()> {
    let limits = plan.limits;
    let wanted = [
        // 1, not 0: a core handler behind a pipe runs at 0 too (core(5)).
        (Resource::Core, Some(1)),
        (Resource::LockedMemory, Some(0)),
        (Resource::MessageQueues, Some(0)),
        (Resource::Cpu, limits.cpu_s),
        (Resource::FileSize, limits.file_bytes),
        (Resource::Tasks, limits.tasks),
        // Last: it ends the use of descriptors as high as the program's.
        (Resource::OpenFiles, Some(limits.open_files)),
    ];
    for (resource, value) in wanted {
        if let Some(value) = value {
            sys::set_limit(resource, value).at(Step::SetLimits)?;
        }
    }
    Ok(())
}
