//! An internet in a network namespace: names, public and other addresses, and servers on them.

use secure_bun_tests::{Command, Ended, Envelope, Folder, JSON, bun};
use serde_json::Value;

use super::host_network::WITHOUT;

const WITHIN: &str = env!("CARGO_BIN_EXE_within");

/// The hosts that there are, each a server on port 80 that says which it is.
pub(crate) const PUBLIC: &str = "93.184.216.34";
pub(crate) const OTHER_PUBLIC: &str = "93.184.216.35";
pub(crate) const PUBLIC_V6: &str = "2606:4700::1";
pub(crate) const PRIVATE: &str = "10.0.0.5";
pub(crate) const METADATA: &str = "169.254.169.254";

/// Asks for each URL and prints what came back, or `failed`.
const GET: &str = r#"
for (const url of process.argv.slice(2)) {
  const get = fetch(url, { keepalive: false, signal: AbortSignal.timeout(10_000) });
  console.log(await get.then((response) => response.text()).catch(() => "failed"));
}
"#;

/// A folder with programs, and the names that they find.
pub(crate) struct Internet {
    pub(crate) folder: Folder,
}

impl Internet {
    /// With these names: for each, its answers one after the other, each a list of addresses; the last one stays.
    pub(crate) fn with(names: &Value) -> Self {
        let folder = Folder::with("zone.json", names.to_string()).file("get.mjs", GET);
        Self { folder: folder.file("internet.mjs", include_str!("internet.mjs")) }
    }

    pub(crate) fn file(self, path: &str, contents: &str) -> Self {
        Self { folder: self.folder.file(path, contents) }
    }

    fn around(&self, command: Command) -> Command {
        self.around_starting(command, &[])
    }

    /// The command, which these words start in turn.
    fn around_starting(&self, command: Command, starter: &[&str]) -> Command {
        let script = self.folder.text("internet.mjs");
        let bun = bun().to_str().expect("a plain path");
        let words = [&["internet", bun, &script, "zone.json", "questions"], starter].concat();
        command.started_by(WITHIN.as_ref(), &words)
    }

    /// `bun WORDS…` in it, without a sandbox.
    pub(crate) fn outside(&self, words: &[&str]) -> Vec<String> {
        lines(&self.around(self.folder.bun(words)).end())
    }

    /// `secure-bun run FLAGS… WORDS…` in it.
    pub(crate) fn inside(&self, flags: &[&str], words: &[&str]) -> Inside {
        let command = self.folder.secure_bun(["run", JSON]).words(flags).words(words);
        let envelope = self.around(command).envelope();
        Inside { envelope, questions: self.questions() }
    }

    /// The same on a machine that lacks something.
    pub(crate) fn inside_lacking(&self, lack: &str, flags: &[&str], words: &[&str]) -> Inside {
        let command = self.folder.secure_bun(["run", JSON]).words(flags).words(words);
        let envelope = self.around_starting(command, &[WITHOUT, lack]).envelope();
        Inside { envelope, questions: self.questions() }
    }

    /// `python3 WORDS…` in it, without a sandbox.
    pub(crate) fn python_outside(&self, words: &[&str]) -> Vec<String> {
        lines(&self.around(self.folder.program("/usr/bin/env".as_ref()).word("python3").words(words)).end())
    }

    /// `secure-bun spawn FLAGS… -- python3 WORDS…` in it: nothing of ours is in that program.
    pub(crate) fn python_inside(&self, flags: &[&str], words: &[&str]) -> Inside {
        let command = self.folder.secure_bun(["spawn", JSON, "--allow-read=."]).words(flags);
        let envelope = self.around(command.words(["--", "python3"]).words(words)).envelope();
        Inside { envelope, questions: self.questions() }
    }

    /// The datagrams that arrived in the last run, each after the address where it did.
    pub(crate) fn datagrams(&self) -> Vec<String> {
        self.folder.read("datagrams").lines().map(str::to_owned).collect()
    }

    /// The names that were asked for, each once.
    pub(crate) fn questions(&self) -> Vec<String> {
        let mut names: Vec<String> = self.folder.read("questions").lines().map(str::to_owned).collect();
        names.sort();
        names.dedup();
        names
    }
}

/// How a run in it went.
pub(crate) struct Inside {
    pub(crate) envelope: Envelope,
    pub(crate) questions: Vec<String>,
}

impl Inside {
    /// The lines that it printed.
    pub(crate) fn lines(&self) -> Vec<&str> {
        self.envelope.text("/stdout").lines().collect()
    }

    /// What the broker refused, and by which rule.
    pub(crate) fn refusals(&self) -> Vec<(&str, &str)> {
        let denials = self.envelope.at("/denials").as_array().expect("a list");
        let by_broker = denials.iter().filter(|denial| denial["reported_by"] == "broker");
        by_broker.map(|denial| (text(&denial["resource"]), text(&denial["rule"]))).collect()
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

#[track_caller]
fn lines(ended: &Ended) -> Vec<String> {
    assert_eq!(ended.code(), 0, "{ended}");
    ended.stdout().lines().map(str::to_owned).collect()
}
