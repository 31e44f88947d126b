// The workloads of `scripts/bench net`, and the server that they talk to.
//   bun net.ts --serve                           prints its three ports; ends with its standard input
//   bun net.ts WORKLOAD MILLISECONDS HTTP ECHO BROKERED
import { connect } from "node:net";
import { measure, type Workload } from "./rates.ts";

const [http, echo, brokered] = process.argv.slice(4).map(Number);
const url = `http://127.0.0.1:${http}`;
/** What the launcher requests, where it is not bare Bun. */
const brokeredUrl = `http://127.0.0.1:${brokered}`;
const LARGE = 64 << 20;

function serve(): void {
  const large = new Uint8Array(LARGE);
  const web = () =>
    Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: (request) => new Response(new URL(request.url).pathname === "/large" ? large : "hello"),
    });
  const raw = Bun.listen({
    port: 0,
    hostname: "127.0.0.1",
    socket: { open: (socket) => void socket.end("hello"), data: () => {} },
  });
  console.log(`${web().port} ${raw.port} ${web().port}`);
  process.stdin.on("end", () => process.exit()).resume();
}

/** One connection: made, greeted, closed. */
const greet = (port: number | undefined) =>
  new Promise<number>((resolve, reject) => {
    const socket = connect(port ?? 0, "127.0.0.1");
    let bytes = 0;
    socket.on("data", (part) => (bytes += part.length)).on("close", () => resolve(bytes));
    socket.on("error", reject);
  });

const get = async (path: string, keepalive: boolean, from = url) =>
  (await (await fetch(from + path, { keepalive })).arrayBuffer()).byteLength;

const WORKLOADS: Record<string, Workload> = {
  "one connection": () => greet(echo),
  "20 connections at once": async () =>
    (await Promise.all(Array.from({ length: 20 }, () => greet(echo)))).length,
  "a request on a new connection": () => get("/", false),
  "a request on a kept connection": () => get("/", true),
  "20 requests at once on kept connections": async () =>
    (await Promise.all(Array.from({ length: 20 }, () => get("/", true)))).length,
  "a body of 64 MB": () => get("/large", true),
  "a request through the launcher": () => get("/", true, brokeredUrl),
  "20 requests at once through the launcher": async () =>
    (await Promise.all(Array.from({ length: 20 }, () => get("/", true, brokeredUrl)))).length,
  "a body of 64 MB through the launcher": () => get("/large", true, brokeredUrl),
};

if (process.argv[2] === "--serve") serve();
else await measure(WORKLOADS);
