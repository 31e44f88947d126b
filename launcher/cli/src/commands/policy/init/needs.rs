//! What a program needs beyond a preset, permission by permission.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use policy::{
    ExpandedPolicy, Layer, Permission, Places, Policy, Preset, Request, Source, decide, is_within, normalize,
};
use secure_bun::places::TMP;
use serde_json::{Value, json};
use survey::Resource;

use super::modules::{Module, Modules, Place};

/// What a program needs beyond a preset.
#[derive(Debug)]
pub(super) struct Needs {
    /// The preset.
    pub(super) preset: Preset,
    /// Each permission with something to say, in the order of the documentation.
    pub(super) permissions: Vec<Need>,
}

/// What is needed of one permission.
#[derive(Debug)]
pub(super) struct Need {
    /// The permission.
    pub(super) permission: Permission,
    /// What stands in the text.
    pub(super) values: Vec<Named>,
    /// Where something is asked for that does not.
    pub(super) computed: Vec<Place>,
    /// This version can enforce it.
    pub(super) is_available: bool,
}

/// One value of a policy.
#[derive(Debug)]
pub(super) struct Named {
    /// As a policy writes it.
    pub(super) value: Value,
    /// Where it is asked for.
    pub(super) places: Vec<Place>,
    /// What else to know.
    pub(super) note: Option<&'static str>,
}

/// Where the policy will lie, and what it builds on.
struct Scene<'a> {
    folder: &'a Path,
    places: &'a Places,
    preset: Layer,
    granted: ExpandedPolicy,
}

impl Needs {
    /// What `modules` ask for and `preset` does not grant, as a policy in `folder` names it.
    pub(super) fn of(modules: &Modules, preset: Preset, folder: &Path, places: &Places) -> Self {
        let layer = Layer::preset(preset);
        let granted = Policy::merge([&layer]).expand(places);
        let scene = Scene { folder, places, preset: layer, granted };
        let need = |permission: &Permission| scene.need(*permission, modules);
        Self { preset, permissions: Permission::ALL.iter().filter_map(need).collect() }
    }
}

impl Scene<'_> {
    fn need(&self, permission: Permission, modules: &Modules) -> Option<Need> {
        let mut need = Need { permission, values: Vec::new(), computed: Vec::new(), is_available: true };
        let mut named: BTreeMap<String, Vec<Place>> = BTreeMap::new();
        let mut whole = Vec::new();
        for module in &modules.files {
            for ask in module.survey.asks.iter().filter(|ask| ask.permission == permission) {
                let place = Place { file: module.name.clone(), line: ask.line };
                match self.value(permission, &ask.resource, module) {
                    Some(text) => named.entry(text).or_default().push(place),
                    None if ask.resource == Resource::Whole => whole.push(place),
                    None => need.computed.push(place),
                }
            }
        }
        if permission == Permission::Import {
            // Stating a root replaces the default one, so these are looked at one by one.
            let is_new = |file: &Path| !decide(&self.granted, &Request::Import(file.to_path_buf())).allowed;
            for (file, place) in modules.loaded.iter().filter(|(file, _)| is_new(file)) {
                named.entry(self.written(file)).or_default().push(place.clone());
            }
        }
        let whole = (!whole.is_empty()).then(|| (of_whole(permission, whole.len()), whole));
        let named = named.into_iter().map(|(text, places)| (json!(text), places));
        for (value, places) in named.chain(whole) {
            match self.standing(permission, &value) {
                Standing::Granted => {}
                Standing::NotAPolicy => need.computed.extend(places),
                Standing::Asked { is_available } => {
                    need.is_available &= is_available;
                    let note = self.note(permission, &value);
                    need.values.push(Named { value, places, note });
                }
            }
        }
        if permission == Permission::Import && !need.values.is_empty() {
            let value = json!("${PROJECT}");
            need.values.insert(0, Named { value, places: Vec::new(), note: Some("the default") });
        }
        need.computed.sort();
        need.computed.dedup();
        (!need.values.is_empty() || !need.computed.is_empty()).then_some(need)
    }

    /// The value of a policy that a resource stands for.
    fn value(&self, permission: Permission, resource: &Resource, module: &Module) -> Option<String> {
        let is_path = match permission {
            Permission::Read | Permission::Write | Permission::Ffi => true,
            Permission::Run => matches!(resource, Resource::Named(name) if name.contains('/')),
            _ => false,
        };
        match resource {
            // A library by its bare name is looked for where the system has them.
            Resource::Named(name) if permission == Permission::Ffi && !name.contains('/') => None,
            Resource::Named(name) if is_path => Some(self.written(&self.places.cwd.join(name))),
            Resource::Named(name) => Some(name.clone()),
            Resource::Beside(name) => Some(self.written(&module.folder.join(name))),
            Resource::Whole | Resource::Computed => None,
        }
    }

    /// A path as a policy in the folder writes it.
    fn written(&self, path: &Path) -> String {
        let path = normalize(path);
        let below = |folder: &Path, word: &str| {
            let rest = path.strip_prefix(folder).ok()?;
            Some(if rest == Path::new("") { word.to_owned() } else { format!("{word}/{}", rest.display()) })
        };
        let home = Some(&self.places.home).filter(|home| *home != Path::new("/"));
        // The private temporary folder is empty when the program starts.
        let temporary = path.starts_with(TMP).then(|| "${TMP}".to_owned());
        below(self.folder, ".")
            .or(temporary)
            .or_else(|| below(home?, "${HOME}"))
            .unwrap_or_else(|| path.display().to_string())
    }

    fn standing(&self, permission: Permission, value: &Value) -> Standing {
        let text = json!({ "allow": { permission.name(): value } }).to_string();
        let source = Source::file("the proposal", self.folder.join(super::FILE));
        let Ok(layer) = Layer::parse(&source, text.as_bytes()) else { return Standing::NotAPolicy };
        let with = Policy::merge([&self.preset, &layer]);
        if is_within(&with.expand(self.places), &self.granted).is_ok() {
            return Standing::Granted;
        }
        Standing::Asked { is_available: policy::unavailable(&Policy::merge([&layer])).is_empty() }
    }

    fn note(&self, permission: Permission, value: &Value) -> Option<&'static str> {
        let path = value.as_str().and_then(|text| text.strip_prefix("./"));
        let path: Option<PathBuf> = path.map(|rest| self.folder.join(rest));
        let is_missing = path.is_some_and(|path| !path.exists());
        (is_missing && permission == Permission::Write).then_some("not there: create it, or grant its folder instead")
    }
}

/// What a value is to the policy that is proposed.
enum Standing {
    /// The preset grants it.
    Granted,
    /// No policy can say it.
    NotAPolicy,
    /// It has to be stated.
    Asked {
        /// This version can enforce it.
        is_available: bool,
    },
}

/// The value of a permission without names.
fn of_whole(permission: Permission, places: usize) -> Value {
    match permission {
        Permission::Workers => json!(places),
        _ => json!(true),
    }
}
