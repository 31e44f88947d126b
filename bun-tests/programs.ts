// Programs of the tests, written to a folder of their own.
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Runs `act` with the path of a file that holds `source`. */
export async function withProgram<Value>(
  source: string,
  act: (path: string) => Promise<Value>,
  name = "program.ts",
) {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), "secure-bun-program-"));
  const path = join(folder, name);
  writeFileSync(path, source);
  try {
    return await act(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
