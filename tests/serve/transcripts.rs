//! docs/protocol.md keeps its word: its conversations are held, line by line.

use secure_bun_tests::Folder;

const PAGE: &str = include_str!("../../docs/protocol.md");

/// Whether `text` is `pattern`, in which `[..]` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split("[..]");
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

#[test]
fn the_page_of_the_protocol() {
    let transcripts = PAGE.split("```transcript\n").skip(1).map(|rest| rest.split("\n```").next().unwrap());
    let mut held = 0;
    for transcript in transcripts {
        let mut lines = transcript.lines();
        let command = lines.next().and_then(|line| line.strip_prefix("$ secure-bun ")).expect("a command first");
        let folder = Folder::new();
        let mut running = folder.secure_bun(command.split(' ')).open_input().start();
        for line in lines {
            if let Some(said) = line.strip_prefix("-> ") {
                running.tell(said);
            } else {
                let expected = line.strip_prefix("<- ").expect("what is said or answered");
                let answered = running.next_line().expect("an answer");
                assert!(matches(expected, &answered), "expected: {expected}\nanswered: {answered}");
                held += 1;
            }
        }
        assert_eq!(running.next_line(), None);
        assert_eq!(running.end().code(), 0);
    }
    assert!(held > 10);
}

#[test]
fn a_pattern_is_all_of_a_line() {
    assert!(matches("a[..]c", "abc") && matches("a[..]c[..]", "acc") && matches("abc", "abc"));
    assert!(!matches("a[..]c", "abcd") && !matches("b", "abc") && !matches("a[..]b[..]b", "ab"));
}
