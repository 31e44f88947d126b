//! Memory.

use secure_bun_tests::{Folder, JSON};

use super::{alone, ends_at};

const MB: f64 = 1024.0 * 1024.0;

/// Bombs of several kinds, none of which would go beyond 1 GB if nothing stopped it.
const BOMBS: [(&str, &str); 4] = [
    ("buffers", "for (let n = 0; n < 64; n++) held.push(new Uint8Array(16 << 20).fill(1));"),
    ("one buffer", "held.push(new Uint8Array(1000 << 20).fill(1));"),
    ("strings", "for (let n = 0; n < 1000; n++) held.push(Buffer.alloc(1 << 20, 97 + n % 26).toString('latin1'));"),
    (
        "objects",
        "const row = '[' + '{\"a\":[1,2,3]},'.repeat(20000) + '0]'; for (let n = 0; n < 200; n++) held.push(JSON.parse(row));",
    ),
];

/// Each bomb is ended no later than a tenth, or 8 MB, beyond what is allowed.
#[track_caller]
fn bombs_end_at(allowed_mb: u32) {
    let _processors = alone();
    for (name, bomb) in BOMBS {
        let source = format!("export default () => {{ const held: unknown[] = []; {bomb} return held.length; }};");
        let envelope = ends_at(&source, &format!("memory={allowed_mb}mb,wall=20s"), "memory_mb", 137);
        let peak_mb = envelope.number("/stats/peak_memory_bytes") / MB;
        let allowed_mb = f64::from(allowed_mb);
        let most = allowed_mb + f64::max(allowed_mb / 10.0, 8.0);
        assert!(peak_mb <= most, "{name}: {peak_mb} MB, {most} MB at most");
        assert!(peak_mb >= allowed_mb * 0.9, "{name}: {peak_mb} MB: that is not what was allowed");
    }
}

#[test]
fn of_64_megabytes() {
    bombs_end_at(64);
}

#[test]
fn of_128_megabytes() {
    bombs_end_at(128);
}

#[test]
fn of_256_megabytes() {
    bombs_end_at(256);
}

#[test]
fn a_program_within_its_memory_is_left_alone() {
    let folder = Folder::with(
        "fn.ts",
        "export default () => {
        const held = new Uint8Array(64 << 20).fill(1);
        return Bun.sleep(200).then(() => held.length);
    };",
    );
    let envelope = folder.secure_bun(["run", JSON, "--limit", "memory=256mb", "fn.ts"]).envelope();
    assert_eq!(envelope.result(), 64 << 20);
    assert!(envelope.number("/stats/peak_memory_bytes") >= 64.0 * MB);
}

#[test]
fn files_in_the_private_temporary_folder_have_their_own_limit() {
    let source = "import fs from 'node:fs';
        export default () => {
            const megabyte = Buffer.alloc(1 << 20);
            try { for (let n = 0; n < 64; n++) fs.writeFileSync('/tmp/' + n, megabyte); return 'all of it'; } catch (e) { return e.code; }
        };";
    let folder = Folder::with("fn.ts", source);
    assert_eq!(folder.secure_bun(["run", "--limit", "tmp=8mb", "fn.ts"]).prints(), "\"ENOSPC\"\n");
}

#[test]
fn open_files_and_file_sizes_are_the_programs_to_handle() {
    let open = "import fs from 'node:fs';
        export default () => { try { for (let n = 0; n < 1000; n++) fs.openSync('/dev/null'); return 'all'; } catch (e) { return e.code; } };";
    let folder = Folder::with("fn.ts", open);
    assert_eq!(folder.secure_bun(["run", "--limit", "open_files=64", "fn.ts"]).prints(), "\"EMFILE\"\n");
    let write = "import fs from 'node:fs';
        export default () => { try { fs.writeFileSync('/tmp/a', Buffer.alloc(3 << 20)); return 'all'; } catch (e) { return e.code; } };";
    let folder = Folder::with("fn.ts", write);
    assert_eq!(folder.secure_bun(["run", "--limit", "file=2mb", "fn.ts"]).prints(), "\"EFBIG\"\n");
}
