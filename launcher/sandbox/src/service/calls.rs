//! From what a service asks for to a job.

use std::path::PathBuf;
use std::sync::Arc;

use policy::{Chain, Diagnostic, Layer, Policy, Source};
use serde_json::json;
use serde_json::value::RawValue;
use wire::byte_arrays;
use wire::rpc::{self, Call, Code, Fault, Register};
use zeroize::Zeroizing;

use super::functions::{Function, Functions};
use super::workers::Wanted;
use crate::host::Search;
use crate::places;
use crate::resolve::environment;
use crate::run::{Entry, Input, Job, Output};
use crate::secrets::{self, Secret};
use crate::stage::Preloaded;

/// What all calls have in common.
pub(super) struct Calls {
    pub(super) ceiling: Policy,
    pub(super) search: Search,
    pub(super) launcher: Option<PathBuf>,
    /// What stands for all functions that are called by their text.
    pub(super) text: Arc<Function>,
}

/// What is called if nothing else is said.
const DEFAULT_EXPORT: &str = "default";

impl Calls {
    /// A function that can be called from now on.
    pub(super) fn function(&self, register: Register) -> Result<Function, Fault> {
        let Register { name, code, export, policy, limits, preload } = register;
        let policy = narrowed(&self.ceiling, "the policy of secure-bun serve", policy.as_deref(), limits.as_deref())?;
        // A registered function is never named by another one.
        let entry = entry(code).ok_or_else(|| no_function(&name))?;
        let preloaded = preload.map(|preload| Preloaded {
            export: export.clone().unwrap_or_else(|| DEFAULT_EXPORT.to_owned()),
            calls: preload.calls.iter().map(|args| list(args)).collect(),
        });
        Ok(Function::new(name, entry, export, policy, preloaded))
    }

    /// What has to be run for `call`.
    pub(super) fn wanted(&self, call: Call, functions: &Functions) -> Result<Wanted, Fault> {
        let Call { function, export, args, bytes, returns_bytes, policy, limits, context, secrets, env } = call;
        byte_arrays::check(&bytes, &args).map_err(misplaced)?;
        let env: Vec<(String, String)> = env.into_iter().collect();
        check(&env)?;
        let is_narrowed = policy.is_some() || limits.is_some();
        let narrowed = |ceiling: &Policy, above: &str| narrowed(ceiling, above, policy.as_deref(), limits.as_deref());
        let (entry, export, policy, function) = match function {
            rpc::Function::Named(name) => {
                let function = functions.get(&name).ok_or_else(|| no_function(&name))?;
                let policy = narrowed(&function.policy, "the function's policy")?;
                (function.entry.clone(), function.export.clone(), policy, Some(function))
            }
            code => {
                let entry = entry(code).ok_or_else(|| no_function(""))?;
                let function = matches!(entry, Entry::Text(_)).then(|| Arc::clone(&self.text));
                (entry, export, narrowed(&self.ceiling, "the policy of secure-bun serve")?, function)
            }
        };
        // What the kernel enforces on a program is settled when it is started.
        let function = function.filter(|_| !is_narrowed);
        let has_secrets = !secrets.is_empty();
        let secret = |(name, value): (String, String)| {
            let from = secrets::Source::Value(Zeroizing::new(value));
            Secret { name, from }
        };
        // The table that a program starts with has no room for what JSON has nothing for.
        let input = if bytes.is_empty() && !returns_bytes { Input::Empty } else { Input::Call };
        let job = Job {
            variables: env.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
            secrets: secrets.into_iter().map(secret).collect(),
            args: Some(args),
            bytes,
            returns_bytes,
            context: Some(context),
            ..self.job(entry, export, policy, input)
        };
        Ok(Wanted { job, function, has_secrets })
    }

    /// What has to be run ahead of a call of `function`.
    pub(super) fn job_ahead(&self, function: &Function) -> Job {
        self.job(function.entry.clone(), function.export.clone(), function.policy.clone(), Input::Call)
    }

