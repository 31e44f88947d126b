//! Code that is not the program's: other programs, libraries, processes.

use secure_bun_tests::Folder;
use serde_json::json;

use super::{Attack, NATIVE_WRITER};

const COPY_OF_LIBC: &str = "(() => { const maps = raw.readFileSync('/proc/self/maps', 'utf8');
    const library = /\\S*libc\\.so\\.6/.exec(maps)[0]; raw.copyFileSync(library, 'out/lib.so'); return library; })()";

#[test]
fn a_library_that_the_program_brought_along() {
    let load = format!(
        "({COPY_OF_LIBC}, require('bun:ffi').dlopen('./out/lib.so', {{ getpid: {{ args: [], returns: 'int' }} }}).symbols.getpid())"
    );
    Attack::new(Folder::new(), &load).under(NATIVE_WRITER).fails_with("ERR_DLOPEN_FAILED");
}

#[test]
fn data_that_is_made_executable_later() {
    let protect = format!(
        "(async () => {{ raw.writeFileSync('out/code', Buffer.alloc(4096));
            const page = call({}, 0, 4096, 1, {}, open('out/code', 0), 0); return call({}, page, 4096, 5); }})()",
        libc::SYS_mmap,
        libc::MAP_PRIVATE,
        libc::SYS_mprotect
    )
    .replace("raw.", "require('fs').");
    Attack::by_native_code(Folder::new(), &protect).under(NATIVE_WRITER).refused_with(libc::EACCES);
}

#[test]
fn a_file_descriptor_as_a_program() {
    // The control shows what a shell is for: it takes Bun's place, and says so.
    let run = format!(
        "(() => {{ const words = new BigUint64Array([BigInt(ptr(text('sh'))), BigInt(ptr(text('-c'))), BigInt(ptr(text('echo ran'))), 0n]);
            return call({}, open('/bin/sh', {}), text(''), words, 0, {}); }})()",
        libc::SYS_execveat,
        libc::O_PATH,
        libc::AT_EMPTY_PATH
    );
    let with_ptr = format!("(async () => {{ const {{ ptr }} = await import('bun:ffi'); return {run}; }})()");
    let attack = Attack::by_native_code(Folder::new(), &with_ptr);
    assert_eq!(attack.folder.bun(["run", "outside.ts"]).prints(), "ran\n");
    // Bun itself is the only program that there is; with every key but the launcher's it is not to be had either.
    let folder = attack.folder;
    let own = with_ptr.replace("/bin/sh", "/proc/self/exe");
    let (_, envelope) = Attack::by_native_code(folder, &own).inside();
    assert_eq!(envelope.result(), &json!(-libc::EACCES));
}

#[test]
fn a_process_that_is_not_a_thread() {
    let clone = "(async () => {
        const { dlopen, ptr } = await import('bun:ffi');
        const { symbols } = dlopen('libc.so.6', {
            clone: { args: ['ptr', 'ptr', 'i32', 'ptr'], returns: 'i32' },
            dlsym: { args: ['ptr', 'ptr'], returns: 'ptr' } });
        const stack = globalThis.stack = new Uint8Array(65536), end = symbols.dlsym(null, ptr(Buffer.from('_exit\\0')));
        return symbols.clone(end, ptr(stack) + 65536 - 512, FLAGS, 0) < 0 ? -1 : 0; })()";
    for flags in [libc::SIGCHLD, libc::SIGCHLD | libc::CLONE_VM | libc::CLONE_VFORK, libc::SIGCHLD | libc::CLONE_PARENT]
    {
        // As a sibling of Bun the control would be an orphan in the test's own family.
        let outside = Attack::new(Folder::new(), &clone.replace("FLAGS", &(flags & !libc::CLONE_PARENT).to_string()));
        assert_eq!(outside.outside(), 0);
        let inside = Attack::new(Folder::new(), &clone.replace("FLAGS", &flags.to_string())).under(super::NATIVE);
        assert_eq!(inside.inside().1.result(), -1, "{flags:#x}");
    }
}

#[test]
fn a_library_named_by_the_environment() {
    let set = "(process.env.LD_PRELOAD = '/evil.so', process.env.BUN_OPTIONS = '--preload=./evil.ts',
        require('child_process').execFileSync('/bin/true').length)";
    let attack = Attack::new(Folder::new(), set);
    let (_, envelope) = attack.inside();
    assert_eq!(envelope.result(), "!ERR_ACCESS_DENIED");
}
