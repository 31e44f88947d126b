//! What all sources together say.

use std::sync::LazyLock;

use std::sync::Arc;

use crate::ceiling::stricter_kernel;
use crate::grants::{Entry, Grants, Statement};
use crate::layer::Layer;
use crate::limits::StatedLimits;
use crate::path::{SymbolicPath, Variable};
use crate::permission::{Permission, Side};
use crate::settings::{JsSettings, KernelSettings, TrustSettings};
use crate::source::{SourceKind, SourceText};

/// What the sources of a run say together, each entry with the place that says it.
///
/// Its paths may still start with variables: [`Policy::expand`] replaces them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// What is granted and denied.
    pub grants: Grants<SymbolicPath>,
    /// What the run may use up.
    pub limits: StatedLimits,
    /// The kernel's layers.
    pub kernel: KernelSettings,
    /// The JavaScript engine.
    pub js: JsSettings,
    /// Signed programs.
    pub trust: TrustSettings,
    /// The policy above this one, for one that is not trusted by itself.
    pub bound: Option<Box<Bound>>,
}

/// A policy that bounds another: what both allow is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// What people call it: `preset script`.
    pub name: String,
    /// What it says.
    pub policy: Policy,
}

/// The source of the import roots that hold where no layer names any.
pub(crate) const UNNAMED_IMPORT: &str = "default";

static DEFAULT_IMPORT: LazyLock<Arc<SourceText>> =
    LazyLock::new(|| SourceText::new(UNNAMED_IMPORT, SourceKind::Builtin, "\"${PROJECT}\"", None));

impl Policy {
    /// Merges layers, the most basic first. Lists unite; of single values the last one holds, and so does a `false`
    /// against the grants before it. Where no layer speaks of `import`, it is the project.
    pub fn merge<'a>(layers: impl IntoIterator<Item = &'a Layer>) -> Self {
        let mut merged = Self::default();
        for Layer { said, .. } in layers {
            merged.grants.merge(&said.grants);
            merged.limits.merge(&said.limits);
            merged.kernel.merge(&said.kernel);
            merged.js.merge(&said.js);
            merged.trust.merge(&said.trust);
        }
        if !merged.grants.import.stated {
            let origin = DEFAULT_IMPORT.whole();
            let statement = Statement { permission: Permission::Import, side: Side::Allow, origin };
            let value = SymbolicPath::Below(Variable::Project, std::path::PathBuf::new());
            merged.grants.import.allow.push(Entry { value, statement });
            merged.grants.import.stated = true;
        }
        merged
    }

    /// What it requires of the kernel, together with the policies above it. `kernel` is what it says by itself.
    pub fn kernel_in_force(&self) -> KernelSettings {
        let Some(bound) = &self.bound else { return self.kernel.clone() };
        stricter_kernel(&self.kernel, &bound.policy.kernel_in_force())
    }

    /// The same policy under another one: once expanded, it allows what both allow.
    #[must_use]
    pub fn bounded_by(self, name: impl Into<String>, policy: Self) -> Self {
        Self { bound: Some(Box::new(Bound { name: name.into(), policy })), ..self }
    }
}
