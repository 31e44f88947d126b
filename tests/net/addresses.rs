//! Addresses in URLs, however they are written and whoever names them: a redirect, a proxy, a socket of another kind.

use serde_json::json;

use super::internet::{Internet, METADATA, OTHER_PUBLIC, PUBLIC};

fn internet() -> Internet {
    Internet::with(&json!({ "a.example": [[PUBLIC]], "proxy.example": [[OTHER_PUBLIC]] }))
}

#[test]
fn every_spelling_of_an_address_is_the_address() {
    let internet = internet();
    let urls = [
        "http://0x7f.1/",
        "http://2130706433/",
        "http://127.1/",
        "http://0177.0.0.1/",
        "http://[::ffff:127.0.0.1]/",
        "http://127.0.0.1/",
        "http://0.0.0.0/",
        "http://0xa9fea9fe/",
        "http://169.254.43518/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://a.example@10.0.0.5/",
        "http://93.184.216.34/",
    ];
    let words: Vec<&str> = ["get.mjs"].into_iter().chain(urls).collect();
    let outside = internet.outside(&words);
    for (url, line) in urls.iter().zip(&outside) {
        assert_ne!(line, "failed", "{url}");
    }
    let inside = internet.inside(&["--allow-net=a.example:80"], &words);
    assert_eq!(inside.lines(), vec!["failed"; urls.len()]);
    let refused: Vec<&str> = inside.refusals().iter().map(|(host, _)| *host).collect();
    assert!(refused.len() <= 4, "{refused:?}");
    assert!(inside.refusals().iter().all(|(_, rule)| *rule == "default"), "{refused:?}");
    // The control: what is granted is reached by each of its spellings.
    let granted =
        internet.inside(&["--allow-net=127.0.0.1:80,169.254.169.254:80,10.0.0.5:80,93.184.216.34:80"], &words);
    assert_eq!(granted.lines(), outside);
}

#[test]
fn any_host_is_not_the_one_with_the_credentials() {
    let internet = internet();
    let words = ["get.mjs", "http://169.254.169.254/", "http://93.184.216.35/", "http://10.0.0.5/"];
    let outside = internet.outside(&words);
    assert!(outside[0].starts_with(METADATA));
    let inside = internet.inside(&["--allow-net=*:80"], &words);
    assert_eq!(inside.lines(), ["failed", &outside[1], &outside[2]]);
}

#[test]
fn a_redirect_leads_only_where_a_request_may_go() {
    let internet = internet();
    let to = |url: &str| format!("http://a.example/to/{}", url.replace(':', "%3A").replace('/', "%2F"));
    let urls = [to("http://169.254.169.254/"), to("http://proxy.example/"), to("http://a.example/end")];
    let words: Vec<&str> = ["get.mjs"].into_iter().chain(urls.iter().map(String::as_str)).collect();
    let outside = internet.outside(&words);
    assert!(outside[0].starts_with(METADATA) && outside[1].starts_with(OTHER_PUBLIC), "{outside:?}");
    let inside = internet.inside(&["--allow-net=a.example:80"], &words);
    assert_eq!(inside.lines(), ["failed", "failed", "93.184.216.34 a.example /end"]);
    assert_eq!(inside.questions, ["a.example"]);
}

/// By a proxy that is named in an option, or in the environment.
const PROXY: &str = r#"
const proxy = process.argv[2];
const text = (get) => get.then((response) => response.text()).catch(() => "failed");
console.log(await text(fetch("http://elsewhere.example/", proxy ? { proxy } : {})));
"#;

#[test]
fn a_proxy_is_a_host_like_any_other() {
    let internet = internet().file("proxy.mjs", PROXY);
    let by_option = ["proxy.mjs", "http://proxy.example:80"];
    let outside = internet.outside(&by_option);
    assert_eq!(outside, ["93.184.216.35 elsewhere.example http://elsewhere.example/"]);
    assert_eq!(internet.inside(&["--allow-net=a.example:80"], &by_option).lines(), ["failed"]);
    let granted = internet.inside(&["--allow-net=proxy.example:80"], &by_option);
    assert_eq!(granted.lines(), outside);
    assert_eq!(granted.questions, ["proxy.example"]);
    let variable = ["--env", "HTTP_PROXY=http://93.184.216.35:80"];
    let refused = internet.inside(&["--allow-net=elsewhere.example:80", variable[0], variable[1]], &["proxy.mjs"]);
    assert_eq!(refused.lines(), ["failed"]);
    let granted = internet.inside(&["--allow-net=93.184.216.35:80", variable[0], variable[1]], &["proxy.mjs"]);
    assert_eq!(granted.lines(), outside);
}
