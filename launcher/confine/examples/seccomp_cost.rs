//! How long the filter is and how long it takes to assemble. Run it in release:
//! `cargo run --release -p secure-bun-confine --example seccomp_cost`

use std::{hint::black_box, time::Instant};

use confine::seccomp::{Files, Filter, Options};

const ROUNDS: usize = 1001;

fn main() {
    println!("{:<30} {:>12} {:>9} {:>10}", "options", "instructions", "first µs", "median µs");
    for (name, options) in [
        ("read only", Options::default()),
        ("write", Options { write: true, ..Options::default() }),
        (
            "write, tty, no new executable",
            Options {
                write: true,
                tty: true,
                deny_new_executable_memory: true,
                run: false,
                sockets: false,
                files: Files::Own,
                copies: false,
                narrower: None,
            },
        ),
    ] {
        let mut micros: Vec<f64> = (0..ROUNDS).map(|_| assemble_once(options)).collect();
        let first = micros[0];
        micros.sort_by(f64::total_cmp);
        let length = Filter::new(&options, 0).program().len();
        println!("{name:<30} {length:>12} {first:>9.1} {:>10.1}", micros[ROUNDS / 2]);
    }
}

fn assemble_once(options: Options) -> f64 {
    let start = Instant::now();
    black_box(Filter::new(black_box(&options), black_box(1)));
    start.elapsed().as_secs_f64() * 1e6
}
