// Waits to be attacked. Lets everybody trace it, where the system would ask for that, and says where its channel is.
import { dlopen } from "bun:ffi";
import { readdirSync, readlinkSync } from "node:fs";

const PR_SET_PTRACER = 0x59616d61n;
const ANYBODY = -1n;

/** The descriptors of this process that are sockets. */
export function sockets(): number[] {
  const link = (name: string) => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`);
    } catch {
      return "";
    }
  };
  return readdirSync("/proc/self/fd")
    .filter((name) => link(name).startsWith("socket:"))
    .map(Number);
}

export default function victim(): number[] {
  const { prctl } = dlopen("libc.so.6", {
    prctl: { args: ["i32", "i64", "i64", "i64", "i64"], returns: "i32" },
  }).symbols;
  prctl(Number(PR_SET_PTRACER), ANYBODY, 0n, 0n, 0n);
  return sockets();
}
