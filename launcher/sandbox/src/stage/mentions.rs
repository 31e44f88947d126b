//! Powers of Bun whose guards cost a start too much: looking at one makes it, up to 6 ms for SQL. Where the program's
//! text mentions one, it will be made anyway, and is guarded. Elsewhere the kernel's own refusal has to do.

/// Properties of `Bun`.
const POWERS: [&str; 15] = [
    "Archive",
    "FileSystemRouter",
    "Glob",
    "Image",
    "RedisClient",
    "S3Client",
    "SQL",
    "WebView",
    "build",
    "dns",
    "postgres",
    "redis",
    "s3",
    "secrets",
    "sql",
];

/// Members of `process`.
const MEMBERS: [&str; 4] = ["chdir", "dlopen", "execve", "loadEnvFile"];

/// Modules that are rarely used, by the names under which a plugin is not asked about them.
const MODULES: [&str; 10] = [
    "bun:jsc",
    "child_process",
    "cluster",
    "inspector",
    "inspector/promises",
    "module",
    "process",
    "undici",
    "wasi",
    "ws",
];

/// What of these a program mentions. One that hides a name loses the explanation of its refusals and gains nothing.
pub(crate) fn mentions(source: &[u8]) -> Vec<&'static str> {
    let holds = |word: &[u8]| source.windows(word.len()).any(|window| window == word);
    let quoted = |name: &str| holds(format!("\"{name}\"").as_bytes()) || holds(format!("'{name}'").as_bytes());
    let mut found = Vec::new();
    // The shell is used as a tagged template.
    if holds(b"$`") {
        found.push("$");
    }
    // Imported, or taken apart: `const { sql } = Bun`.
    let bare = quoted("bun") || holds(b"= Bun");
    if bare || holds(b"Bun.") {
        let named =
            |name: &str| holds(format!("Bun.{name}").as_bytes()) || (bare && holds_word(source, name.as_bytes()));
        found.extend(POWERS.into_iter().filter(|name| named(name)));
    }
    found.extend(MEMBERS.into_iter().filter(|name| holds_word(source, name.as_bytes())));
    found.extend(MODULES.into_iter().filter(|name| quoted(name)));
    found
}

fn holds_word(source: &[u8], word: &[u8]) -> bool {
    let is_part = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || b"_$".contains(byte));
    source.windows(word.len()).enumerate().any(|(at, window)| {
        window == word
            && !is_part(at.checked_sub(1).and_then(|at| source.get(at)))
            && !is_part(source.get(at + word.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::mentions;

    #[test]
    fn a_program_without_them() {
        assert!(mentions(b"export default () => console.log('sql, s3, ws');").is_empty());
    }

    #[test]
    fn members_of_bun() {
        assert_eq!(mentions(b"await Bun.sql`select 1`; new Bun.Glob('*');"), ["$", "Glob", "sql"][1..]);
        assert_eq!(mentions(b"await Bun.$`ls`"), ["$"]);
    }

    #[test]
    fn imports_from_bun() {
        assert_eq!(mentions(b"import { s3, SQL } from \"bun\";"), ["SQL", "s3"]);
        assert_eq!(mentions(b"const { RedisClient } = Bun; rebuild();"), ["RedisClient"]);
    }

    #[test]
    fn modules() {
        assert_eq!(mentions(b"const { request } = require('undici'); process.chdir('/');"), ["chdir", "undici"]);
    }
}
