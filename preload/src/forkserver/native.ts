// The shared library of launcher/forkserver, loaded once by the server. Its functions are captured here: nothing of a
// tenant can get at them, and a forked child has nothing left to fork with.
import { table } from "../table.ts";

interface Native {
  threads(names: Uint8Array, length: number): number;
  release(library: number): number;
  prepare(): number;
  descriptors(): number;
  find_random(drawn: number): number;
  confirm_random(drawn: number): number;
  random_was_used(): number;
  rehearse(): number;
  serve(control: number, refused: number): number;
  join(gate: number): number;
  loopback(frame: Uint8Array, length: number): number;
  close_loopback(both: number): void;
  next_length(channel: number): number;
  receive(channel: number, into: Uint8Array, length: number): number;
  send(channel: number, from: Uint8Array, length: number): number;
  random(into: Uint8Array, length: number): number;
  process_id(): number;
  end(code: number): number;
}

const SIGNATURES: Record<
  keyof Native,
  { args: ("i32" | "u32" | "f64" | "ptr")[]; returns: "i32" | "f64" | "void" }
> = {
  threads: { args: ["ptr", "u32"], returns: "i32" },
  release: { args: ["i32"], returns: "i32" },
  prepare: { args: [], returns: "i32" },
  descriptors: { args: [], returns: "i32" },
  find_random: { args: ["f64"], returns: "i32" },
  confirm_random: { args: ["f64"], returns: "i32" },
  random_was_used: { args: [], returns: "i32" },
  rehearse: { args: [], returns: "i32" },
  serve: { args: ["i32", "u32"], returns: "i32" },
  join: { args: ["i32"], returns: "i32" },
  loopback: { args: ["ptr", "u32"], returns: "i32" },
  close_loopback: { args: ["i32"], returns: "void" },
  next_length: { args: ["i32"], returns: "f64" },
  receive: { args: ["i32", "ptr", "u32"], returns: "i32" },
  send: { args: ["i32", "ptr", "u32"], returns: "i32" },
  random: { args: ["ptr", "u32"], returns: "i32" },
  process_id: { args: [], returns: "i32" },
  end: { args: ["i32"], returns: "i32" },
};
const PREFIX = "forkserver_";

/** Loads the library from a descriptor. Throws where the engine makes no machine code, since `bun:ffi` needs that. */
function load(library: number): Native {
  const { dlopen } = process.getBuiltinModule("bun:ffi") as unknown as typeof import("bun:ffi");
  const names = Object.keys(SIGNATURES) as (keyof Native)[];
  const { symbols } = dlopen(
    `/proc/self/fd/${library}`,
    Object.fromEntries(names.map((name) => [PREFIX + name, SIGNATURES[name]])),
  );
  const native = Object.fromEntries(names.map((name) => [name, symbols[PREFIX + name]])) as unknown as Native;
  if (native.release(library) < 0) throw new Error("the descriptor of the library cannot be closed");
  return native;
}

/** What this Bun is told about forking. */
export const settings = table.fork!;
/** The library. Loaded when this module is, before anything is tamed. */
export const native = load(settings.library);
export type { Native };
