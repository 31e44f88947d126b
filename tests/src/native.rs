//! System calls made by native code, past everything in JavaScript.

use crate::folder::Folder;

/// `call(number, …)` makes a system call and answers its result, or the errno as a negative number.
const NATIVE: &str = "
    import { dlopen, ptr, read } from 'bun:ffi';
    const { symbols } = dlopen('libc.so.6', {
        syscall: { args: ['i64', 'i64', 'i64', 'i64', 'i64', 'i64', 'i64'], returns: 'i64' },
        __errno_location: { args: [], returns: 'ptr' },
    });
    const errno = symbols.__errno_location();
    export const text = (value: string) => Buffer.from(value + '\\0');
    export function call(number: number, ...args: (number | NodeJS.TypedArray)[]): number {
        const words = args.map(arg => typeof arg === 'number' ? arg : ptr(arg));
        while (words.length < 6) words.push(0);
        const answer = Number(symbols.syscall(number, ...words));
        return answer === -1 ? -read.i32(errno) : answer;
    }
    export const open = (path: string, flags: number) => call(OPENAT, AT_FDCWD, text(path), flags, 0o644);
";

/// The folder with `native.ts`; as a project, since `fn.ts` imports it.
pub fn native(folder: Folder) -> Folder {
    let numbers = format!("const OPENAT = {}, AT_FDCWD = {};\n", libc::SYS_openat, libc::AT_FDCWD);
    folder.package().file("native.ts", numbers + NATIVE)
}
