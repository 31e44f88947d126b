// What the tests request. It tells each request in a line, and ends with its standard input.
let calls = 0;

const routes: Record<string, (request: Request, url: URL) => Response | Promise<Response>> = {
  "/echo": async (request) =>
    Response.json({ method: request.method, url: request.url, headers: Object.fromEntries(request.headers), body: await request.text() }),
  "/redirect": (_, url) =>
    new Response("elsewhere", { status: Number(url.searchParams.get("status") ?? 302), headers: { location: url.searchParams.get("to")! } }),
  "/round": () => new Response(null, { status: 302, headers: { location: "/round" } }),
  "/gzip": () => new Response(Bun.gzipSync("unpacked once"), { headers: { "content-encoding": "gzip" } }),
  "/empty": () => new Response(null, { status: 204, statusText: "Nothing Here" }),
  "/download": (_, url) => new Response(chunks(Number(url.searchParams.get("mb")))),
  "/upload": async (request) => {
    let bytes = 0;
    for await (const chunk of request.body!) bytes += chunk.length;
    return new Response(String(bytes));
  },
  "/long": () => new Response("x".repeat(5000)),
  "/never": () => new Response(
      new ReadableStream({
        start: (controller) => controller.enqueue(new Uint8Array(10)),
        cancel: () => console.log("cancelled"),
      }),
    ),
};

function chunks(megabytes: number): ReadableStream {
  let left = megabytes;
  return new ReadableStream({
    pull(controller) {
      if (left-- > 0) controller.enqueue(new Uint8Array(1 << 20));
      else controller.close();
    },
  });
}

const { TLS_CERT, TLS_KEY } = process.env;
const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  idleTimeout: 30,
  tls: TLS_CERT ? { cert: TLS_CERT, key: TLS_KEY } : undefined,
  fetch(request, server) {
    const url = new URL(request.url);
    calls++;
    console.log(JSON.stringify({ method: request.method, path: url.pathname + url.search, headers: Object.fromEntries(request.headers) }));
    if (url.pathname === "/socket" && server.upgrade(request)) return;
    return (routes[url.pathname] ?? (() => new Response(`number ${calls}`)))(request, url);
  },
  websocket: { message: (socket, message) => void socket.send(message) },
});
console.log(server.port);
for await (const _ of Bun.stdin.stream());
process.exit(0);
