//! Requests by URL, where names lead: the same holds as for connections.

use serde_json::json;

use super::internet::{Internet, METADATA, OTHER_PUBLIC, PRIVATE, PUBLIC};

#[test]
fn a_granted_url_is_found_and_no_other_name_is_asked_for() {
    let internet = Internet::with(&json!({ "a.example": [[PUBLIC]], "b.example": [[OTHER_PUBLIC]] }));
    let words = ["get.mjs", "http://a.example/x", "http://b.example/", "http://A.Example./", "http://a.example/y"];
    let outside = internet.outside(&words);
    assert_eq!(outside[1], "93.184.216.35 b.example /");
    let inside = internet.inside(&["--allow-fetch=http://a.example/x,http://a.example/"], &words);
    assert_eq!(inside.lines(), ["93.184.216.34 a.example /x", "failed", "93.184.216.34 a.example /", "failed"]);
    assert_eq!(inside.questions, ["a.example"]);
    let refused = [("GET http://b.example/", "default"), ("GET http://a.example/y", "default")];
    assert_eq!(inside.refusals(), refused);
}

#[test]
fn a_name_that_leads_home_is_refused() {
    for address in ["127.0.0.1", PRIVATE, METADATA, "fd00::5"] {
        let internet = Internet::with(&json!({ "home.example": [[address]] }));
        let words = ["get.mjs", "http://home.example/"];
        assert_eq!(internet.outside(&words), [format!("{address} home.example /")]);
        let inside = internet.inside(&["--allow-fetch=http://home.example/"], &words);
        assert_eq!(inside.lines(), ["failed"], "{address}");
        assert_eq!(inside.refusals(), [("GET http://home.example/", "reserved")], "{address}");
    }
}

#[test]
fn a_name_that_is_pointed_elsewhere_reaches_nothing_there() {
    let internet = Internet::with(&json!({ "rebind.example": [[PUBLIC], [PRIVATE]] }));
    let words = ["get.mjs", "http://rebind.example/", "http://rebind.example/"];
    let inside = internet.inside(&["--allow-fetch=http://rebind.example/"], &words);
    // What was judged is what is connected, and a connection that is kept goes where it went.
    let public = format!("{PUBLIC} rebind.example /");
    assert_eq!(inside.lines(), [public.clone(), public]);
}

#[test]
fn addresses_are_granted_and_denied_by_themselves() {
    let internet = Internet::with(&json!({ "inner.example": [[PRIVATE]], "a.example": [[PUBLIC, OTHER_PUBLIC]] }));
    let words = ["get.mjs", "http://inner.example/", "http://a.example/"];
    assert_eq!(internet.outside(&words)[0], format!("{PRIVATE} inner.example /"));
    let grants = "--allow-fetch=http://inner.example/*,http://10.0.0.5/*,http://a.example/*";
    let inside = internet.inside(&[grants, "--deny-net=93.184.216.34/32"], &words);
    assert_eq!(inside.lines(), [format!("{PRIVATE} inner.example /"), format!("{OTHER_PUBLIC} a.example /")]);
    let inside = internet.inside(&[grants, "--deny-fetch=http://10.0.0.5/*"], &words);
    assert_eq!(inside.lines()[0], "failed");
    assert_eq!(inside.refusals()[0].0, "GET http://inner.example/");
}
