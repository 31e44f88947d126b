//! TLS goes from end to end: the program checks certificates with authorities of its own.

use std::process::Command;

use secure_bun_tests::Folder;
use serde_json::json;

use super::internet::{Internet, PUBLIC};

/// An authority of the test's, and a certificate of its for `tls.example`.
fn certificates(folder: &Folder) {
    let openssl = |words: &[&str]| {
        let output = Command::new("openssl").args(words).current_dir(folder.path("")).output();
        let output = output.unwrap_or_else(|error| panic!("these tests need openssl on PATH: {error}"));
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let authority = ["req", "-x509", "-subj", "/CN=Test", "-days", "2", "-keyout", "ca.key", "-out", "ca.pem"];
    openssl(&[&authority[..], &key].concat());
    let request = ["req", "-x509", "-subj", "/CN=tls.example", "-days", "2", "-keyout", "key.pem", "-out", "cert.pem"];
    let of = ["-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "subjectAltName=DNS:tls.example"];
    openssl(&[&request[..], &key, &of, &["-addext", "basicConstraints=critical,CA:FALSE"]].concat());
}

/// With the authority, by two clients; without it; for a name that the certificate is not for.
const CLIENT: &str = r#"
import fs from "node:fs";
import tls from "node:tls";
const ca = fs.readFileSync("ca.pem", "utf8");
const get = (url, options) => fetch(url, options).then((response) => response.text()).catch((error) => error.code);
const { promise, resolve, reject } = Promise.withResolvers();
const socket = tls.connect({ host: "tls.example", port: 443, ca, servername: "tls.example" }, resolve);
socket.on("error", reject);
await promise;
console.log(socket.authorized, socket.getPeerCertificate().subject.CN);
socket.end();
console.log(await get("https://tls.example/"));
console.log(await get("https://tls.example/", { tls: { ca } }));
console.log(await get("https://wrong.example/", { tls: { ca } }));
"#;

#[test]
fn certificates_are_checked_by_the_program() {
    let zone = json!({ "tls.example": [[PUBLIC]], "wrong.example": [[PUBLIC]] });
    let internet = Internet::with(&zone).file("client.mjs", CLIENT);
    certificates(&internet.folder);
    let outside = internet.outside(&["client.mjs"]);
    let reached = "93.184.216.34 tls.example /";
    let unknown = "UNABLE_TO_VERIFY_LEAF_SIGNATURE";
    assert_eq!(outside, ["true tls.example", unknown, reached, "ERR_TLS_CERT_ALTNAME_INVALID"]);
    let grants = ["--allow-net=tls.example:443,wrong.example:443", "--allow-read=ca.pem"];
    let inside = internet.inside(&grants, &["client.mjs"]);
    assert_eq!(inside.lines(), outside);
    // An authority for all of a program's connections.
    let extra = format!("NODE_EXTRA_CA_CERTS={}", internet.folder.text("ca.pem"));
    let inside = internet.inside(&[&grants[..], &["--env", &extra]].concat(), &["client.mjs"]);
    assert_eq!(inside.lines()[1], reached);
}
