//! Secrets and rules, as they are given.

use secure_bun_tests::{Folder, str};

const POLICY: &str = r#"{
  "fetch": [{ "url": "https://api.example.com/*", "headers": { "authorization": "Bearer ${secret:KEY}" } }]
}
"#;

fn run(words: &[&str]) -> secure_bun_tests::Command {
    let folder = Folder::with("fn.ts", "console.log('ran')").file("policy.json", POLICY).file("key", "top\nsecret");
    let words = ["run", "--policy", "policy.json"].iter().chain(words).chain(&["fn.ts"]);
    folder.secure_bun(words).env("EMPTY", "").env("GOOD", "topsecret").keep(folder)
}

#[test]
fn nothing_runs_without_its_secrets() {
    run(&[]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: allow.fetch "https://api.example.com/*" (policy.json:2:22) needs the secret KEY, which is not given
secure-bun: help: give it with --secret KEY=env:VARIABLE or --secret KEY=file:PATH

"#]]);
    run(&["--secret", "OTHER=env:GOOD"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: allow.fetch "https://api.example.com/*" (policy.json:2:22) needs the secret KEY, which is not given
secure-bun: help: give it with --secret KEY=env:VARIABLE or --secret KEY=file:PATH

"#]]);
    run(&["--secret", "KEY"]).shows(str![[r"
exit code 2
--- stderr
secure-bun: error: the secret KEY is not there: the variable KEY is not set

"]]);
    run(&["--secret", "KEY=env:EMPTY"]).shows(str![[r"
exit code 2
--- stderr
secure-bun: error: the secret KEY is empty

"]]);
    run(&["--secret", "KEY=file:nowhere"]).shows(str![[r"
exit code 2
--- stderr
secure-bun: error: the secret KEY is not there: nowhere cannot be read: No such file or directory (os error 2)

"]]);
    run(&["--secret", "KEY=env:GOOD", "--secret", "KEY=env:GOOD"]).shows(str![[r"
exit code 2
--- stderr
secure-bun: error: the secret KEY is given twice

"]]);
}

#[test]
fn values_are_not_typed_and_not_repeated() {
    run(&["--secret", "KEY=topsecret"]).shows(str![[r"
exit code 2
--- stderr
secure-bun: error: --secret KEY: write KEY=env:VARIABLE or KEY=file:PATH

"]]);
    run(&["--secret", "KEY=file:key"]).shows(str![[r"
exit code 2
--- stderr
secure-bun: error: the secret KEY has line breaks or other control characters in it

"]]);
    run(&["--secret", "=env:GOOD"]).shows(str![[r"
exit code 2
--- stderr
secure-bun: error: --secret: a name has letters, digits and underscores

"]]);
}

#[test]
fn with_its_secrets_it_runs() {
    run(&["--secret", "KEY=env:GOOD"]).shows(str![[r"
exit code 0
--- stdout
ran

"]]);
}

#[test]
fn rules_that_make_no_sense() {
    let folder = Folder::with(
        "policy.json",
        r#"{
  "fetch": [
    { "url": "https://a.example/", "headers": { "Host": "b.example" } },
    { "url": "https://a.example/", "headers": { "x-secure-bun-url": "b" } },
    { "url": "https://a.example/", "redirect": "folow" },
    { "url": "https://a.example/", "max_response_kb": -1 },
    { "url": "https://a.example/x/../y" }
  ],
  "deny": { "fetch": [{ "url": "https://a.example/", "headers": {} }] }
}
"#,
    );
    folder.secure_bun(["policy", "check", "policy.json"]).shows(str![[r#"
exit code 2
--- stderr
error: allow.fetch "https://a.example/" (policy.json:3:14) grants nothing: deny.fetch "https://a.example/" (policy.json:9:32) denies it, and denying wins
 --> policy.json:3:14
  |
3 |     { "url": "https://a.example/", "headers": { "Host": "b.example" } },
  |              ^^^^^^^^^^^^^^^^^^^^
  |
  = help: remove one of the two
error: the launcher sets the header "host" itself
 --> policy.json:3:49
  |
3 |     { "url": "https://a.example/", "headers": { "Host": "b.example" } },
  |                                                 ^^^^^^
  |
  = help: remove it
error: allow.fetch "https://a.example/" (policy.json:4:14) grants nothing: deny.fetch "https://a.example/" (policy.json:9:32) denies it, and denying wins
 --> policy.json:4:14
  |
4 |     { "url": "https://a.example/", "headers": { "x-secure-bun-url": "b" } },
  |              ^^^^^^^^^^^^^^^^^^^^
  |
  = help: remove one of the two
error: the launcher sets the header "x-secure-bun-url" itself
 --> policy.json:4:49
  |
4 |     { "url": "https://a.example/", "headers": { "x-secure-bun-url": "b" } },
  |                                                 ^^^^^^^^^^^^^^^^^^
  |
  = help: remove it
error: allow.fetch "https://a.example/" (policy.json:5:14) grants nothing: deny.fetch "https://a.example/" (policy.json:9:32) denies it, and denying wins
 --> policy.json:5:14
  |
5 |     { "url": "https://a.example/", "redirect": "folow" },
  |              ^^^^^^^^^^^^^^^^^^^^
  |
  = help: remove one of the two
error: "folow" is not a value of allow.fetch.redirect
 --> policy.json:5:48
  |
5 |     { "url": "https://a.example/", "redirect": "folow" },
  |                                                ^^^^^^^
  |
  = help: did you mean "follow"?
error: allow.fetch "https://a.example/" (policy.json:6:14) grants nothing: deny.fetch "https://a.example/" (policy.json:9:32) denies it, and denying wins
 --> policy.json:6:14
  |
6 |     { "url": "https://a.example/", "max_response_kb": -1 },
  |              ^^^^^^^^^^^^^^^^^^^^
  |
  = help: remove one of the two
error: allow.fetch.max_response_kb must be a whole number, not -1
 --> policy.json:6:55
  |
6 |     { "url": "https://a.example/", "max_response_kb": -1 },
  |                                                       ^^
error: "https://a.example/x/../y": dot segments are not supported in a URL's path
 --> policy.json:7:14
  |
7 |     { "url": "https://a.example/x/../y" }
  |              ^^^^^^^^^^^^^^^^^^^^^^^^^^
error: unknown key "headers" in deny.fetch
 --> policy.json:9:54
  |
9 |   "deny": { "fetch": [{ "url": "https://a.example/", "headers": {} }] }
  |                                                      ^^^^^^^^^
  |
  = help: the keys here are url, methods

"#]]);
}

#[test]
fn rules_as_they_are_shown() {
    let folder = Folder::with(
        "policy.json",
        r#"{ "fetch": [{ "url": "https://a.example/*", "methods": ["post"], "headers": { "X-Key": "${secret:KEY}" },
            "redirect": "error", "max_request_kb": 1, "max_response_kb": 2 }] }"#,
    );
    folder.secure_bun(["policy", "show", "policy.json"]).shows(str![[r#"
exit code 0
--- stdout
{
  "version": 1,
  "allow": {
    "import": [
      "${PROJECT}"
    ],
    "fetch": [
      {
        "headers": {
          "x-key": "${secret:KEY}"
        },
        "max_request_kb": 1,
        "max_response_kb": 2,
        "methods": [
          "POST"
        ],
        "redirect": "error",
        "url": "https://a.example/*"
      }
    ]
  }
}

"#]]);
}
