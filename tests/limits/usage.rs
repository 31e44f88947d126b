//! What was used of each limit, as the envelope reports it.

use secure_bun_tests::{Folder, JSON};

/// Holds ten files open, leaves 3 MB in its temporary folder, prints 2 KB, and gives the launcher the time to look.
const USER: &str = r#"
import { openSync, writeFileSync } from "node:fs";
export default async () => {
  for (let n = 0; n < 10; n++) openSync("/dev/null");
  writeFileSync("/tmp/three", new Uint8Array(3 << 20));
  process.stdout.write("x".repeat(2000));
  await Bun.sleep(100);
};
"#;

#[test]
fn what_was_used_is_told_beside_what_was_allowed() {
    let folder = Folder::with("fn.ts", USER);
    let limits = ["--limit", "tmp=8mb", "--limit", "open_files=100", "--limit", "output=64kb", "--limit", "wall=20s"];
    let words = [&["run", JSON, "--policy", "script"], &limits[..], &["fn.ts"]].concat();
    let envelope = folder.secure_bun(words).envelope();
    assert_eq!(envelope.at("/ok"), true, "{}", envelope.json);
    let used = |key: &str| envelope.number(&format!("/stats/limits/{key}/used"));
    let allowed = |key: &str| envelope.number(&format!("/stats/limits/{key}/allowed"));
    assert!((13.0..100.0).contains(&used("open_files")), "{}", envelope.json);
    assert!((2.0..=256.0).contains(&used("threads")), "{}", envelope.json);
    assert!((100.0..20_000.0).contains(&used("wall_ms")), "{}", envelope.json);
    assert!(used("cpu_ms") > 0.0 && used("memory_mb") > 0.0, "{}", envelope.json);
    assert_eq!((used("tmp_mb"), used("output_kb"), used("processes")), (3.0, 2.0, 1.0), "{}", envelope.json);
    assert_eq!((allowed("tmp_mb"), allowed("open_files"), allowed("output_kb")), (8.0, 100.0, 64.0));
    assert_eq!(envelope.at("/stats/limits/cpu_ms/allowed").to_string(), "null", "the preset does not limit it");
    assert_eq!(envelope.at("/stats/limits/stack_kb/used").to_string(), "null", "nobody measures it");
}
