//! What is said about a policy that is not valid: all of it, where it stands, and what to write instead.

use policy::{Colour, Layer, MAX_POLICY_BYTES};
use proptest::prelude::*;

use crate::file;

fn problems(text: &[u8]) -> Vec<String> {
    match Layer::parse(&file(), text) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

/// Each text has exactly these problems, in the order of their places.
fn assert_problems(cases: &[(&str, &[&str])]) {
    for (text, expected) in cases {
        let expected: Vec<String> = expected.iter().map(|problem| format!("p.json:{problem}")).collect();
        assert_eq!(problems(text.as_bytes()), expected, "{text}");
    }
}

#[test]
fn comments_and_trailing_commas_are_fine_other_extensions_of_json_are_not() {
    assert_problems(&[
        ("{}", &[]),
        ("{ /* none */ \"read\": [\"a\",], // one\n }", &[]),
        ("{\"version\": 1, \"$schema\": \"policy.schema.json\"}", &[]),
        ("{read: true}", &["1:2: this is not JSON: expected string for object property"]),
        ("{'read': true}", &["1:2: this is not JSON: single-quoted strings are not allowed"]),
        ("{\"limits\": {\"wall_ms\": 0x10}}", &["1:24: this is not JSON: hexadecimal numbers are not allowed"]),
        ("{\"read\": [\"a\" \"b\"]}", &["1:14: this is not JSON: expected comma"]),
        ("{\n  \"read\": [", &["2:11: this is not JSON: unterminated array"]),
        ("{} {}", &["1:4: this is not JSON: text cannot contain more than one JSON value"]),
        ("[]", &["1:1: the policy must be an object, not a list"]),
        ("null", &["1:1: the policy must be an object, not null"]),
        ("// nothing", &["1:1: the policy is empty (the smallest policy is {})"]),
        (" \n", &["1:1: the policy is empty (the smallest policy is {})"]),
    ]);
    let deep = format!("{{\"read\": {}", "[".repeat(100_000));
    assert_eq!(problems(deep.as_bytes()), ["p.json:1:520: this is not JSON: maximum nesting depth exceeded"]);
}

#[test]
fn white_space_is_what_json_calls_so() {
    let refused = |space: &str| format!("this is not JSON: {space} is no white space (write a space instead)");
    assert_problems(&[
        ("{\u{a0}}", &[&format!("1:2: {}", refused("\\u{a0}"))]),
        ("\u{2028}{}", &[&format!("1:1: {}", refused("\\u{2028}"))]),
        ("{\"version\":\n\u{c}1}", &[&format!("2:1: {}", refused("\\u{c}"))]),
        (
            "{ // a\u{a0}comment\n /*\u{3000}*/ \"read\": \"a\u{a0}b\" }\u{a0}",
            &[&format!("2:23: {}", refused("\\u{a0}"))],
        ),
        ("{ // a\u{a0}comment\n /*\u{3000}*/ \"read\": \"a\u{a0}b\" }", &[]),
    ]);
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let empty = "p.json:1:1: the policy is empty (the smallest policy is {})";
    assert_eq!(problems(b""), [empty]);
    let mark = "p.json:1:1: the policy starts with a byte order mark (save it as UTF-8 without a byte order mark)";
    assert_eq!(problems(b"\xef\xbb\xbf{}"), [mark]);
    assert_eq!(problems(b"{\n\"read\": \"\xff\"}"), ["p.json:2:10: the policy is not UTF-8 (save it as UTF-8)"]);
    let mut large = vec![b' '; MAX_POLICY_BYTES];
    large[0] = b'{';
    large[1] = b'}';
    assert_eq!(problems(&large), [""; 0], "as large as can be");
    large.push(b' ');
    assert!(problems(&large)[0].contains("too large: the limit is 256 KiB"));
}

#[test]
fn unknown_keys_are_answered_with_the_nearest_right_one() {
    assert_problems(&[
        (
            r#"{"raed": "x", "allow": {"wirte": "x"}, "limits": {"wall": 3}}"#,
            &[
                r#"1:2: unknown key "raed" in the policy (did you mean "read"?)"#,
                r#"1:25: unknown key "wirte" in allow (did you mean "write"?)"#,
                r#"1:51: unknown key "wall" in limits (did you mean "wall_ms"?)"#,
            ],
        ),
        (
            r#"{"memory_mb": 128, "kernel": {"jit": false}}"#,
            &[
                r#"1:2: unknown key "memory_mb" in the policy ("memory_mb" belongs in "limits")"#,
                r#"1:31: unknown key "jit" in kernel ("jit" belongs in "js")"#,
            ],
        ),
        (r#"{"trust": {"zzz": 1}}"#, &[r#"1:12: unknown key "zzz" in trust (the keys here are signers, required)"#]),
        (
            r#"{"extends": "functoin", "version": 2}"#,
            &[
                r#"1:13: "functoin" is neither a preset nor a policy file (did you mean "function"?)"#,
                r#"1:36: this version of the policy format is not known (write "version": 1)"#,
            ],
        ),
    ]);
}

#[test]
fn a_permission_is_stated_once() {
    assert_problems(&[
        (r#"{"read": "a", "read": "b"}"#, &[r#"1:15: the key "read" is there twice in the policy (keep one of them)"#]),
        (
            r#"{"read": "a", "allow": {"read": "b"}}"#,
            &["1:25: allow.read is stated twice: here and at p.json:1:2 (keep one of them)"],
        ),
        (
            r#"{"allow": {"run": "git", "exec": "sh"}}"#,
            &["1:26: allow.run is stated twice: here and at p.json:1:12 (keep one of them)"],
        ),
        (
            r#"{"read": {"deny": "a"}, "deny": {"read": "b"}}"#,
            &["1:34: deny.read is stated twice: here and at p.json:1:11 (keep one of them)"],
        ),
        (r#"{"read": {"deny": "a"}, "allow": {"read": "b"}}"#, &[]),
    ]);
}

#[test]
fn every_value_has_its_type() {
    assert_problems(&[
        (
            r#"{"read": null, "env": [1, {}], "eval": "yes", "workers": "4", "net": 443, "listen": 70000}"#,
            &[
                "1:10: allow.read must be true, false, a string or a list of strings, not null",
                "1:24: allow.env must be true, false, a string or a list of strings, not a number",
                "1:27: allow.env must be true, false, a string or a list of strings, not an object",
                "1:40: allow.eval must be true or false, not a string",
                "1:58: allow.workers must be true, false or a number, not a string",
                "1:70: allow.net needs a host besides the port (write \"example.com:443\")",
                "1:85: 70000 is not a port: the highest is 65535",
            ],
        ),
        (
            r#"{"allow": {"read": {"allow": "a"}}, "deny": true, "import": true}"#,
            &[
                "1:20: allow.read must be true, false, a string or a list of strings, not an object",
                "1:45: deny must be an object, not true",
                "1:61: allow.import cannot be true (list folders: [\"${PROJECT}\"] is the default)",
            ],
        ),
        (
            r#"{"kernel": {"landlock": false, "seccomp": "allow", "require": ["landlok"], "audit": "on"}}"#,
            &[
                "1:25: kernel.landlock cannot be switched off (to run where the host lacks Landlock, list the other layers in kernel.require and leave it out)",
                "1:43: \"allow\" is not a value of kernel.seccomp (the only value is \"default-deny\")",
                "1:64: \"landlok\" is not a value of kernel.require (did you mean \"landlock\"?)",
                "1:85: \"on\" is not a value of kernel.audit (the values are off, ebpf, seccomp-unotify)",
            ],
        ),
    ]);
}

#[test]
fn limits_are_whole_numbers_within_bounds() {
    assert_problems(&[(
        r#"{"limits": {"wall_ms": 0, "cpu_ms": -1, "memory_mb": 1.5, "threads": 1e3, "open_files": 1001, "processes": 99999999999999999999999}}"#,
        &[
            "1:24: limits.wall_ms must be from 1 to 604800000 (leave the key out for no limit)",
            "1:37: limits.cpu_ms must be a whole number, not -1",
            "1:54: limits.memory_mb must be a whole number, not 1.5",
            "1:70: limits.threads must be a whole number, not 1e3",
            "1:89: limits.open_files must be from 16 to 1000 (leave the key out for no limit)",
            "1:108: limits.processes must be a whole number, not 99999999999999999999999",
        ],
    )]);
}

#[test]
fn paths_are_literal() {
    assert_problems(&[(
        r#"{"read": ["src/*.ts", "", "a\u0000b", "~/x", "${HOEM}/x", "${TMP", "${TMP}x", "a/${TMP}"]}"#,
        &[
            "1:11: a path cannot contain \"*\" (name the file or the folder: a folder covers everything below it)",
            "1:23: the path is empty (write \".\" for the folder of this file)",
            "1:27: allow.read contains a NUL character",
            "1:39: \"~\" is not expanded (write \"${HOME}/x\")",
            "1:46: unknown variable ${HOEM} (did you mean ${HOME}?)",
            "1:59: the variable is not closed (write ${NAME})",
            "1:68: a variable stands for a whole folder (write \"${TMP}/x\")",
            "1:79: a variable can only stand at the start of a path",
        ],
    )]);
}

#[test]
fn hosts_and_ports_are_unambiguous() {
    let bad = |value: &str, message: &str| {
        let text = format!("{{\"net\": {value:?}}}");
        assert_eq!(problems(text.as_bytes()), [format!("p.json:1:9: {message}")], "{value}");
    };
    bad("example.com", "\"example.com\" has no port (write \"example.com:443\", or \"example.com:*\" for any port)");
    bad("::1", "\"::1\" has no port (write \"[::1]:443\", or \"[::1]:*\" for any port)");
    bad("udp://x", "\"x\" has no port (write \"udp://x:443\", or \"udp://x:*\" for any port)");
    bad("udp://x:0", "\"0\" is not a port (write a number from 1 to 65535, or a range like 8000-8010)");
    bad("udp://unix:/x", "\"/x\" is not a port (write a number from 1 to 65535, or a range like 8000-8010)");
    bad("tcp://x:1", "\"tcp://x:1\" is a URL, not a host and port (write x:1)");
    bad(
        "https://x/",
        "\"https://x/\" is a URL, not a host and port (write the host and port alone, or use fetch for https://x/)",
    );
    assert_eq!(
        problems(br#"{"listen": "udp://x:1"}"#),
        [
            "p.json:1:12: \"udp://x:1\": datagrams are not listened for outside (allow.net grants them, to a host that the program connects to)"
        ]
    );
    bad("x:9-1", "the port range 9-1 is reversed (write 1-9)");
    bad("x:0", "\"0\" is not a port (write a number from 1 to 65535, or a range like 8000-8010)");
    bad("x:+80", "\"+80\" is not a port (write a number from 1 to 65535, or a range like 8000-8010)");
    bad("10.1.2.3/16:80", "10.1.2.3/16 has bits set beyond its prefix (write 10.1.0.0/16)");
    bad("10.0.0.0/99:1", "\"10.0.0.0/99\" is not a block of addresses (write 10.1.0.0/16 or fe80::/10)");
    bad("[::1", "the bracket is not closed (write [::1]:443)");
    bad(
        "a::b::1:443",
        "\"a::b::1:443\" is not a host and port (an IPv6 address with a port needs brackets: [::1]:443)",
    );
    bad(
        "1.2.3:80",
        "\"1.2.3\" is not a host: it ends in a number, so it would be read as an address (write an address as four decimal numbers: 127.0.0.1)",
    );
    bad(
        "0x7f000001:80",
        "\"0x7f000001\" is not a host: it ends in a number, so it would be read as an address (write an address as four decimal numbers: 127.0.0.1)",
    );
    bad("bücher.de:443", "\"bücher.de\" is not a host: it has letters beyond ASCII (write it in its xn-- form)");
    bad(
        "*x.com:1",
        "\"*x.com\": the star is in the wrong place (a star stands for a whole first part: *.example.com, or alone for any host)",
    );
    assert_eq!(problems(br#"{"deny": {"net": ["example.com", "10.0.0.0/8", "::1", "fe80::/10"]}}"#), [""; 0]);
}

#[test]
fn urls_and_headers_are_unambiguous() {
    assert_problems(&[(
        r#"{"fetch": ["ftp://x", "https://a/../b", "https://u@h/", {"methods": ["GET"]}, {"url":"https://h/","headers":{"a b":"x","k":"${API}"}}]}"#,
        &[
            "1:12: \"ftp://x\" is not an http or https URL (write https://api.example.com/v1/*)",
            "1:23: \"https://a/../b\": dot segments are not supported in a URL's path",
            "1:41: \"https://u@h/\": a user name or password in a URL is not supported",
            "1:57: allow.fetch needs a url",
            "1:110: \"a b\" is not the name of a header",
            "1:124: only secrets can stand in a header (write ${secret:NAME})",
        ],
    )]);
}

#[test]
fn statements_of_one_file_do_not_contradict_each_other() {
    assert_problems(&[
        (
            r#"{"read": ["./a/b", "./c"], "deny": {"read": ["a"]}}"#,
            &[
                "1:11: allow.read \"./a/b\" (p.json:1:11) grants nothing: deny.read \"a\" (p.json:1:46) denies it, and denying wins (remove one of the two)",
            ],
        ),
        (
            r#"{"env": {"allow": "APP_X", "deny": "APP_*"}, "eval": {"allow": false, "deny": true}}"#,
            &[
                "1:19: allow.env \"APP_X\" (p.json:1:19) grants nothing: deny.env \"APP_*\" (p.json:1:36) denies it, and denying wins (remove one of the two)",
            ],
        ),
        (
            r#"{"js": {"codegen": false, "jit": false}, "eval": true, "ffi": true}"#,
            &[
                "1:20: js.codegen false denies what allow.eval true (p.json:1:50) grants (remove one of the two)",
                "1:34: js.jit false makes native calls impossible, but allow.ffi true (p.json:1:63) grants them (remove one of the two)",
            ],
        ),
        (r#"{"read": "./a", "deny": {"read": "./a/b"}}"#, &[]),
    ]);
}

#[test]
fn a_report_ends_before_it_buries_its_reader() {
    let keys: Vec<String> = (0..1000).map(|number| format!("\"key{number}\": 1")).collect();
    let text = format!("{{{}}}", keys.join(","));
    assert_eq!(problems(text.as_bytes()).len(), 50);
}

#[test]
fn a_problem_is_shown_with_its_line_and_a_caret() {
    let text = "{\n  // an é before it\n  /* é */ \"limits\": { \"wall_ms\": 0 },\n}";
    let problem = &Layer::parse(&file(), text.as_bytes()).unwrap_err()[0];
    assert_eq!(
        problem.render(Colour::Off),
        "\
error: limits.wall_ms must be from 1 to 604800000
 --> p.json:3:34
  |
3 |   /* é */ \"limits\": { \"wall_ms\": 0 },
  |                                  ^
  |
  = help: leave the key out for no limit"
    );
    assert!(problem.render(Colour::On).contains("\u{1b}["));
}

/// Texts made of the pieces that policies are made of, so that most get beyond the first character.
fn policy_like() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just("[".to_owned()),
        Just("]".to_owned()),
        Just(",".to_owned()),
        Just(":".to_owned()),
        Just("true".to_owned()),
        Just("-1.5e3".to_owned()),
        Just("/* é */".to_owned()),
        Just("// x\n".to_owned()),
        prop::sample::select(vec![
            "allow", "deny", "read", "net", "fetch", "limits", "url", "extends", "workers", "kernel"
        ])
        .prop_map(|key| format!("\"{key}\"")),
        "[a-z0-9.:*/\\[\\]$ {}\\-é\u{0}\\\\]{0,12}".prop_map(|text| format!("\"{text}\"")),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_or_the_reports_fail(text in policy_like()) {
        if let Err(problems) = Layer::parse(&file(), text.as_bytes()) {
            for problem in problems {
                prop_assert!(!problem.render(Colour::Off).is_empty());
            }
        }
    }

    #[test]
    fn no_bytes_make_the_parser_fail(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Layer::parse(&file(), &bytes);
    }

    #[test]
    fn no_value_makes_the_parser_fail(key in prop::sample::select(vec!["read", "net", "listen", "fetch", "run", "env"]), value in ".{0,30}") {
        let text = serde_json::json!({ key: value, "deny": { key: value } }).to_string();
        if let Err(problems) = Layer::parse(&file(), text.as_bytes()) {
            prop_assert!(!problems.is_empty());
        }
    }
}
