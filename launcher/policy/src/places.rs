//! From a policy to the absolute paths of one run.

use std::path::{Path, PathBuf};

use crate::ceiling::Ceiling;
use crate::grants::{Entry, Grants, Rules};
use crate::limits::Limits;
use crate::path::{SymbolicPath, Variable, normalize};
use crate::policy::Policy;
use crate::program::{LibraryRule, ProgramRule};
use crate::settings::{JsSettings, KernelSettings, TrustSettings};

/// The folders that the variables of a policy stand for in one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// `${PROGRAM}`: the program's folder.
    pub program: PathBuf,
    /// `${PROJECT}`: the root of its workspace or package, or the program's file alone.
    pub project: Vec<PathBuf>,
    /// `${TMP}`: the private temporary folder.
    pub tmp: PathBuf,
    /// `${HOME}`: the user's home folder.
    pub home: PathBuf,
    /// The working directory, which relative paths of requests start from.
    pub cwd: PathBuf,
}

/// A policy whose paths are all absolute, ready to [`decide`](crate::decide()).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpandedPolicy {
    /// What is granted and denied.
    pub grants: Grants<PathBuf>,
    /// What the run may use up.
    pub limits: Limits,
    /// The kernel's layers.
    pub kernel: KernelSettings,
    /// The JavaScript engine.
    pub js: JsSettings,
    /// Signed programs.
    pub trust: TrustSettings,
    /// Import roots that are left out, because they hold far more than modules: `/`, a home folder, a temporary
    /// folder, or anything above these.
    pub refused_roots: Vec<Entry<PathBuf>>,
    /// The working directory, which relative paths of requests start from.
    pub cwd: PathBuf,
}

impl Policy {
    /// Replaces the variables and makes every path absolute, as text alone. A policy that is bounded by another one
    /// comes out narrowed to what both allow.
    pub fn expand(&self, places: &Places) -> ExpandedPolicy {
        let inner = self.expand_alone(places);
        let Some(bound) = &self.bound else { return inner };
        let outer = bound.policy.expand(places);
        Ceiling { outer, outer_name: bound.name.clone(), inner }.narrowed()
    }

    /// The same without the policy that bounds it.
    pub fn expand_alone(&self, places: &Places) -> ExpandedPolicy {
        let grants = &self.grants;
        let path = |path: &SymbolicPath| places.resolve(path);
        let mut import = each(&grants.import, path);
        let is_wide = |entry: &Entry<PathBuf>| places.is_too_wide(&entry.value);
        let refused_roots = import.allow.extract_if(.., |entry| is_wide(entry)).collect();
        ExpandedPolicy {
            grants: Grants {
                read: each(&grants.read, path),
                write: each(&grants.write, path),
                import,
                net: grants.net.clone(),
                listen: grants.listen.clone(),
                fetch: grants.fetch.clone(),
                env: grants.env.clone(),
                run: each(&grants.run, |rule| match rule {
                    ProgramRule::Any => vec![ProgramRule::Any],
                    ProgramRule::Name(name) => vec![ProgramRule::Name(name.clone())],
                    ProgramRule::Path(symbolic) => path(symbolic).into_iter().map(ProgramRule::Path).collect(),
                }),
                sys: grants.sys.clone(),
                workers: grants.workers.clone(),
                ffi: each(&grants.ffi, |rule| match rule {
                    LibraryRule::Any => vec![LibraryRule::Any],
                    LibraryRule::Path(symbolic) => path(symbolic).into_iter().map(LibraryRule::Path).collect(),
                }),
                eval: grants.eval.clone(),
                wasm: grants.wasm.clone(),
                host: grants.host.clone(),
                secrets: grants.secrets.clone(),
            },
            limits: self.limits.values(),
            kernel: self.kernel.clone(),
            js: self.js.clone(),
            trust: self.trust.clone(),
            refused_roots,
            cwd: places.cwd.clone(),
        }
    }
}

impl Places {
    fn resolve(&self, path: &SymbolicPath) -> Vec<PathBuf> {
        let below = |folder: &PathBuf, rest: &Path| normalize(&self.cwd.join(folder).join(rest));
        match path {
            SymbolicPath::Literal(path) => vec![below(&self.cwd, path)],
            SymbolicPath::Below(Variable::Program, rest) => vec![below(&self.program, rest)],
            SymbolicPath::Below(Variable::Project, rest) => self.project.iter().map(|root| below(root, rest)).collect(),
            SymbolicPath::Below(Variable::Tmp, rest) => vec![below(&self.tmp, rest)],
            SymbolicPath::Below(Variable::Home, rest) => vec![below(&self.home, rest)],
        }
    }

    fn is_too_wide(&self, root: &Path) -> bool {
        let shared = ["/tmp", "/var/tmp", "/dev/shm"];
        root == Path::new("/")
            || self.home.starts_with(root)
            || shared.iter().any(|place| Path::new(place).starts_with(root))
    }
}

/// The same rules with each value replaced by what it stands for.
fn each<A, B>(rules: &Rules<A>, expand: impl Fn(&A) -> Vec<B>) -> Rules<B> {
    let all = |entries: &[Entry<A>]| {
        let mut expanded = Vec::with_capacity(entries.len());
        for entry in entries {
            let values = expand(&entry.value).into_iter();
            expanded.extend(values.map(|value| Entry { value, statement: entry.statement.clone() }));
        }
        expanded
    };
    Rules { allow: all(&rules.allow), deny: all(&rules.deny), stated: rules.stated, revoked: rules.revoked }
}
