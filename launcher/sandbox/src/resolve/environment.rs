//! The program's environment: what is always there, what passes, and what never does.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use policy::{ExpandedPolicy, Request, decide};

use crate::error::{Error, Kind};

/// Harmless settings of terminal and language that pass without a grant; LC_* do, too.
const PASSING: [&str; 6] = ["TZ", "LANG", "TERM", "COLUMNS", "NO_COLOR", "FORCE_COLOR"];

/// Variables that change what the loader, Bun or its engine do. They never come from outside: a grant of `*` for the
/// program's own settings must not take the sandbox apart.
const COMMANDING: [&str; 11] = [
    "LD_",
    "BUN_OPTIONS",
    "BUN_INSPECT",
    "BUN_JSC_",
    "BUN_RUNTIME_",
    "BUN_FEATURE_",
    "BUN_BE_",
    "MIMALLOC_",
    "NODE_OPTIONS",
    "JSC_",
    "SECURE_BUN_CHILD_",
];

fn is_commanding(name: &[u8]) -> bool {
    COMMANDING.iter().any(|prefix| name.starts_with(prefix.as_bytes()))
}

/// What the program finds as its own folders.
#[derive(Clone, Copy, Debug)]
pub struct Folders<'a> {
    /// Where programs are looked up.
    pub path: &'a str,
    /// Its home.
    pub home: &'a Path,
    /// Its temporary files.
    pub tmp: &'a Path,
}

/// The program's variables as `NAME=value`: `outside` as far as the policy lets it in, then `given` by the user.
/// `path` is where programs are looked up inside.
pub fn environment(
    policy: &ExpandedPolicy,
    outside: impl Iterator<Item = (OsString, OsString)>,
    given: &[(OsString, OsString)],
    folders: Folders<'_>,
) -> Result<Vec<Vec<u8>>, Error> {
    let Folders { path, home, tmp } = folders;
    let mut variables: Vec<(OsString, OsString)> =
        vec![("PATH".into(), path.into()), ("HOME".into(), home.into()), ("TMPDIR".into(), tmp.into())];
    let fixed = variables.len();
    for (name, value) in outside {
        let bytes = name.as_bytes();
        if variables.iter().take(fixed).any(|(known, _)| *known == name) || is_commanding(bytes) {
            continue;
        }
        let passes = PASSING.iter().any(|passing| passing.as_bytes() == bytes) || bytes.starts_with(b"LC_");
        let granted = || name.to_str().is_some_and(|name| decide(policy, &Request::Env(name.to_owned())).allowed);
        if passes || granted() {
            variables.push((name, value));
        }
    }
    for (name, value) in given {
        check(name)?;
        variables.retain(|(known, _)| known != name);
        variables.push((name.clone(), value.clone()));
    }
    Ok(variables.into_iter().map(|(name, value)| joined(&name, &value)).collect())
}

/// Whether a user may give a program this variable.
pub(crate) fn check(name: &OsStr) -> Result<(), Error> {
    let refuse = |why: &str| Err(Error::new(Kind::Usage, format!("--env {}: {why}", name.display())));
    if name.is_empty() || name.as_bytes().contains(&b'=') {
        return refuse("that is not the name of a variable");
    }
    if is_commanding(name.as_bytes()) {
        return refuse("this variable changes what Bun or the loader do, and is secure-bun's to set");
    }
    Ok(())
}

fn joined(name: &OsStr, value: &OsStr) -> Vec<u8> {
    let mut variable = name.to_owned().into_vec();
    variable.push(b'=');
    variable.extend_from_slice(value.as_bytes());
    variable
}

#[cfg(test)]
mod tests {
    use super::*;
    use policy::{Layer, Places, Policy, Source};

    fn policy(text: &str) -> ExpandedPolicy {
        let layer = Layer::parse(&Source::file("p.json", "/p/p.json"), text.as_bytes()).unwrap();
        Policy::merge([&layer]).expand(&Places {
            program: "/p".into(),
            project: vec!["/p".into()],
            tmp: "/tmp".into(),
            home: "/home/me".into(),
            cwd: "/p".into(),
        })
    }

    fn folders() -> Folders<'static> {
        Folders { path: "/bin", home: Path::new("/home/sandbox"), tmp: Path::new("/tmp") }
    }

    fn seen(text: &str, outside: &[(&str, &str)]) -> Vec<String> {
        let outside = outside.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let variables = environment(&policy(text), outside, &[], folders()).unwrap();
        variables.into_iter().skip(3).map(|variable| String::from_utf8(variable).unwrap()).collect()
    }

    #[test]
    fn nothing_passes_but_terminal_and_language() {
        let outside = [("LANG", "C"), ("LC_ALL", "C"), ("AWS_SECRET", "x"), ("HOME", "/root"), ("PATH", "/evil")];
        assert_eq!(seen("{}", &outside), ["LANG=C", "LC_ALL=C"]);
    }

    #[test]
    fn a_grant_lets_a_variable_in_and_a_deny_keeps_it_out() {
        let text = r#"{"allow":{"env":["APP_*"]},"deny":{"env":["APP_KEY"]}}"#;
        assert_eq!(seen(text, &[("APP_MODE", "x"), ("APP_KEY", "y"), ("APPX", "z")]), ["APP_MODE=x"]);
    }

    #[test]
    fn no_grant_lets_in_what_commands_bun() {
        let outside = [("BUN_OPTIONS", "--preload=x"), ("LD_PRELOAD", "x"), ("NODE_OPTIONS", "x"), ("A", "1")];
        assert_eq!(seen(r#"{"allow":{"env":["*"]}}"#, &outside), ["A=1"]);
    }

    #[test]
    fn a_given_variable_that_commands_bun_is_an_error() {
        let given = [("BUN_JSC_useShadowRealm".into(), "1".into())];
        let error = environment(&policy("{}"), std::iter::empty(), &given, folders()).unwrap_err();
        assert_eq!(error.kind, Kind::Usage);
    }
}
