//! The README's table of rules names tests that exist.

use std::fs;
use std::path::Path;

use crate::ROOT;
use crate::page::Page;

const TITLE: &str = "What is enforced, by what, and the test that proves it";

#[test]
fn each_rule_names_tests_that_exist() {
    let rows = Page::read("README.md").table(TITLE);
    assert!(rows.len() >= 10, "the table has {} rows", rows.len());
    for row in rows {
        let [rule, _, tests] = &row[..] else { panic!("not three cells: {row:?}") };
        let named: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "{rule}: no test is named");
        for name in named {
            assert!(exists(name), "{rule}: there is no test {name}");
        }
    }
}

/// Whether there is a test of a name such as `deny/files::reading`: module `files` of the test target `deny`, or a file.
fn exists(name: &str) -> bool {
    let Some((module, test)) = name.split_once("::") else { return Path::new(ROOT).join(name).exists() };
    let path = Path::new(ROOT).join("tests").join(format!("{module}.rs"));
    let Ok(source) = fs::read_to_string(path) else { return false };
    source.contains(&format!("#[test]\nfn {test}()"))
}
