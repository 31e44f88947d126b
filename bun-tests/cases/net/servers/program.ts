import dgram from "node:dgram";
import http from "node:http";
import net from "node:net";
import { attempt, event } from "../../attempt.ts";

await attempt("Bun.serve", () => Bun.serve({ port: 0, fetch: () => new Response() }).stop());
await attempt("Bun.listen", () =>
  Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } }).stop(),
);
await attempt("http.Server", () => event(http.createServer().listen(0, "127.0.0.1"), "listening"));
await attempt("net.Server", () => event(net.createServer().listen(0, "127.0.0.1"), "listening"));
await attempt("Bun.udpSocket", async () => (await Bun.udpSocket({})).close());
await attempt("dgram", () => event(dgram.createSocket("udp4").bind(0), "listening"));
process.exit();
