// Native code that reaches for another process, by every way there is. Run by a child against its sibling or the server,
// and by itself (`bun attack.ts PID`) to show that each way works for a process that is not confined so.
import { dlopen, ptr } from "bun:ffi";
import { readFileSync, readlinkSync } from "node:fs";

type Name = keyof typeof X86_64;

const X86_64 = {
  kill: 62,
  ptrace: 101,
  setpriority: 141,
  rt_sigqueueinfo: 129,
  sched_setaffinity: 203,
  tgkill: 234,
  openat: 257,
  prlimit64: 302,
  process_vm_readv: 310,
  pidfd_send_signal: 424,
  pidfd_open: 434,
  pidfd_getfd: 438,
};
const AARCH64: typeof X86_64 = {
  kill: 129,
  ptrace: 117,
  setpriority: 140,
  rt_sigqueueinfo: 138,
  sched_setaffinity: 122,
  tgkill: 131,
  openat: 56,
  prlimit64: 261,
  process_vm_readv: 270,
  pidfd_send_signal: 424,
  pidfd_open: 434,
  pidfd_getfd: 438,
};
const NUMBERS = process.arch === "arm64" ? AARCH64 : X86_64;
const ERRNO: Record<number, string> = {
  1: "EPERM",
  2: "ENOENT",
  3: "ESRCH",
  9: "EBADF",
  13: "EACCES",
  22: "EINVAL",
};

const PTRACE_SEIZE = 0x4206n;
const PTRACE_DETACH = 17n;
const PTRACE_INTERRUPT = 0x4207n;
const RLIMIT_NOFILE = 7n;
const AT_FDCWD = -100n;

const libc = dlopen("libc.so.6", {
  syscall: { args: ["i64", "i64", "i64", "i64", "i64", "i64", "i64"], returns: "i64" },
  __errno_location: { args: [], returns: "ptr" },
  waitpid: { args: ["i32", "ptr", "i32"], returns: "i32" },
}).symbols;
const { read } = process.getBuiltinModule("bun:ffi") as unknown as typeof import("bun:ffi");

function call(name: Name, ...args: bigint[]): { value: number; errno: string | null } {
  const [a = 0n, b = 0n, c = 0n, d = 0n, e = 0n, f = 0n] = args;
  const value = Number(libc.syscall(BigInt(NUMBERS[name]), a, b, c, d, e, f));
  if (value !== -1) return { value, errno: null };
  const errno = read.i32(libc.__errno_location()!, 0);
  return { value, errno: ERRNO[errno] ?? String(errno) };
}

const verdict = ({ errno }: { errno: string | null }) => errno ?? "works";
const pointer = (memory: NodeJS.TypedArray) => BigInt(ptr(memory));

function attempt(act: () => void): string {
  try {
    act();
    return "works";
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

/** Opening is where the kernel looks at who asks. */
function open(path: string): string {
  return verdict(call("openat", AT_FDCWD, pointer(Buffer.from(`${path}\0`)), 0n));
}

function readMemory(pid: bigint): string {
  // Where the executable begins is the same for every process that runs it.
  const start = readFileSync("/proc/self/maps", "utf8").split("-")[0]!;
  const buffer = new Uint8Array(4);
  const local = new BigUint64Array([pointer(buffer), 4n]);
  const remote = new BigUint64Array([BigInt(`0x${start}`), 4n]);
  return verdict(call("process_vm_readv", pid, pointer(local), 1n, pointer(remote), 1n));
}

function trace(pid: bigint): string {
  const seized = call("ptrace", PTRACE_SEIZE, pid);
  if (seized.errno === null) {
    call("ptrace", PTRACE_INTERRUPT, pid);
    libc.waitpid(Number(pid), null, 0x4000_0000);
    call("ptrace", PTRACE_DETACH, pid);
  }
  return verdict(seized);
}

function sameLimit(pid: bigint): string {
  const limit = new BigUint64Array(2);
  const got = call("prlimit64", pid, RLIMIT_NOFILE, 0n, pointer(limit));
  return got.errno ?? verdict(call("prlimit64", pid, RLIMIT_NOFILE, pointer(limit)));
}

/** A descriptor of the other process: its channel, or the control socket. */
function takeDescriptor(pid: bigint, number: bigint): { open: string; take: string; signal: string } {
  const opened = call("pidfd_open", pid);
  // The number of no descriptor, where there is none: the filter answers before the kernel looks.
  const pidfd = BigInt(opened.value);
  return {
    open: verdict(opened),
    take: verdict(call("pidfd_getfd", pidfd, number)),
    signal: verdict(call("pidfd_send_signal", pidfd)),
  };
}

/** What became of each act. Only signal 0 is sent: whether one may is all it asks. */
export default function attack(target: number, descriptor: number): Record<string, string> {
  const pid = BigInt(target);
  const taken = takeDescriptor(pid, BigInt(descriptor));
  const everyCpu = new BigUint64Array(128).fill(~0n);
  return {
    "open /proc/PID/mem": open(`/proc/${target}/mem`),
    "open /proc/PID/environ": open(`/proc/${target}/environ`),
    "open /proc/PID/maps": open(`/proc/${target}/maps`),
    "read the link /proc/PID/fd/N": attempt(() => readlinkSync(`/proc/${target}/fd/${descriptor}`)),
    "read the link /proc/PID/cwd": attempt(() => readlinkSync(`/proc/${target}/cwd`)),
    process_vm_readv: readMemory(pid),
    ptrace: trace(pid),
    pidfd_open: taken.open,
    pidfd_getfd: taken.take,
    pidfd_send_signal: taken.signal,
    kill: verdict(call("kill", pid)),
    "kill everybody": verdict(call("kill", -1n)),
    tgkill: verdict(call("tgkill", pid, pid)),
    rt_sigqueueinfo: verdict(call("rt_sigqueueinfo", pid, 0n, pointer(queued()))),
    prlimit64: sameLimit(pid),
    setpriority: verdict(call("setpriority", 0n, pid, 10n)),
    sched_setaffinity: verdict(call("sched_setaffinity", pid, 1024n, pointer(everyCpu))),
  };
}

/** A `siginfo_t` that says it was queued. */
function queued(): Int32Array {
  const SI_QUEUE = -1;
  const info = new Int32Array(32);
  info[2] = SI_QUEUE;
  return info;
}

// In a child it is the main module too, without arguments.
if (process.argv.length > 2)
  console.log(JSON.stringify(attack(Number(process.argv[2]), Number(process.argv[3]))));
