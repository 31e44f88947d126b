// A worker is a Bun of its own: it has to meet the same guards.
import { Worker as ThreadWorker } from "node:worker_threads";
import { attempt, event } from "../../attempt.ts";

const file = new URL("./worker.ts", import.meta.url);

await attempt("the global Worker", async () => {
  const worker = new Worker(file, { preload: [] as string[] });
  const { data } = await new Promise<MessageEvent>((resolve, reject) =>
    Object.assign(worker, { onmessage: resolve, onerror: reject }),
  );
  const closed = new Promise((resolve) => worker.addEventListener("close", resolve));
  worker.terminate();
  await closed;
  if (data !== "read") throw Object.assign(new Error(data), { name: data });
});
await attempt("worker_threads", async () => {
  const worker = new ThreadWorker(file, { execArgv: [] });
  const data = (await event(worker, "message")) as string;
  await worker.terminate();
  if (data !== "read") throw Object.assign(new Error(data), { name: data });
});
await attempt("one more than granted", async () => {
  const workers = [new Worker(file), new Worker(file)];
  for (const worker of workers) worker.terminate();
});
process.exit();
