//! Compiles `src` a second time, as the shared library that Bun loads: see `src/lib.rs`.

use std::env;
use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=src");
    println!("cargo::rustc-check-cfg=cfg(shared_library)");
    let variable = |name: &str| env::var_os(name).unwrap_or_else(|| panic!("cargo sets {name}"));
    let library = PathBuf::from(variable("OUT_DIR")).join("forkserver.so");
    let mut rustc = Command::new(variable("RUSTC"));
    rustc
        .args(["src/lib.rs", "--crate-name=forkserver", "--crate-type=cdylib", "--edition=2024"])
        .args(["--cfg=shared_library", "-Cpanic=abort", "-Copt-level=3", "-Ccodegen-units=1", "-Clto=fat"])
        // Nothing is linked to it. The few functions of a C library that it calls have the same name in all of them,
        // and the one that Bun runs with is in the process already.
        .args(["-Ctarget-feature=-crt-static", "-Crelocation-model=pic", "-Clink-arg=-nostdlib"])
        .args(["-Cstrip=symbols", "-Clink-arg=-Wl,--build-id=none,-z,now,-z,noexecstack"])
        .arg("--target")
        .arg(variable("TARGET"))
        .arg("-o")
        .arg(&library);
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        let mut option = std::ffi::OsString::from("-Clinker=");
        option.push(linker);
        rustc.arg(option);
    }
    let status = rustc.status().expect("rustc starts");
    assert!(status.success(), "the library does not compile: {status}");
}
