//! What the end-to-end tests share: where the built launcher and Bun are, a folder for the files of one test, and
//! processes that are watched until they end.
#![forbid(unsafe_code)]

mod envelope;
mod folder;
mod machine;
mod memory;
mod native;
mod process;
pub mod soak;
mod tools;

pub use envelope::Envelope;
pub use folder::{Folder, JSON};
pub use machine::Machine;
pub use memory::count_in_memory;
pub use native::{native, native_source};
pub use process::{Command, Ended, PATIENCE, Running};
pub use snapbox::str;
pub use tools::{bun, debug_launcher, is_root, launcher, packages, services};
