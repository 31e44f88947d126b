//! System calls made by native code, past everything in JavaScript.

use crate::folder::Folder;

/// `call(number, …)` makes a system call and answers its result, or the errno as a negative number.
/// Between the call and the look at errno nothing may allocate: the engine's own system calls would change it. So the
/// answer is no `BigInt`, and errno is seen through an array that is there before.
const NATIVE: &str = "
    import { dlopen, ptr, toArrayBuffer } from 'bun:ffi';
    const { symbols } = dlopen('libc.so.6', {
        syscall: { args: ['i64', 'i64', 'i64', 'i64', 'i64', 'i64', 'i64'], returns: 'i64_fast' },
        __errno_location: { args: [], returns: 'ptr' },
    });
    const { syscall } = symbols;
    const errno = new Int32Array(toArrayBuffer(symbols.__errno_location()!, 0, 4));
    export const text = (value: string) => Buffer.from(value + '\\0');
    export function call(number: number, ...args: (number | NodeJS.TypedArray)[]): number {
        const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = args.map(arg => typeof arg === 'number' ? arg : ptr(arg));
        const answer = syscall(number, a, b, c, d, e, f), wrong = errno[0]!;
        // What the pointers point to lives at least until here.
        return args.length > 6 ? NaN : Number(answer) === -1 ? -wrong : Number(answer);
    }
    export const open = (path: string, flags: number) => call(OPENAT, AT_FDCWD, text(path), flags, 0o644);
";

/// The folder with `native.ts`; as a project, since `fn.ts` imports it.
pub fn native(folder: Folder) -> Folder {
    folder.package().file("native.ts", native_source())
}

/// The text of `native.ts`, for a program of one file.
pub fn native_source() -> String {
    let numbers = format!("const OPENAT = {}, AT_FDCWD = {};\n", libc::SYS_openat, libc::AT_FDCWD);
    numbers + NATIVE
}
