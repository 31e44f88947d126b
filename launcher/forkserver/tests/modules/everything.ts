// A bit of everything that a program does. What the engine needs for it has come through a fork.
import { Database } from "bun:sqlite";
import { readFileSync } from "node:fs";
import { gzipSync, gunzipSync } from "node:zlib";

/** Adds two numbers: a module of 41 bytes. */
const WASM = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 7, 1, 96, 2, 127, 127, 1, 127, 3, 2, 1, 0, 7, 7, 1, 3, 97, 100, 100, 0, 0,
  10, 9, 1, 7, 0, 32, 0, 32, 1, 106, 11,
]);

async function served(): Promise<string> {
  const server = Bun.serve({ port: 0, fetch: async (request) => new Response(await request.text()) });
  const response = await fetch(server.url, { method: "POST", body: "over loopback" });
  const text = await response.text();
  await server.stop(true);
  return text;
}

function worked(): Promise<unknown> {
  const worker = new Worker(new URL("./worker.ts", import.meta.url).href);
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = (event) => reject(new Error(event.message));
    worker.postMessage([1, 2, 3]);
  });
}

function collected(): number {
  let kept: { index: number; text: string }[] = [];
  for (let index = 0; index < 200_000; index++) {
    kept.push({ index, text: `item ${index}` });
    if (kept.length > 10_000) kept = kept.slice(5_000);
  }
  Bun.gc(true);
  return kept.at(-1)!.index;
}

export default async function everything(): Promise<Record<string, unknown>> {
  const { instance } = await WebAssembly.instantiate(WASM);
  const add = instance.exports["add"] as (a: number, b: number) => number;
  await Bun.sleep(1);
  return {
    file: readFileSync("/proc/self/comm", "utf8").trim().length > 0,
    async_file: (await Bun.file("/proc/self/stat").text()).startsWith(`${process.pid} `),
    regex: "a1b22c333".replace(/\d+/g, (digits) => `<${digits.length}>`),
    intl: new Intl.NumberFormat("en-US").format(1234567.5),
    sqlite: new Database(":memory:").query("select 6 * 7 as answer").get(),
    gzip: gunzipSync(gzipSync("there and back")).toString(),
    wasm: add(20, 22),
    served: await served(),
    worker: await worked(),
    collected: collected(),
    digest: Buffer.from(await crypto.subtle.digest("SHA-1", Buffer.from("x")))
      .toString("hex")
      .slice(0, 8),
    spawn: spawned(),
  };
}

/** A child has no processes of its own. */
function spawned(): string {
  try {
    Bun.spawnSync(["/bin/true"]);
    return "works";
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}