    fn job(&self, entry: Entry, export: Option<String>, policy: Policy, input: Input) -> Job {
        Job {
            entry,
            arguments: Vec::new(),
            policy,
            search: self.search.clone(),
            variables: Vec::new(),
            secrets: Vec::new(),
            args: None,
            bytes: Vec::new(),
            returns_bytes: false,
            context: None,
            // Named, so that it has to be there.
            export: Some(export.unwrap_or_else(|| DEFAULT_EXPORT.to_owned())),
            script: false,
            input,
            output: Output::Capture,
            denials: true,
            launcher: self.launcher.clone(),
        }
    }
}

/// The text of a JSON array.
fn list(values: &[Box<RawValue>]) -> String {
    let values: Vec<&str> = values.iter().map(|value| value.get()).collect();
    format!("[{}]", values.join(","))
}

fn entry(code: rpc::Function) -> Option<Entry> {
    match code {
        rpc::Function::Named(_) => None,
        rpc::Function::Source(text) => Some(Entry::Text(text)),
        rpc::Function::File(path) => Some(Entry::File(path.into())),
    }
}

pub(super) fn no_function(name: &str) -> Fault {
    let message = format!("no function {} is registered", serde_json::Value::from(name));
    Fault::new(Code::NoFunction, message).with(json!({ "function": name }))
}

/// Whether these can be variables of a program.
fn check(env: &[(String, String)]) -> Result<(), Fault> {
    for (name, value) in env {
        let wrong = |why: &str| Err(Fault::new(Code::Parameters, why).with(json!({ "path": format!("env.{name}") })));
        if name.contains('\0') || value.contains('\0') {
            return wrong("a variable has no NUL in it");
        }
        if let Err(error) = environment::check(name.as_ref()) {
            return wrong(&error.message);
        }
    }
    Ok(())
}

/// What a policy says that is to be within `ceiling`. Without one, that is the ceiling itself.
fn narrowed(
    ceiling: &Policy,
    above: &str,
    policy: Option<&RawValue>,
    limits: Option<&RawValue>,
) -> Result<Policy, Fault> {
    let limits = limits.map(|limits| layer("limits", &format!(r#"{{"limits":{}}}"#, limits.get()))).transpose()?;
    let own = match policy {
        Some(policy) => layers(layer("policy", policy.get())?)?,
        None if limits.is_none() => return Ok(ceiling.clone()),
        None => Vec::new(),
    };
    let mut inner = if policy.is_some() { Policy::merge(&own) } else { ceiling.clone() };
    // What says nothing of the layers does without those that are done without above it.
    if inner.kernel.require.is_none() {
        inner.kernel.require = ceiling.kernel_in_force().require;
    }
    if let Some(limits) = &limits {
        inner.limits.merge(&limits.said().limits);
    }
    let narrowed = inner.bounded_by(above, ceiling.clone());
    let unavailable = policy::unavailable(&narrowed);
    if unavailable.is_empty() { Ok(narrowed) } else { Err(invalid("policy", &unavailable)) }
}

fn layer(path: &str, text: &str) -> Result<Layer, Fault> {
    let cwd = places::working_directory().map_err(|error| Fault::new(Code::Internal, error.message))?;
    Layer::parse(&Source::file(path, cwd.join(path)), text.as_bytes()).map_err(|found| invalid(path, &found))
}

/// The layer with the presets that it extends. Files would be the launcher's to read, at the word of whoever calls.
fn layers(layer: Layer) -> Result<Vec<Layer>, Fault> {
    let chain = Chain::new(layer).map_err(|found| invalid("policy", &[found]))?;
    if chain.next_file().is_some() {
        let problem = chain.problem("only presets can be extended here: send what the file says");
        return Err(invalid("policy", problem.as_slice()));
    }
    Ok(chain.into_layers())
}

fn misplaced(wrong: byte_arrays::Misplaced) -> Fault {
    let path = wrong.index.map_or_else(|| "bytes".to_owned(), |index| format!("bytes[{index}]"));
    Fault::new(Code::Parameters, wrong.message).with(json!({ "path": path }))
}

fn invalid(path: &str, found: &[Diagnostic]) -> Fault {
    let first = found.first().map(ToString::to_string).unwrap_or_default();
    Fault::new(Code::Parameters, first).with(json!({ "path": path }))
}
