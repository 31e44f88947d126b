import { readFileSync } from "node:fs";

// It lasts until it is ended.
setInterval(() => {}, 1000);

try {
  readFileSync("outside/file.txt");
  postMessage("worked");
} catch (error) {
  postMessage((error as Error).name);
}
