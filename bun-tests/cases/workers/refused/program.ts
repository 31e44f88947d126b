import { Worker as ThreadWorker } from "node:worker_threads";
import { attempt, event } from "../../attempt.ts";

const file = new URL("./worker.ts", import.meta.url);

await attempt("worker_threads", () => event(new ThreadWorker(file), "message"));
await attempt("the global Worker", async () => {
  const worker = new Worker(file);
  await new Promise((resolve, reject) => Object.assign(worker, { onmessage: resolve, onerror: reject }));
  worker.terminate();
});
