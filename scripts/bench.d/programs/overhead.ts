// The workloads of `scripts/bench overhead`.
//   bun overhead.ts WORKLOAD MILLISECONDS
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { measure, type Workload } from "./rates.ts";

const DATA = join(import.meta.dir, "data");
const OUT = join(import.meta.dir, "out");
const FILES = 500;
const FOLDERS = 20;
const names = Array.from({ length: FILES }, (_, index) => join(DATA, `d${index % FOLDERS}`, `f${index}.txt`));
const large = join(DATA, "large.bin");
let asked = 0;

/** What the workloads read; made by the first run. */
function makeFiles(): void {
  mkdirSync(OUT, { recursive: true });
  for (let folder = 0; folder < FOLDERS; folder++) mkdirSync(join(DATA, `d${folder}`), { recursive: true });
  for (const name of names) writeFileSync(name, name.padEnd(1000, "."));
  writeFileSync(large, Buffer.alloc(16 << 20, "large "));
}

function walk(folder: string): number {
  let found = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true }))
    found += entry.isDirectory() ? walk(join(folder, entry.name)) : 1;
  return found;
}

function sieve(limit: number): number {
  const composite = new Uint8Array(limit);
  let primes = 0;
  for (let number = 2; number < limit; number++) {
    if (composite[number] === 1) continue;
    primes++;
    for (let multiple = number * number; multiple < limit; multiple += number) composite[multiple] = 1;
  }
  return primes;
}

interface Tree {
  left: Tree | null;
  right: Tree | null;
}

function grow(depth: number): Tree {
  return depth === 0 ? { left: null, right: null } : { left: grow(depth - 1), right: grow(depth - 1) };
}

function count(tree: Tree): number {
  return 1 + (tree.left === null ? 0 : count(tree.left)) + (tree.right === null ? 0 : count(tree.right));
}

const block = Buffer.alloc(64 << 10, "block ");
const people = Array.from({ length: 500 }, (_, id) => ({
  id,
  name: `name ${id}`,
  tags: ["a", "b"],
  nested: { id },
}));

const WORKLOADS: Record<string, Workload> = {
  "small file reads": () => names.reduce((sum, name) => sum + readFileSync(name, "utf8").length, 0),
  "small file reads, asynchronous": async () =>
    (await Promise.all(names.map((name) => readFile(name)))).reduce((sum, bytes) => sum + bytes.length, 0),
  "small file reads by Bun.file": async () => {
    let sum = 0;
    for (const name of names) sum += (await Bun.file(name).text()).length;
    return sum;
  },
  "large file reads": async () =>
    (await Bun.file(large).arrayBuffer()).byteLength + readFileSync(large).length,
  "small file writes": () => {
    for (let index = 0; index < 100; index++) writeFileSync(join(OUT, `f${index}.txt`), "text");
    return 100;
  },
  "directory walk": () => walk(DATA),
  "files that are asked for once": () => {
    let found = 0;
    for (let index = 0; index < 500; index++) found += existsSync(join(DATA, `none${asked++}`)) ? 1 : 0;
    return found;
  },
  "file status": () => names.reduce((sum, name) => sum + statSync(name).size, 0),
  "hot loops (JIT)": () => sieve(1 << 18),
  "many objects (GC)": () => count(grow(15)),
  "small awaits": async () => {
    let sum = 0;
    for (let index = 0; index < 20_000; index++) sum += await index;
    return sum;
  },
  "turns of the event loop": async () => {
    for (let index = 0; index < 500; index++) await new Promise((resume) => setImmediate(resume));
    return 500;
  },
  "SHA-256": () => createHash("sha256").update(block).digest().length,
  "SHA-256 by Web Crypto": async () => (await crypto.subtle.digest("SHA-256", block)).byteLength,
  "random UUIDs": () => {
    let length = 0;
    for (let index = 0; index < 1000; index++) length += crypto.randomUUID().length;
    return length;
  },
  JSON: () => (JSON.parse(JSON.stringify(people)) as unknown[]).length,
  "text and regular expressions": () =>
    JSON.stringify(people)
      .replace(/name (\d+)/g, "<$1>")
      .split("<").length,
};

if (process.argv[2] === "--make-files") makeFiles();
else await measure(WORKLOADS);
