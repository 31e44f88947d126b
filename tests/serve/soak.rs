//! A short form of `scripts/soak`.

use secure_bun_tests::soak::{self, ENGINES, Settings, WIDE_ROOM_BYTES, hostile, random};

/// Few enough for the time that a test has: the script makes thousands.
const CALLS: u64 = 400;
const LINES: u64 = 1000;
const DRAWING: u64 = 300;

#[test]
fn calls_of_every_kind() {
    let seed = soak::seed("calls_of_every_kind");
    for engine in ENGINES {
        let settings =
            Settings { engine, calls: CALLS, mark: CALLS / 2, seed, at_once: 16, room_bytes: WIDE_ROOM_BYTES };
        let report = soak::run(settings, |state| println!("{state}"));
        println!("{engine}:\n{report}");
        assert!(report.wrongs.is_empty(), "{engine}: {:#?}", report.wrongs);
    }
}

#[test]
fn hostile_lines_between_calls() {
    let seed = soak::seed("hostile_lines_between_calls");
    for engine in ENGINES {
        let report = hostile::run(engine, LINES, seed);
        println!("{engine}:\n{report}");
        assert!(report.wrongs.is_empty(), "{engine}: {:#?}", report.wrongs);
        // The control: lines were refused for every reason that they give.
        for code in [-32700, -32600, -32601, -32602] {
            assert!(report.errors.contains_key(&code), "{engine}: no {code}: {report}");
        }
    }
}

#[test]
fn no_two_calls_draw_the_same() {
    for engine in ["fork", "pool"] {
        let report = random::run(engine, DRAWING, 8);
        println!("{engine}:\n{report}");
        assert!(report.wrongs.is_empty(), "{engine}: {:#?}", report.wrongs);
    }
}
