//! Attacks by somebody who knows the source. Each is shown to work without the sandbox first; inside, its exact outcome
//! is asserted, and that nothing outside has changed. `tests/corpus` holds more, with a runner of its own.
#![allow(clippy::needless_raw_string_hashes, reason = "snapbox writes the snapshots")]

mod channel;
mod descriptors;
mod execution;
mod files;
mod grants;
mod guards;
mod narrower;
mod policies;
mod proc;
mod processes;
mod programs;
mod resources;
mod system_calls;
mod terminal;
mod workers;

use secure_bun_tests::{Envelope, Folder, JSON, native};
use serde_json::Value;

/// An attack: what a function file does.
struct Attack {
    folder: Folder,
    policy: String,
}

/// Grants native code, which is past everything in JavaScript.
const NATIVE: &str = r#"{"ffi": true}"#;
/// The same with a folder to write to.
const NATIVE_WRITER: &str = r#"{"ffi": true, "write": ["./out"]}"#;
const WRITER: &str = r#"{"write": ["./out"]}"#;

impl Attack {
    /// What an expression gives, or the code of what it throws after a `!`. `raw` is node:fs by a route that no guard
    /// sees, so that the kernel answers alone; `fs` is the guarded one.
    fn new(folder: Folder, expression: &str) -> Self {
        let source = format!(
            "export default async () => {{ try {{ const raw = await import(['f', 's'].join('')), fs = require('fs');
                return await ({expression}); }} catch (error) {{ return '!' + (error.code ?? error.name); }} }};"
        );
        let call = "import act from './fn.ts'; console.log(JSON.stringify(await act()) ?? 'null');";
        Self {
            folder: folder.package().folder("out").file("fn.ts", source).file("outside.ts", call),
            policy: "{}".into(),
        }
    }

    /// The same with `call`, `text` and `open` for system calls; see [`native`].
    fn by_native_code(folder: Folder, expression: &str) -> Self {
        let expression = format!(
            "(async () => {{ const {{ call, text, open }} = await import('./native.ts'); return {expression}; }})()"
        );
        Self::new(native(folder), &expression).under(NATIVE)
    }

    fn under(self, policy: &str) -> Self {
        Self { policy: policy.into(), ..self }
    }

    /// What it gives without the sandbox.
    #[track_caller]
    fn outside(&self) -> Value {
        let printed = self.folder.bun(["run", "outside.ts"]).prints();
        serde_json::from_str(&printed).unwrap()
    }

    /// How it ends inside.
    #[track_caller]
    fn inside(self) -> (Folder, Envelope) {
        let folder = self.folder.file("policy.json", self.policy);
        let envelope = folder.secure_bun(["run", JSON, "--policy", "policy.json", "fn.ts"]).envelope();
        (folder, envelope)
    }

    /// It works outside, is undone, and gives exactly this inside.
    #[track_caller]
    fn comes_to(self, undo: impl FnOnce(&Folder), expected: &Value) -> Folder {
        let outside = self.outside();
        assert!(is_success(&outside), "the attack shows nothing, it fails outside as well: {outside}");
        undo(&self.folder);
        let (folder, envelope) = self.inside();
        assert_eq!(envelope.result(), expected, "outside: {outside}");
        folder
    }

    /// It works outside; inside it fails with this code.
    #[track_caller]
    fn fails_with(self, code: &str) -> Folder {
        self.comes_to(|_| (), &Value::from(format!("!{code}")))
    }

    /// It works outside, is undone, and fails inside with this code.
    #[track_caller]
    fn undone_fails_with(self, undo: impl FnOnce(&Folder), code: &str) -> Folder {
        self.comes_to(undo, &Value::from(format!("!{code}")))
    }

    /// Its system call works outside; inside it fails with this errno.
    #[track_caller]
    fn refused_with(self, errno: i32) -> Folder {
        self.comes_to(|_| (), &Value::from(-errno))
    }
}

fn is_success(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.starts_with('!'),
        Value::Number(number) => number.as_f64().is_some_and(|number| number >= 0.0),
        Value::Array(values) => values.iter().all(is_success),
        _ => true,
    }
}

/// A folder of somebody else, with a secret.
fn secret() -> Folder {
    Folder::with("secret.txt", "secret").file("inner/secret.txt", "secret")
}
