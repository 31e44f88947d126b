import { readFileSync } from "node:fs";

try {
  readFileSync("outside/file.txt");
  postMessage("read");
} catch (error) {
  postMessage(`in the worker: ${(error as Error).name} `);
}
