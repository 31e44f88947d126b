//! What a policy says besides grants and limits: the kernel's layers, the JavaScript engine, trust.

use crate::limits::Setting;

/// Defines an enum of the words a key can take.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl $name {
            /// Every word, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The word in a policy.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            pub(crate) fn from_name(name: &str) -> Option<Self> {
                match name { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

words! {
    /// A kernel namespace.
    Namespace {
        /// User and group ids of its own.
        User = "user",
        /// Process ids of its own.
        Pid = "pid",
        /// Mounts of its own.
        Mnt = "mnt",
        /// A network of its own.
        Net = "net",
        /// System V objects of its own.
        Ipc = "ipc",
        /// A host name of its own.
        Uts = "uts",
    }
}

words! {
    /// A layer of protection that a policy can require. The namespaces come together: a host has all of those that a
    /// program needs, or none.
    Protection {
        /// The user namespace.
        User = "user",
        /// The mount namespace.
        Mnt = "mnt",
        /// The process namespace.
        Pid = "pid",
        /// The network namespace.
        Net = "net",
        /// The System V namespace.
        Ipc = "ipc",
        /// The host name namespace.
        Uts = "uts",
        /// Landlock.
        Landlock = "landlock",
        /// The system call filter, with no_new_privs. It is required whatever a policy says: nothing else stands
        /// between a program and the kernel.
        Seccomp = "seccomp",
        /// Resource limits of a process. Required whatever a policy says: the one exec rests on them.
        Rlimits = "rlimits",
        /// A control group that holds the memory limit. Where it is not listed, looking at memory all the time will do.
        Cgroup = "cgroup",
    }
}

words! {
    /// How what the program does is recorded.
    Audit {
        /// Not at all.
        Off = "off",
        /// By eBPF programs.
        Ebpf = "ebpf",
        /// By seccomp notifications.
        SeccompUnotify = "seccomp-unotify",
    }
}

words! {
    /// Which built-in objects the program cannot change.
    Freeze {
        /// None.
        None = "none",
        /// `Object.prototype`.
        ObjectPrototype = "object-prototype",
    }
}

/// The layers without which nothing runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Require {
    /// Every layer that this policy uses.
    All,
    /// These, and those that no policy can do without; others are used where the host has them.
    Listed(Vec<Protection>),
}

impl Require {
    fn names(&self, protection: Protection) -> bool {
        match (protection, self) {
            (Protection::Seccomp | Protection::Rlimits, _) => true,
            (_, Self::All) => protection != Protection::Cgroup,
            (_, Self::Listed(list)) => list.contains(&protection),
        }
    }

    /// What either of the two requires.
    pub(crate) fn with(&self, other: &Self) -> Self {
        let required = |protection: &&Protection| self.names(**protection) || other.names(**protection);
        let list: Vec<Protection> = Protection::ALL.iter().filter(required).copied().collect();
        if Protection::ALL.iter().all(|protection| list.contains(protection) == Self::All.names(*protection)) {
            Self::All
        } else {
            Self::Listed(list)
        }
    }
}

/// What a policy says about the kernel's layers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KernelSettings {
    /// Namespaces to use besides those that the grants need.
    pub namespaces: Vec<Setting<Namespace>>,
    /// The layers without which nothing runs.
    pub require: Option<Setting<Require>>,
    /// How what the program does is recorded.
    pub audit: Option<Setting<Audit>>,
}

impl KernelSettings {
    pub(crate) fn merge(&mut self, later: &Self) {
        self.namespaces.extend_from_slice(&later.namespaces);
        replace(&mut self.require, later.require.as_ref());
        replace(&mut self.audit, later.audit.as_ref());
    }

    /// Whether nothing runs where the host lacks `protection`.
    pub fn requires(&self, protection: Protection) -> bool {
        let listed = Namespace::from_name(protection.name()).is_some_and(|namespace| self.lists(namespace));
        listed || self.require.as_ref().map_or(&Require::All, |require| &require.value).names(protection)
    }

    /// Whether nothing runs where the host cannot give a program namespaces and a root file system of its own.
    pub fn requires_namespaces(&self) -> bool {
        [Protection::User, Protection::Mnt, Protection::Pid, Protection::Net, Protection::Ipc, Protection::Uts]
            .into_iter()
            .any(|namespace| self.requires(namespace))
    }

    /// Whether the policy lists `namespace`, whatever its grants need.
    pub fn lists(&self, namespace: Namespace) -> bool {
        self.namespaces.iter().any(|listed| listed.value == namespace)
    }

    /// How what the program does is recorded; by default not at all.
    pub fn audit(&self) -> Audit {
        self.audit.as_ref().map_or(Audit::Off, |audit| audit.value)
    }
}

/// What a policy says about the JavaScript engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JsSettings {
    /// Which built-in objects the program cannot change.
    pub freeze: Option<Setting<Freeze>>,
    /// Whether machine code is generated.
    pub jit: Option<Setting<bool>>,
    /// Whether code may be compiled from strings; `false` denies `eval` whoever grants it.
    pub codegen: Option<Setting<bool>>,
}

impl JsSettings {
    pub(crate) fn merge(&mut self, later: &Self) {
        replace(&mut self.freeze, later.freeze.as_ref());
        replace(&mut self.jit, later.jit.as_ref());
        replace(&mut self.codegen, later.codegen.as_ref());
    }

    /// Which built-in objects the program cannot change; by default none.
    pub fn freeze(&self) -> Freeze {
        self.freeze.as_ref().map_or(Freeze::None, |freeze| freeze.value)
    }

    /// Whether machine code is generated; by default yes.
    pub fn jit(&self) -> bool {
        self.jit.as_ref().is_none_or(|jit| jit.value)
    }

    /// Whether code may be compiled from strings as far as this section says; by default yes.
    pub fn codegen(&self) -> bool {
        self.codegen.as_ref().is_none_or(|codegen| codegen.value)
    }
}

/// What a policy says about signed programs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustSettings {
    /// Public keys whose signatures are accepted.
    pub signers: Vec<Setting<String>>,
    /// Whether unsigned programs are refused.
    pub required: Option<Setting<bool>>,
}

impl TrustSettings {
    pub(crate) fn merge(&mut self, later: &Self) {
        self.signers.extend_from_slice(&later.signers);
        replace(&mut self.required, later.required.as_ref());
    }

    /// Whether unsigned programs are refused; by default no.
    pub fn required(&self) -> bool {
        self.required.as_ref().is_some_and(|required| required.value)
    }
}

fn replace<T: Clone>(ours: &mut Option<Setting<T>>, later: Option<&Setting<T>>) {
    if let Some(later) = later {
        *ours = Some(later.clone());
    }
}
