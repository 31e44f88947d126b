//! Inputs changed at random, the same ones every time: a short run of what `fuzz/` does for as long as one likes.

use std::fs;
use std::path::Path;

/// Changed inputs for each file of a corpus.
const CHANGES: usize = 2000;

/// Calls `check` with each file of `fuzz/corpus/TARGET` and with changes of it.
pub(crate) fn each(target: &str, check: impl Fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut files: Vec<_> = fs::read_dir(&corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", corpus.display());
    let mut chance = Chance(0x9E37_79B9_7F4A_7C15);
    for file in files {
        let original = fs::read(file).unwrap();
        check(&original);
        let mut changed = original.clone();
        for turn in 0..CHANGES {
            if turn % 16 == 0 {
                changed.clone_from(&original);
            }
            change(&mut changed, &mut chance);
            check(&changed);
        }
    }
}

/// One change: a bit, a byte, a piece more or less.
fn change(bytes: &mut Vec<u8>, chance: &mut Chance) {
    let place = chance.below(bytes.len() + 1);
    let byte = u8::try_from(chance.below(256)).unwrap();
    let kind = chance.below(5);
    if kind == 2 {
        bytes.truncate(place);
    } else if kind == 3 && bytes.len() < 4096 {
        let piece: Vec<u8> = bytes[..place].iter().rev().take(usize::from(byte & 63)).copied().collect();
        bytes.extend(piece);
    } else if let (0 | 1, Some(there)) = (kind, bytes.get_mut(place)) {
        *there = if kind == 0 { *there ^ (1 << (byte & 7)) } else { byte };
    } else {
        bytes.insert(place, byte);
    }
}

/// Numbers without a pattern (xorshift64 of Marsaglia, "Xorshift RNGs").
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end).unwrap()).unwrap()
    }
}
