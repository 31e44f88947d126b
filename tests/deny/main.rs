//! What is not granted cannot be done. Each test first does the act under bare Bun, where it works; then in the sandbox,
//! where it is refused in so many words by the preload, and, on ways around the preload, by the kernel with an errno.

mod around;
mod engine;
mod files;
mod hostile;
mod kernel;
mod network;
mod secrets;
mod system;

use secure_bun_tests::{Envelope, Folder, JSON};

/// Calls the default export of `fn.ts` under bare Bun.
const CALLER: &str = "import act from './fn.ts'; console.log(JSON.stringify(await act()) ?? 'null');";

/// An act, as the default export of a function file.
struct Act {
    folder: Folder,
    policy: &'static str,
}

/// What a refusal says.
struct Refusal<'a> {
    permission: &'a str,
    resource: Option<&'a str>,
    rule: &'a str,
    fix: &'a str,
}

impl Act {
    /// `expression`, in a folder with more files, under a policy that grants nothing.
    fn new(folder: Folder, expression: &str) -> Self {
        let source = format!("export default async () => {expression};");
        Self { folder: folder.file("fn.ts", source).file("outside.ts", CALLER), policy: "{}" }
    }

    fn under(self, policy: &'static str) -> Self {
        Self { policy, ..self }
    }

    /// It works without the sandbox.
    #[track_caller]
    fn works_outside(&self) {
        let ended = self.folder.bun(["run", "outside.ts"]).end();
        assert_eq!(ended.code(), 0, "the test shows nothing, the act fails outside as well: {ended}");
    }

    /// Tries it inside.
    #[track_caller]
    fn inside(self) -> (Folder, Envelope) {
        let folder = self.folder.file("policy.json", self.policy);
        let envelope = folder.secure_bun(["run", JSON, "--policy", "policy.json", "fn.ts"]).envelope();
        (folder, envelope)
    }

    /// It works without the sandbox; inside it fails, in whatever way.
    #[track_caller]
    fn fails(self) -> Envelope {
        self.works_outside();
        let (_, envelope) = self.inside();
        assert_eq!((envelope.at("/ok").as_bool(), envelope.code), (Some(false), 1), "{}", envelope.json);
        envelope
    }

    /// It works without the sandbox; inside, a SecurityError says this, and so does the list of denials.
    #[track_caller]
    fn refused_as(self, refusal: &Refusal<'_>) {
        self.works_outside();
        let (folder, envelope) = self.inside();
        let said = |pointer: &str| (envelope.json.pointer(pointer)).and_then(serde_json::Value::as_str);
        assert_eq!(said("/error/name"), Some("SecurityError"), "{}", envelope.json);
        assert_eq!(said("/error/code"), Some("ERR_ACCESS_DENIED"));
        for place in ["/error", "/denials/0"] {
            let field = |name| said(&format!("{place}/{name}")).map(|text| text.replace(&folder.text(""), "[FOLDER]"));
            let expected = [Some(refusal.permission), refusal.resource, Some(refusal.rule), Some(refusal.fix)];
            let told = ["permission", "resource", "rule", "fix"].map(field);
            assert_eq!(told.each_ref().map(Option::as_deref), expected, "{place} of {}", envelope.json);
        }
        assert_eq!(envelope.code, 1);
    }

    /// It works without the sandbox; inside it throws an error with this code of the kernel's.
    #[track_caller]
    fn fails_with(self, code: &str) {
        self.works_outside();
        let (_, envelope) = self.inside();
        let told = (envelope.json.pointer("/error/code")).and_then(serde_json::Value::as_str);
        assert_eq!((told, envelope.code), (Some(code), 1), "{}", envelope.json);
    }

    /// What it returns without the sandbox, and inside.
    #[track_caller]
    fn both(self) -> (serde_json::Value, serde_json::Value) {
        self.once_more(|_| ())
    }

    /// The same for an act that leaves something behind, which `undo` takes back in between.
    #[track_caller]
    fn once_more(self, undo: impl Fn(&Folder)) -> (serde_json::Value, serde_json::Value) {
        let outside = self.folder.bun(["run", "outside.ts"]).end();
        assert_eq!(outside.code(), 0, "{outside}");
        undo(&self.folder);
        let (_folder, envelope) = self.inside();
        (serde_json::from_str(&outside.stdout()).unwrap(), envelope.result().clone())
    }
}
