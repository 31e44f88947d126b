//! The one line of JSON that tells how a run went.

use serde_json::Value;
use snapbox::data::Inline;

use crate::process::{Ended, compare};

/// An envelope and the exit code that came with it.
#[derive(Debug)]
pub struct Envelope {
    /// What the launcher exited with.
    pub code: i32,
    /// All of it.
    pub json: Value,
}

impl Envelope {
    /// The envelope that is all of a launcher's standard output.
    #[track_caller]
    pub fn of(ended: &Ended) -> Self {
        let text = ended.stdout();
        assert_eq!(text.matches('\n').count(), 1, "not exactly one line: {ended}");
        let json = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {ended}"));
        Self { code: ended.code(), json }
    }

    /// The value at a JSON pointer.
    #[track_caller]
    pub fn at(&self, pointer: &str) -> &Value {
        self.json.pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in {}", self.json))
    }

    /// The number at a JSON pointer.
    #[track_caller]
    pub fn number(&self, pointer: &str) -> f64 {
        self.at(pointer).as_f64().unwrap_or_else(|| panic!("{pointer} is no number in {}", self.json))
    }

    /// The text at a JSON pointer.
    #[track_caller]
    pub fn text(&self, pointer: &str) -> &str {
        self.at(pointer).as_str().unwrap_or_else(|| panic!("{pointer} is no text in {}", self.json))
    }

    /// The result of a function that returned.
    #[track_caller]
    pub fn result(&self) -> &Value {
        assert_eq!((self.code, self.at("/ok")), (0, &Value::Bool(true)), "{}", self.json);
        self.at("/result")
    }

    /// Compares what is the same every time, so without times, memory and stacks, with a snapshot.
    #[track_caller]
    pub fn is(&self, snapshot: Inline) {
        compare(self.lasting(), snapshot);
    }

    fn lasting(&self) -> String {
        let mut json = self.json.clone();
        for (pointer, key) in [("", "stats"), ("", "sandbox"), ("/error", "stack")] {
            if let Some(Value::Object(object)) = json.pointer_mut(pointer) {
                object.remove(key);
            }
        }
        for log in json.pointer_mut("/logs").and_then(Value::as_array_mut).into_iter().flatten() {
            log["t_ms"] = Value::Null;
        }
        let text = serde_json::to_string_pretty(&json).expect("JSON can be written");
        format!("exit code {}\n{text}\n", self.code)
    }
}
