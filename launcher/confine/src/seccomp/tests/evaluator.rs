//! Runs a filter as the kernel's documentation of `struct seccomp_data` and of classic BPF says.

use libc::sock_filter;

use crate::seccomp::assembler::ARCHITECTURE;

/// What the kernel hands to a filter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Data {
    pub(super) number: u32,
    pub(super) arch: u32,
    pub(super) args: [u64; 6],
}

impl Data {
    pub(super) fn native(number: u32, args: [u64; 6]) -> Self {
        Self { number, arch: ARCHITECTURE, args }
    }

    fn word(&self, offset: u32) -> u32 {
        let mut bytes = [0; 64];
        bytes[0..4].copy_from_slice(&self.number.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.arch.to_le_bytes());
        for (index, arg) in self.args.iter().enumerate() {
            bytes[16 + 8 * index..][..8].copy_from_slice(&arg.to_le_bytes());
        }
        let offset = offset as usize;
        assert!(offset.is_multiple_of(4), "the kernel refuses unaligned loads");
        u32::from_le_bytes(bytes[offset..offset + 4].try_into().unwrap())
    }
}

/// The action the program returns for `data`.
pub(super) fn evaluate(program: &[sock_filter], data: &Data) -> u32 {
    let (mut next, mut accumulator) = (0, 0);
    loop {
        let sock_filter { code, jt, jf, k } = program[next];
        next += 1;
        let mut jump_if = |holds: bool| next += usize::from(if holds { jt } else { jf });
        match code {
            0x20 => accumulator = data.word(k),
            0x54 => accumulator &= k,
            0x05 => next += k as usize,
            0x15 => jump_if(accumulator == k),
            0x25 => jump_if(accumulator > k),
            0x35 => jump_if(accumulator >= k),
            0x06 => return k,
            _ => panic!("unknown instruction {code:#x}"),
        }
    }
}
