import { Worker as ThreadWorker } from "node:worker_threads";

const file = new URL("./inner.ts", import.meta.url);

function outcomeOf(make: () => unknown): string {
  try {
    make();
    return "worked";
  } catch (error) {
    return `${(error as Error).name} ${(error as Error).message.split(" is ")[0]}`;
  }
}

const inner = new Worker(file);
inner.onmessage = ({ data }) =>
  postMessage({
    "in the inner worker": data,
    "one more than granted": outcomeOf(() => new Worker(file)),
    "one more than granted of worker_threads": outcomeOf(() => new ThreadWorker(file)),
  });
