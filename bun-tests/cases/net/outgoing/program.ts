// Connections to a server of the program itself under bare Bun; behind the preload they are refused before.
import dns from "node:dns";
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import net from "node:net";
import tls from "node:tls";
import { attempt, called, event } from "../../attempt.ts";

const bare = (globalThis as any).SecurityError === undefined;
const server = bare
  ? Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: answer, websocket: { message() {} } })
  : undefined;
const port = server?.port ?? 8080;
const url = `http://127.0.0.1:${port}/`;

function answer(request: Request, own: Bun.Server<undefined>): Response | undefined {
  return own.upgrade(request) ? undefined : new Response("ok");
}

/** Whether a connection got so far that the other side did not understand. */
async function reaches(act: Promise<unknown>): Promise<void> {
  await act.catch((error) => {
    if (error instanceof ((globalThis as any).SecurityError ?? Array)) throw error;
  });
}

await attempt("fetch", () => fetch(url));
await attempt("fetch of a Request", () => fetch(new Request(url)));
await attempt("fetch of a URL", () => fetch(new URL(url)));
await attempt("http.get", () => event(http.get(url), "response"));
await attempt("http.request with options", () =>
  event(http.request({ host: "127.0.0.1", port }).end(), "response"),
);
await attempt("https.get", () => reaches(event(https.get(`https://127.0.0.1:${port}/`), "response")));
await attempt("http2.connect", () => reaches(event(http2.connect(url), "connect", "close")));
await attempt("net.connect", async () => {
  const socket = net.connect(port, "127.0.0.1");
  await event(socket, "connect");
  socket.destroy();
});
await attempt("tls.connect", () => reaches(event(tls.connect(port, "127.0.0.1"), "secureConnect")));
await attempt("Bun.connect", async () => {
  const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
  socket.end();
});
await attempt("new WebSocket", async () => {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
  await new Promise((resolve, reject) => Object.assign(socket, { onopen: resolve, onerror: reject }));
  socket.close();
});
await attempt("dns.lookup", () => called((done) => dns.lookup("localhost", done)));
await attempt("dns.promises.lookup", () => dns.promises.lookup("localhost"));
await attempt("data: URLs", async () => (await fetch("data:text/plain,x")).text());
await attempt("blob: URLs", async () => (await fetch(URL.createObjectURL(new Blob(["x"])))).text());
process.exit();
