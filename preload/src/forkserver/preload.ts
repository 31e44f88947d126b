// The module that a tenant wants loaded before the fork, so that each call finds it ready. It is rehearsed in a child
// first: what it leaves behind there, every call would share.
import { lateCall } from "../late-call.ts";
import { quote } from "../quote.ts";
import type { PreloadedModule } from "../table.ts";
import { answer, importMain, loaded } from "./call.ts";
import type { Native } from "./native.ts";
import { otherThreads } from "./threads.ts";

const IN_REHEARSAL = 1000;
const KILLED_BY_FILTER = -31;
/** The exit code of a rehearsal that found nothing; above it, those that found something. */
const REHEARSED = 100;

/** Why a module is not loaded before the fork: the numbers of launcher/forkserver/src/messages.rs. */
const Refusal = {
  FailsToLoad: 1,
  StartsThread: 2,
  Opens: 3,
  DrawsFromMathRandom: 4,
  StartsTimer: 5,
  DrawsRandomNumbers: 6,
  EndsProcess: 7,
} as const;

const { setTimeout, clearTimeout } = globalThis;

/** Loads the module and makes its calls, unless what that leaves behind is not to be shared: then the reason, else 0. */
export async function preload(module: PreloadedModule, native: Native): Promise<number> {
  const end = native.rehearse();
  if (end === IN_REHEARSAL) return native.end(REHEARSED + (await rehearse(module, native)));
  if (end === KILLED_BY_FILTER) return Refusal.DrawsRandomNumbers;
  if (end < REHEARSED || end > REHEARSED + Refusal.EndsProcess) return Refusal.EndsProcess;
  if (end === REHEARSED) await run(module);
  return end - REHEARSED;
}

async function rehearse(module: PreloadedModule, native: Native): Promise<number> {
  const descriptors = native.descriptors();
  const timer = nextTimer();
  try {
    await run(module);
    if (nextTimer() !== timer + 1) return Refusal.StartsTimer;
    if (native.descriptors() !== descriptors || native.prepare() < 0) return Refusal.Opens;
    if (otherThreads(native).length > 0) return Refusal.StartsThread;
  } catch (error) {
    process.stderr.write(`secure-bun: ${module.path} is not loaded before the fork: ${String(error)}\n`);
    return Refusal.FailsToLoad;
  }
  return native.random_was_used() === 0 ? 0 : Refusal.DrawsFromMathRandom;
}

async function run({ path, export: name, calls }: PreloadedModule): Promise<void> {
  loaded[path] = await importMain(path);
  for (let index = 0; index < calls.length; index++) {
    await answer(requestOf(path, name, calls[index]!), () => {});
    lateCall().restoreConsole();
  }
}

/** A call that nobody asked for, as the launcher would ask. */
export function requestOf(path: string, name: string, args: string): string {
  const which = `"path":${quote(path)},"export":${quote(name)}`;
  return `{"kind":"call",${which},"args":${args},"context":null,"env":[],"secrets":{},"mentions":[],"bytes":[],"returns_bytes":false}`;
}

/** Timers are numbered, so this tells whether there were others in between. */
function nextTimer(): number {
  const timer = setTimeout(() => {}, 0);
  clearTimeout(timer);
  return Number(timer);
}
