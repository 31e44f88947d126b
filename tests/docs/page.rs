//! A page of documentation: its blocks, and running its commands.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use secure_bun_tests::Folder;

use crate::ROOT;

/// A page.
pub(crate) struct Page {
    /// Its path in the checkout.
    pub(crate) name: String,
    /// Its blocks that matter, in order.
    pub(crate) blocks: Vec<Block>,
    text: String,
}

/// A block that matters.
pub(crate) enum Block {
    /// A file that the reader writes.
    File {
        /// Its path.
        name: String,
        /// What is in it.
        text: String,
    },
    /// Commands and what they print.
    Console {
        /// Where the block begins.
        line: usize,
        /// All of it.
        text: String,
    },
}

/// Every page but those of the error codes.
const PAGES: [&str; 9] = [
    "README.md",
    "docs/apis.md",
    "docs/deployment.md",
    "docs/exit-codes-and-envelope.md",
    "docs/how-it-works.md",
    "docs/limits.md",
    "docs/policy-tools.md",
    "docs/programs.md",
    "docs/protocol.md",
];

impl Page {
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        PAGES.into_iter().map(Self::read).chain(Self::errors())
    }

    /// The page of each error code.
    pub(crate) fn errors() -> impl Iterator<Item = Self> {
        policy::ERROR_CODES.into_iter().map(|code| Self::read(&format!("docs/errors/{code}.md")))
    }

    pub(crate) fn read(name: &str) -> Self {
        let path = Path::new(ROOT).join(name);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self::new(name, &text)
    }

    pub(crate) fn new(name: &str, text: &str) -> Self {
        Self { name: name.to_owned(), blocks: blocks(text), text: text.to_owned() }
    }

    /// The words after the fences that open a block.
    pub(crate) fn languages(&self) -> impl Iterator<Item = &str> {
        let fences = self.text.lines().filter_map(|line| line.strip_prefix("```"));
        fences.step_by(2).map(|opening| opening.split_whitespace().next().unwrap_or_default())
    }

    /// The targets of links within the checkout.
    pub(crate) fn links(&self) -> impl Iterator<Item = &str> {
        let targets = self.text.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(target, _)| target));
        targets.filter(|target| !target.contains("://") && !target.starts_with('#'))
    }

    /// The cells of the table rows below the heading that contains `title`, the heading rows left out.
    pub(crate) fn table(&self, title: &str) -> Vec<Vec<String>> {
        let section = self.text.split("\n## ").find(|section| section.starts_with(title));
        let section = section.unwrap_or_else(|| panic!("{}: no heading {title:?}", self.name));
        let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
        rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
    }
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(opening) = line.strip_prefix("```") else { continue };
        let body = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```");
        let text = body.fold(String::new(), |text, line| text + line + "\n");
        match opening.split_whitespace().collect::<Vec<_>>()[..] {
            ["console"] => blocks.push(Block::Console { line: number + 1, text }),
            [_, name] => blocks.push(Block::File { name: name.to_owned(), text }),
            _ => {}
        }
    }
    blocks
}

/// Where the commands of a page run.
pub(crate) struct Shell<'a> {
    pub(crate) folder: &'a Folder,
    pub(crate) path: String,
}

impl Shell<'_> {
    /// Runs the commands of a block and compares all of it with what it should be; how many there were.
    #[track_caller]
    pub(crate) fn hold(&self, page: &str, line: usize, block: &str) -> usize {
        assert!(block.starts_with("$ "), "{page}:{line}: a console block begins with a command");
        let commands: Vec<&str> = block.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
        let mut seen = String::new();
        for command in &commands {
            let ended = self.folder.program(Path::new("/bin/sh")).env("PATH", &self.path);
            let ended = ended.words(["-c", &format!("{{\n{command}\n}} 2>&1")]).end();
            let _ = write!(seen, "$ {command}\n{}", ended.stdout());
            let code = ended.code();
            if code != 0 {
                let _ = writeln!(seen, "[exit code {code}]");
            }
        }
        let assert = snapbox::Assert::new().normalize_paths(false);
        let expected = snapbox::Data::text(block);
        if let Err(error) = assert.try_eq(Some(&format!("{page}:{line}")), seen.into(), expected) {
            panic!("{page}:{line}:\n{error}");
        }
        commands.len()
    }
}
