// Runs each `cases/<area>/<name>/program.ts` twice: under bare Bun, where every act has to work (else a refusal would
// prove nothing), and behind the preload, where the output has to be that of `expected.out` beside it.
import { expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Glob } from "bun";
import type { Ending, Grants } from "./harness.ts";
import { runBare, runGuarded } from "./harness.ts";

const cases = join(import.meta.dir, "cases");

for (const program of [...new Glob("*/*/program.ts").scanSync(cases)].sort()) {
  const folder = join(cases, program, "..");
  test(
    program.replace(/\/program\.ts$/, ""),
    async () => {
      const bare = await inRange((range) => runBare(join(cases, program), range));
      expect(bare.stderr).toBe("");
      expect(bare.stdout).toMatch(/^(.+: worked\n)+$/);

      const guarded = await inRange((range) =>
        runGuarded(join(cases, program), grantsOf(folder, range), { cwd: range }),
      );
      expect(guarded.stderr).toBe("");
      const expected = join(folder, "expected.out");
      // To be read before it is committed: `UPDATE_EXPECTED=1 bun test bun-tests/run.test.ts`.
      if (process.env["UPDATE_EXPECTED"] !== undefined) writeFileSync(expected, guarded.stdout);
      expect(guarded.stdout).toBe(readFileSync(expected, "utf8"));
      expect(guarded.code).toBe(0);
    },
    30_000,
  );
}

test("there are cases", () => {
  expect([...new Glob("*/*/program.ts").scanSync(cases)].length).toBeGreaterThanOrEqual(10);
});

/** A fresh folder with something to read and to write, for one run; its path is `RANGE` in what is printed. */
async function inRange(run: (range: string) => Promise<Ending>): Promise<Ending> {
  const range = mkdtempSync(join(realpathSync(tmpdir()), "secure-bun-range-"));
  try {
    for (const place of ["granted", "readable", "outside"]) {
      mkdirSync(join(range, place));
      writeFileSync(join(range, place, "file.txt"), `content of ${place}`);
    }
    const ending = await run(range);
    return { ...ending, stdout: ending.stdout.replaceAll(range, "RANGE") };
  } finally {
    rmSync(range, { recursive: true });
  }
}

/** The case's `grants.json`, in which paths start from the range; by default `granted` may be written. */
function grantsOf(folder: string, range: string): Grants {
  const file = join(folder, "grants.json");
  const given: Grants = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};
  const absolute = (paths: string[] = []) => paths.map((path) => join(range, path));
  return {
    ...given,
    read: absolute(given.read ?? ["readable"]),
    write: absolute(given.write ?? ["granted"]),
    denyRead: absolute(given.denyRead),
    denyWrite: absolute(given.denyWrite),
  };
}
