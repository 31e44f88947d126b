// Another thread changes the port of an address while it is connected to. Prints whether the other port was reached.
import { Worker, isMainThread, workerData } from "node:worker_threads";
import { call } from "./native.ts";

const SYS = { close: 3, socket: 41, connect: 42, getpeername: 52, setsockopt: 54 };
const swapped = (port: number) => ((port & 255) << 8) | (port >> 8);

if (isMainThread) {
  const [granted, other] = process.argv.slice(2).map(Number);
  const shared = new SharedArrayBuffer(16);
  new Uint8Array(shared).set([2, 0, granted! >> 8, granted! & 255, 127, 0, 0, 1]);
  const worker = new Worker(import.meta.path, { workerData: [shared, granted, other] });
  await new Promise((resolve) => worker.once("message", resolve));
  let [good, wrong] = [0, 0];
  const end = Date.now() + 5000;
  const address = new Uint8Array(shared);
  for (let tries = 0; tries < 5000 && Date.now() < end && wrong === 0; tries++) {
    const fd = call(SYS.socket, 2, 1, 0);
    const peer = new Uint8Array(16);
    if (call(SYS.connect, fd, address, 16) === 0 && call(SYS.getpeername, fd, peer, new Uint32Array([16])) === 0) {
      const port = (peer[2]! << 8) | peer[3]!;
      if (port === granted) good++;
      if (port === other) wrong++;
    }
    // No port of this machine is kept for a while.
    call(SYS.setsockopt, fd, 1, 13, new Int32Array([1, 0]), 8);
    call(SYS.close, fd);
  }
  console.log(wrong > 0 ? "the other was reached" : good > 0 ? "never the other" : "nobody was reached");
  process.exit();
} else {
  const { parentPort } = await import("node:worker_threads");
  const [shared, granted, other] = workerData as [SharedArrayBuffer, number, number];
  const port = new Uint16Array(shared, 2, 1);
  parentPort!.postMessage("begins");
  for (;;) {
    for (let i = 0; i < 1000; i++) Atomics.store(port, 0, swapped(other));
    for (let i = 0; i < 1000; i++) Atomics.store(port, 0, swapped(granted));
  }
}
