//! Ceilings: what may be said of two policies at once.

use policy::{Ceiling, ExpandedPolicy, Request, decide, diff, is_within};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::expanded;

fn excesses(inner: &str, outer: &str) -> Vec<String> {
    match is_within(&expanded(inner), &expanded(outer)) {
        Ok(()) => Vec::new(),
        Err(found) => found.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn a_policy_is_within_another_that_grants_the_same_or_more() {
    for (inner, outer) in [
        ("{}", "{}"),
        ("{}", r#"{"read": true}"#),
        (r#"{"read": "./a/b"}"#, r#"{"read": "./a"}"#),
        (r#"{"read": "./a"}"#, r#"{"write": "./a"}"#),
        (r#"{"read": "./a", "deny": {"read": "./a/x"}}"#, r#"{"read": "./a", "deny": {"read": "./a/x/y"}}"#),
        (r#"{"env": ["APP_ONE", "APP_T*"]}"#, r#"{"env": "APP_*"}"#),
        (r#"{"net": ["a.example.com:443", "10.1.2.0/24:80"]}"#, r#"{"net": ["*.example.com:*", "10.0.0.0/8:1-1000"]}"#),
        (r#"{"net": "udp://a.example.com:53"}"#, r#"{"net": ["udp://*.example.com:*", "a.example.com:53"]}"#),
        (
            r#"{"net": "a.b:1", "deny": {"net": "10.0.0.0/8"}}"#,
            r#"{"net": "a.b:1", "deny": {"net": "udp://10.0.0.0/8"}}"#,
        ),
        (r#"{"limits": {"wall_ms": 5}}"#, r#"{"limits": {"wall_ms": 6}}"#),
        (r#"{"workers": 2}"#, r#"{"workers": true}"#),
        (r#"{"write": "./.git/hooks/x"}"#, r#"{"write": ["./.git/hooks"]}"#),
        (r#"{"import": "./src"}"#, "{}"),
    ] {
        assert_eq!(excesses(inner, outer), [""; 0], "{inner} within {outer}");
    }
}

#[test]
fn an_excess_says_what_goes_too_far() {
    for (inner, outer, message) in [
        (
            r#"{"read": "./ab"}"#,
            r#"{"read": "./a"}"#,
            r#"allow.read "./ab" (p.json:1:10) reads what is not granted there"#,
        ),
        (
            r#"{"read": "./a", "import": []}"#,
            r#"{"read": "./a", "deny": {"read": "./a/x"}}"#,
            r#"allow.read "./a" (p.json:1:10) reads what is denied there by deny.read "./a/x" (p.json:1:34)"#,
        ),
        (
            r#"{"write": ["./", "./.vscode"]}"#,
            r#"{"write": "./"}"#,
            r#"allow.write "./.vscode" (p.json:1:18) writes what is protected there"#,
        ),
        (r#"{"import": "/lib"}"#, "{}", r#"allow.import "/lib" (p.json:1:12) imports what is not granted there"#),
        (
            r#"{"import": ["/project", "/project/.git"]}"#,
            "{}",
            r#"allow.import "/project/.git" (p.json:1:25) imports what is not granted there"#,
        ),
        (r#"{"env": "A*"}"#, r#"{"env": "AB*"}"#, r#"allow.env "A*" (p.json:1:9) is not granted there"#),
        (
            r#"{"env": "A*"}"#,
            r#"{"env": "A*", "deny": {"env": "*KEY"}}"#,
            r#"allow.env "A*" (p.json:1:9) grants what is denied there by deny.env "*KEY" (p.json:1:31)"#,
        ),
        (
            r#"{"net": "udp://a.example:53"}"#,
            r#"{"net": true}"#,
            r#"allow.net "udp://a.example:53" (p.json:1:9) is not granted there"#,
        ),
        (
            r#"{"net": "a.example:53"}"#,
            r#"{"net": "udp://*:*"}"#,
            r#"allow.net "a.example:53" (p.json:1:9) is not granted there"#,
        ),
        (r#"{"eval": true}"#, "{}", "allow.eval true (p.json:1:10) is not granted there"),
        ("{}", r#"{"wasm": false}"#, "allow.wasm is not granted there"),
        (
            r#"{"workers": true}"#,
            r#"{"workers": 3}"#,
            "allow.workers true (p.json:1:13) is more than the 3 granted there",
        ),
        ("{}", r#"{"limits": {"wall_ms": 5}}"#, "limits.wall_ms does not limit, but is 5 there"),
        (
            r#"{"limits": {"wall_ms": 6}}"#,
            r#"{"limits": {"wall_ms": 5}}"#,
            "limits.wall_ms is 6, more than the 5 there",
        ),
        (
            r#"{"kernel": {"require": []}}"#,
            r#"{"kernel": {"require": ["landlock"]}}"#,
            "kernel.require leaves out \"landlock\"",
        ),
        ("{}", r#"{"js": {"freeze": "object-prototype"}}"#, "js.freeze is not \"object-prototype\""),
        ("{}", r#"{"js": {"jit": false}}"#, "js.jit is off there"),
        ("{}", r#"{"trust": {"required": true}}"#, "trust.required is true there"),
    ] {
        assert_eq!(excesses(inner, outer), [message], "{inner} within {outer}");
    }
}

/// The bare name `git` is found in either folder, so it is granted there and denied here.
#[test]
fn a_name_that_one_folder_grants_and_another_folders_program_denies() {
    let outer = r#"{"run": {"allow": true, "deny": ["/usr/bin/git"]}}"#;
    assert_eq!(excesses(r#"{"run": ["/bin"]}"#, outer).len(), 1);
    assert_eq!(excesses(r#"{"run": ["/bin/git"]}"#, outer).len(), 1);
    assert!(excesses(r#"{"run": ["/bin/ls", "/opt/git", "/usr/bin/git-lfs"]}"#, outer).is_empty());
    assert!(excesses(outer, outer).is_empty());
}

#[test]
fn denying_the_only_library_does_not_take_back_native_code_as_such() {
    let layers = [crate::layer(r#"{"ffi": "./x.so"}"#), crate::layer(r#"{"deny": {"ffi": "./x.so"}}"#)];
    let inner = policy::Policy::merge(&layers).expand(&crate::places());
    assert!(decide(&inner, &Request::Ffi(None)).allowed);
    let keys: Vec<String> =
        is_within(&inner, &expanded("{}")).unwrap_err().into_iter().map(|excess| excess.key).collect();
    assert_eq!(keys, ["allow.ffi"]);
}

#[test]
fn a_ceiling_allows_what_both_policies_allow_and_says_which_one_refuses() {
    let ceiling = Ceiling {
        outer: expanded(r#"{"read": "./a"}"#),
        outer_name: "preset small".to_owned(),
        inner: expanded(r#"{"read": ["./a/b", "./c"]}"#),
    };
    let rule = |path: &str| {
        let decision = ceiling.decide(&Request::Read(path.into()));
        (decision.allowed, decision.fix.unwrap_or_default())
    };
    assert_eq!(rule("/project/a/b/x"), (true, String::new()));
    assert_eq!(rule("/project/a/x"), (false, "allow.read: [\"/project/a/x\"]".to_owned()));
    assert_eq!(rule("/project/c"), (false, "allow.read: [\"/project/c\"] (in preset small)".to_owned()));
}

/// Few names that meet often.
fn path() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["a", "b", ".git", "hooks", ".env", "k.pem", ".vscode"]);
    prop::collection::vec(name, 0..4).prop_map(|names| format!("/{}", names.join("/")))
}

fn list<T: std::fmt::Debug + Into<Value> + Clone>(item: impl Strategy<Value = T>) -> impl Strategy<Value = Value> {
    let many = prop::collection::vec(item, 0..4).prop_map(|items| items.into_iter().map(Into::into).collect::<Value>());
    prop_oneof![8 => many, 1 => Just(Value::Bool(true)), 1 => Just(Value::Bool(false))]
}

fn paths() -> impl Strategy<Value = Value> {
    list(path())
}

fn name() -> impl Strategy<Value = String> {
    "[AB]{1,3}"
}

fn glob() -> impl Strategy<Value = String> {
    "[AB*]{1,3}"
}

fn host() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "x.test",
        "a.x.test",
        "b.a.x.test",
        "localhost",
        "127.0.0.1",
        "10.0.0.1",
        "10.0.1.1",
        "[::1]",
    ])
}

fn net_rule() -> impl Strategy<Value = String> {
    let hosts = vec![
        "x.test",
        "*.x.test",
        "*.a.x.test",
        "a.x.test",
        "localhost",
        "127.0.0.0/8",
        "10.0.0.0/8",
        "10.0.0.0/24",
        "10.0.0.1",
        "[::1]",
        "*",
    ];
    let ports = prop::sample::select(vec!["80", "81", "80-81", "*"]);
    let transports = prop::sample::select(vec!["", "udp://"]);
    (transports, prop::sample::select(hosts), ports)
        .prop_map(|(transport, host, ports)| format!("{transport}{host}:{ports}"))
}

fn program() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["sh", "git", "/bin/sh", "/usr/bin/git", "/bin", "/opt/sh", "/opt", "/project/git"])
}

fn url() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "https://x.test/*",
        "https://*.x.test/a*",
        "https://a.x.test/ab",
        "http://x.test/",
        "https://x.test/a",
    ])
}

fn switch() -> impl Strategy<Value = Value> {
    prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::Bool)]
}

/// The text of a policy. `Null` stands for nothing said.
fn policy_text() -> impl Strategy<Value = String> {
    let allow_paths = (paths(), paths(), prop_oneof![Just(Value::Null), list(path())], list(path()));
    let deny_paths = (paths(), paths(), paths(), list(path()));
    let lists = (list(glob()), list(net_rule()), list(program()), list(url()));
    let deny_lists = (list(glob()), list(net_rule()), list(program()), list(url()));
    let others = (switch(), switch(), 0..3_u32, any::<bool>(), any::<bool>());
    (allow_paths, deny_paths, lists, deny_lists, others).prop_map(|(ap, dp, al, dl, (eval, wasm, workers, de, dw))| {
        let import = if ap.2 == true { Value::Null } else { ap.2 };
        let mut allow = json!({ "read": ap.0, "write": ap.1, "import": import, "ffi": ap.3, "env": al.0, "net": al.1,
            "run": al.2, "fetch": al.3, "eval": eval, "wasm": wasm, "workers": workers });
        let mut deny = json!({ "read": dp.0, "write": dp.1, "import": dp.2, "ffi": dp.3, "env": dl.0, "net": dl.1,
            "run": dl.2, "fetch": dl.3, "eval": de, "workers": dw });
        for side in [&mut allow, &mut deny] {
            let object = side.as_object_mut().unwrap();
            object.retain(|_, value| !value.is_null());
        }
        // Denying everything is frequent enough by lists; here it would leave little to compare.
        deny.as_object_mut().unwrap().retain(|_, value| *value != true);
        json!({ "allow": allow, "deny": deny }).to_string()
    })
}

/// A policy that does not contradict itself.
fn written_policy() -> impl Strategy<Value = policy::Policy> {
    policy_text().prop_filter_map("a contradiction", |text| {
        let layer = policy::Layer::parse(&crate::file(), text.as_bytes()).ok()?;
        Some(policy::Policy::merge([&layer]))
    })
}

fn generated_policy() -> impl Strategy<Value = ExpandedPolicy> {
    written_policy().prop_map(|policy| policy.expand(&crate::places()))
}

/// A policy, and another that is often close to it: it grants the same and more, or lacks denials.
fn two_policies() -> impl Strategy<Value = (ExpandedPolicy, ExpandedPolicy)> {
    let chances = prop::collection::vec(prop::bool::weighted(0.3), 8);
    (generated_policy(), generated_policy(), chances, any::<[bool; 10]>()).prop_map(
        |(mut inner, mut outer, kept, same)| {
            let (ours, theirs) = (&mut inner.grants, &mut outer.grants);
            /// Leaves a permission out of the inner policy, adds its grants to the outer one, clears the outer's denials.
            macro_rules! relate {
            ($($number:literal $permission:ident)*) => { $(
                if !kept[$number] {
                    ours.$permission.allow.clear();
                }
                if same[$number] {
                    theirs.$permission.allow.extend_from_slice(&ours.$permission.allow);
                }
                if same[8] {
                    theirs.$permission.deny.clear();
                }
            )* };
        }
            relate!(0 read 1 write 2 import 3 env 4 net 5 run 6 fetch 7 ffi);
            if same[9] {
                theirs.eval.clone_from(&ours.eval);
                theirs.wasm.clone_from(&ours.wasm);
                theirs.workers.clone_from(&ours.workers);
            }
            (inner, outer)
        },
    )
}

fn request() -> impl Strategy<Value = Request> {
    let below = || (path(), path()).prop_map(|(one, other)| format!("{one}{other}"));
    prop_oneof![
        below().prop_map(|path| Request::Read(path.into())),
        below().prop_map(|path| Request::Write(path.into())),
        below().prop_map(|path| Request::Import(path.into())),
        prop::option::of(below()).prop_map(|path| Request::Ffi(path.map(Into::into))),
        name().prop_map(Request::Env),
        (host(), 79..83_u16).prop_map(|(host, port)| Request::Net { host: host.to_owned(), port }),
        (host(), 79..83_u16).prop_map(|(host, port)| Request::Udp { host: host.to_owned(), port }),
        program().prop_map(|program| Request::Run(program.into())),
        (
            prop::sample::select(vec!["https://x.test/", "https://x.test/a", "https://a.x.test/ab", "http://x.test/"]),
            "(GET|PUT)"
        )
            .prop_map(|(url, method)| Request::Fetch { url: url.to_owned(), method }),
        Just(Request::Eval),
        Just(Request::Wasm),
        (0..4_u32).prop_map(Request::Workers),
    ]
}

fn requests() -> impl Strategy<Value = Vec<Request>> {
    prop::collection::vec(request(), 150)
}

#[test]
fn enough_generated_policies_are_within_one_another_to_mean_something() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = two_policies();
    let pairs = (0..500).map(|_| strategy.new_tree(&mut runner).expect("it can be generated").current());
    let within = pairs.filter(|(inner, outer)| is_within(inner, outer).is_ok()).count();
    assert!((50..450).contains(&within), "{within} of 500");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, max_global_rejects: 200_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_a_policy_within_another_allows_the_other_allows((inner, outer) in two_policies(), requests in requests()) {
        if is_within(&inner, &outer).is_ok() {
            for request in requests {
                let allowed = decide(&inner, &request);
                prop_assert!(!allowed.allowed || decide(&outer, &request).allowed, "{request:?} by {}", allowed.rule);
            }
        }
    }

    #[test]
    fn a_policy_is_within_itself(policy in generated_policy()) {
        prop_assert_eq!(is_within(&policy, &policy), Ok(()));
    }

    #[test]
    fn a_diff_widens_nothing_exactly_when_the_second_is_within_the_first(first in written_policy(), second in written_policy()) {
        let places = crate::places();
        let found = diff(&first, &second, &places);
        let (first, second) = (first.expand(&places), second.expand(&places));
        prop_assert_eq!(found.widened.is_empty(), is_within(&second, &first).is_ok());
        prop_assert_eq!(found.narrowed.is_empty(), is_within(&first, &second).is_ok());
    }

    #[test]
    fn a_bounded_policy_allows_nothing_that_one_above_it_refuses(inner in written_policy(), outer in written_policy(), outermost in written_policy(), requests in requests()) {
        let places = crate::places();
        let alone = [&inner, &outer, &outermost].map(|policy| policy.expand(&places));
        let bounded = inner.bounded_by("outer", outer.bounded_by("outermost", outermost)).expand(&places);
        for request in requests {
            let allowed = decide(&bounded, &request).allowed;
            let by_all = alone.iter().all(|policy| decide(policy, &request).allowed);
            prop_assert!(!allowed || by_all, "{request:?}");
        }
    }

    #[test]
    fn one_policy_for_both_allows_nothing_that_either_refuses((inner, outer) in two_policies(), requests in requests()) {
        let ceiling = Ceiling { outer, outer_name: "outer".to_owned(), inner };
        let narrowed = ceiling.narrowed();
        for request in requests {
            let by_narrowed = decide(&narrowed, &request);
            prop_assert!(!by_narrowed.allowed || ceiling.decide(&request).allowed, "{request:?} by {}", by_narrowed.rule);
        }
    }

    #[test]
    fn a_ceiling_that_grants_the_same_changes_nothing(policy in generated_policy(), requests in requests()) {
        let ceiling = Ceiling { outer: policy.clone(), outer_name: "outer".to_owned(), inner: policy.clone() };
        let narrowed = ceiling.narrowed();
        for request in requests {
            prop_assert_eq!(decide(&narrowed, &request).allowed, decide(&policy, &request).allowed, "{:?}", request);
        }
    }
}
