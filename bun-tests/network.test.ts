// Guards of the network where something of it is granted: what is not is refused in the style of each API, all else is
// left to the launcher, which is not there in these tests: an address that nobody can connect to stands for the host.
import { expect, test } from "bun:test";
import { runGuarded } from "./harness.ts";
import type { Grants } from "./harness.ts";
import { withProgram } from "./programs.ts";

const HOST = "255.255.255.255";
const DEADLINE_MS = 30_000;

/** Each API, as an expression, with the style of its refusal. */
const CONNECTIONS: Readonly<Record<string, readonly [act: string, style: string]>> = {
  fetch: ["fetch('http://HOST:9/')", "rejects"],
  "fetch of a Request": ["fetch(new Request('http://HOST:9/'))", "rejects"],
  "fetch through a proxy": ["fetch('http://other.test/', { proxy: 'http://HOST:9' })", "rejects"],
  "fetch.preconnect": ["fetch.preconnect('http://HOST:9/')", "throws"],
  WebSocket: ["new WebSocket('ws://HOST:9/')", "throws"],
  "Bun.connect": ["Bun.connect({ hostname: 'HOST', port: 9, socket: { data() {} } })", "rejects"],
  "net.connect": ["net.connect(9, 'HOST')", "event"],
  "net.Socket": ["new net.Socket().connect({ port: 9, host: 'HOST' })", "event"],
  "tls.connect": ["tls.connect(9, 'HOST')", "event"],
  "http.get": ["http.get('http://HOST:9/')", "event"],
  "http.request": ["http.request({ host: 'HOST', port: 9 }).end()", "event"],
  "http.ClientRequest": ["new http.ClientRequest('http://HOST:9/').end()", "event"],
  "https.get": ["https.get('https://HOST:9/')", "event"],
  "http2.connect": ["http2.connect('http://HOST:9/')", "event"],
  "undici.fetch": ["undici.fetch('http://HOST:9/')", "rejects"],
  "undici.request": ["undici.request('http://HOST:9/')", "rejects"],
  "undici.WebSocket": ["new undici.WebSocket('ws://HOST:9/')", "throws"],
  "ws.WebSocket": ["new ws('ws://HOST:9/')", "event"],
  "Bun.SQL": ["new Bun.SQL('postgres://HOST:9/x', { connectionTimeout: 1 })`select 1`", "rejects"],
  "Bun.RedisClient": ["new Bun.RedisClient('redis://HOST:9', { maxRetries: 0 }).get('x')", "rejects"],
  "Bun.S3Client": ["new Bun.S3Client({ ...s3, endpoint: 'http://HOST:9' }).list()", "rejects"],
  "Bun.S3Client.list": ["Bun.S3Client.list(null, { ...s3, endpoint: 'http://HOST:9' })", "rejects"],
  "Bun.S3Client.file": ["new Bun.S3Client({ ...s3, endpoint: 'http://HOST:9' }).file('k').text()", "rejects"],
  "Bun.s3.file": ["Bun.s3.file('k', { ...s3, endpoint: 'http://HOST:9' }).text()", "rejects"],
};

const DATAGRAMS: typeof CONNECTIONS = {
  "Bun.udpSocket": ["Bun.udpSocket({ connect: { hostname: 'HOST', port: 9 } })", "rejects"],
  "its send": ["Bun.udpSocket({}).then((socket) => socket.send('x', 9, 'HOST'))", "rejects"],
  "its sendMany": ["Bun.udpSocket({}).then((socket) => socket.sendMany(['x', 9, 'HOST']))", "rejects"],
  "dgram.connect": ["failure((socket, told) => socket.connect(9, 'HOST', told))", "rejects"],
  "dgram.connect without a callback": ["failure((socket) => socket.connect(9, 'HOST'))", "rejects"],
  "dgram.send": ["failure((socket, told) => socket.send('x', 9, 'HOST', told))", "rejects"],
  "dgram.send of a part": ["failure((socket, told) => socket.send('xyz', 1, 1, 9, 'HOST', told))", "rejects"],
  "dgram.send without a callback": ["failure((socket) => socket.send('x', 9, 'HOST'))", "rejects"],
};

const SERVERS: typeof CONNECTIONS = {
  "Bun.serve": ["Bun.serve({ hostname: 'HOST', port: 9, fetch: () => new Response() })", "throws"],
  "Bun.listen": ["Bun.listen({ hostname: 'HOST', port: 9, socket: { data() {} } })", "throws"],
  "net.Server": ["net.createServer().listen(9, 'HOST')", "event"],
  "http.Server": ["http.createServer().listen(9, 'HOST')", "event"],
  "https.Server": ["https.createServer().listen(9, 'HOST')", "event"],
  "http2.Server": ["http2.createServer().listen(9, 'HOST')", "event"],
};

const PROLOGUE = `
import dgram from "node:dgram"; import dns from "node:dns"; import http from "node:http"; import http2 from "node:http2";
import https from "node:https"; import net from "node:net"; import tls from "node:tls";
import undici from "undici"; import ws from "ws";
const s3 = { bucket: "b", accessKeyId: "x", secretAccessKey: "y" };
const isRefusal = (error) => error instanceof (globalThis.SecurityError ?? Array);
async function attempt(name, act) {
  let style = "throws";
  try {
    const made = act();
    style = "rejects";
    if (made?.once !== undefined) {
      style = "event";
      await new Promise((resolve, reject) => {
        made.once("error", reject);
        for (const event of ["close", "connect", "response", "listening", "open"]) made.once(event, resolve);
        setTimeout(resolve, 1000);
      });
    } else await Promise.race([made, Bun.sleep(1000)]);
    console.log(name + ": passes");
  } catch (error) {
    console.log(name + ": " + (isRefusal(error) ? [style, error.permission, error.resource].join(" ") : "passes"));
  }
}
const failure = (act) => new Promise((told, failed) => {
  const socket = dgram.createSocket("udp4").on("error", failed);
  act(socket, (error) => (error ? failed(error) : told()));
  setTimeout(told, 500);
});
process.on("uncaughtException", () => {});
`;

async function outcomes(acts: typeof CONNECTIONS, grants: Grants): Promise<string[]> {
  const lines = Object.entries(acts).map(
    ([name, [act]]) => `await attempt(${JSON.stringify(name)}, () => ${act.replaceAll("HOST", HOST)});`,
  );
  const source = `${PROLOGUE}${lines.join("\n")}\nprocess.exit(0);`;
  const ended = await withProgram(source, (program) => runGuarded(program, grants, { mentions: MENTIONS }));
  expect(ended.stderr).toBe("");
  return ended.stdout.trimEnd().split("\n");
}

const MENTIONS = ["dgram", "RedisClient", "S3Client", "SQL", "dns", "s3", "undici", "ws"];

test(
  "connections that are not granted are refused, others pass",
  async () => {
    const names = Object.keys(CONNECTIONS);
    const refused = names.map((name) => `${name}: ${CONNECTIONS[name]![1]} net ${HOST}:9`);
    expect(await outcomes(CONNECTIONS, { net: ["other.test:80", `${HOST}:10-20`] })).toEqual(refused);
    // A grant to listen is none to connect.
    expect(await outcomes(CONNECTIONS, { listen: ["*:9"] })).toEqual(refused);
    const passes = names.map((name) => `${name}: passes`);
    expect(await outcomes(CONNECTIONS, { net: ["other.test:80", `${HOST}:9`] })).toEqual(passes);
  },
  DEADLINE_MS,
);

test(
  "datagrams that are not granted are refused, others pass from a connected socket",
  async () => {
    const names = Object.keys(DATAGRAMS);
    const refused = names.map((name) => `${name}: rejects net udp://${HOST}:9`);
    expect(await outcomes(DATAGRAMS, { net: [`${HOST}:9`, `udp://${HOST}:10-20`] })).toEqual(refused);
    expect(await outcomes(DATAGRAMS, {})).toEqual([
      ...refused.slice(0, 1),
      // Without a network of their own there is nothing to send with.
      ...refused.slice(1, 3).map((line) => line.replace(`udp://${HOST}:9`, "0.0.0.0:0")),
      ...refused.slice(3),
    ]);
    const passes = names.map((name) => `${name}: passes`);
    expect(await outcomes(DATAGRAMS, { net: [`udp://${HOST}:9`] })).toEqual(passes);
  },
  DEADLINE_MS,
);

test("datagrams of a socket without a peer reach nobody outside, and say so", async () => {
  const source = `
import dgram from "node:dgram";
const told = (error) => console.log(error.code, error.message);
dgram.createSocket("udp4").send("x", 9, "${HOST}", told);
const socket = await Bun.udpSocket({});
for (const act of [() => socket.send("x", 9, "${HOST}"), () => socket.sendMany(["x", 9, "${HOST}"])])
  try { act(); } catch (error) { told(error); }
console.log(socket.send("x", socket.port, "127.0.0.1"), socket.sendMany(["x", socket.port, "127.0.0.1"]));
process.exit(0);
`;
  const ended = await withProgram(source, (program) =>
    runGuarded(program, { net: [`udp://${HOST}:9`] }, { mentions: MENTIONS }),
  );
  const refusal =
    `ERR_SOCKET_DGRAM_NOT_CONNECTED sending to "udp://${HOST}:9": ` +
    "datagrams leave the sandbox from a connected socket alone. Connect it to that address first";
  expect(ended).toMatchObject({ stdout: `${refusal}\n${refusal}\n${refusal}\ntrue 1\n`, stderr: "" });
});

test(
  "servers that are not granted are refused, others pass",
  async () => {
    const names = Object.keys(SERVERS);
    const refused = names.map((name) => `${name}: ${SERVERS[name]![1]} listen ${HOST}:9`);
    expect(await outcomes(SERVERS, { listen: ["127.0.0.1:9", "*:10"] })).toEqual(refused);
    expect(await outcomes(SERVERS, { net: ["*:*"] })).toEqual(refused);
    expect(await outcomes(SERVERS, { listen: [`${HOST}:9`] })).toEqual(
      names.map((name) => `${name}: passes`),
    );
  },
  DEADLINE_MS,
);

/** All of this stays within a sandbox that has a network of its own. */
const WITHIN = `
const server = Bun.serve({ port: 0, fetch: (request, own) => (own.upgrade(request) ? undefined : new Response("ok")), websocket: { message() {} } });
const { port } = server;
await attempt("fetch", async () => (await fetch("http://127.0.0.1:" + port)).text());
await attempt("fetch of localhost", async () => (await fetch("http://LOCALHOST.:" + port)).text());
await attempt("fetch of an odd spelling", async () => (await fetch("http://0x7f.1:" + port)).text());
await attempt("fetch of a mapped address", async () => (await fetch("http://[::ffff:127.0.0.1]:" + port)).text());
await attempt("http.get", () => http.get("http://127.1:" + port));
await attempt("net.connect", () => net.connect(port, "127.0.0.1"));
await attempt("WebSocket", () => new Promise((onopen, onerror) => Object.assign(new WebSocket("ws://127.0.0.1:" + port), { onopen, onerror })));
await attempt("Bun.listen", () => Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } }).stop(true));
await attempt("net.Server", () => net.createServer().listen(0));
await attempt("net.Server at ::1", () => net.createServer().listen(0, "localhost"));
await attempt("http.Server", () => http.createServer().listen(0));
await attempt("Bun.udpSocket", async () => (await Bun.udpSocket({})).close());
await attempt("dns.lookup", () => dns.promises.lookup("localhost"));
await attempt("dns.lookup of an address", () => dns.promises.lookup("192.0.2.1"));
await attempt("Bun.dns", () => Bun.dns.lookup("localhost"));
process.exit(0);
`;

for (const grants of [{ net: ["granted.test:443"] }, { listen: ["127.0.0.1:4000"] }] satisfies Grants[])
  test(`what stays within the sandbox needs no grant, under ${JSON.stringify(grants)}`, async () => {
    const ended = await withProgram(PROLOGUE + WITHIN, (program) =>
      runGuarded(program, grants, { mentions: MENTIONS }),
    );
    expect(ended.stderr).toBe("");
    const lines = ended.stdout.trimEnd().split("\n");
    expect(lines.filter((line) => !line.endsWith(": passes"))).toEqual([]);
    expect(lines.length).toBe(15);
  });

test("without a network of its own, all of it is refused", async () => {
  const source = `${PROLOGUE}
await attempt("Bun.serve", () => Bun.serve({ port: 0, fetch: () => new Response("ok") }));
await attempt("fetch", () => fetch("http://127.0.0.1:9/"));
await attempt("dns", () => dns.promises.lookup("localhost"));
process.exit(0);`;
  const { stdout } = await withProgram(source, (program) => runGuarded(program, {}, { mentions: MENTIONS }));
  expect(stdout).toBe(
    "Bun.serve: throws listen 0.0.0.0:0\nfetch: rejects net 127.0.0.1:9\ndns: rejects net localhost:443\n",
  );
});

test("names are looked up of which some port is granted, and no others", async () => {
  const source = `${PROLOGUE}
for (const name of ["other.test", "granted.test.other", "x.y.zone.test:1", "192.0.2.1"])
  await attempt(name, () => dns.promises[name[0] === "1" ? "reverse" : "lookup"](name));
await attempt("Bun.dns", () => Bun.dns.lookup("zone.test"));
await attempt("dns.resolve4", () => dns.promises.resolve4("zone.test"));
process.exit(0);`;
  const grants = { net: ["granted.test:8080", "*.zone.test:1-5"] };
  const { stdout } = await withProgram(source, (program) =>
    runGuarded(program, grants, { mentions: MENTIONS }),
  );
  expect(stdout.trimEnd().split("\n")).toEqual([
    "other.test: rejects net other.test:443",
    "granted.test.other: rejects net granted.test.other:443",
    "x.y.zone.test:1: rejects net [x.y.zone.test:1]:443",
    "192.0.2.1: rejects net 192.0.2.1:443",
    "Bun.dns: rejects net zone.test:443",
    "dns.resolve4: rejects net zone.test:443",
  ]);
});

test("what listens at all addresses may listen where one of them is granted", async () => {
  const source = `${PROLOGUE}
const serve = (options) => Bun.serve({ ...options, fetch: () => new Response() }).stop(true);
await attempt("granted", () => serve({ port: 4000 }));
await attempt("granted to localhost", () => serve({ port: 4001, hostname: "::" }));
await attempt("not granted", () => serve({ port: 4002 }));
process.exit(0);`;
  const grants = { listen: ["127.0.0.1:4000", "localhost:4001"] };
  const { stdout } = await withProgram(source, (program) => runGuarded(program, grants));
  expect(stdout).toBe(
    "granted: passes\ngranted to localhost: passes\nnot granted: throws listen 0.0.0.0:4002\n",
  );
});

test("what connects by other means is judged by where it connects", async () => {
  const source = `${PROLOGUE}
const { port } = Bun.serve({ port: 0, fetch: () => new Response("ok") });
const createConnection = () => net.connect(port, "127.0.0.1");
await attempt("own connection", () => http.get("http://other.test/", { createConnection }));
await attempt("own agent", () => http.get("http://other.test/", { agent: Object.assign(new http.Agent(), { createConnection }) }));
const elsewhere = () => net.connect(9, "${HOST}");
await attempt("to elsewhere", () => http.get("http://other.test/", { createConnection: elsewhere }));
process.env.HTTP_PROXY = "http://127.0.0.1:" + port;
await attempt("proxy", () => fetch("http://other.test/"));
process.exit(0);`;
  const grants = { net: ["granted.test:443"] };
  const { stdout } = await withProgram(source, (program) => runGuarded(program, grants));
  expect(stdout).toBe(
    `own connection: passes\nown agent: passes\nto elsewhere: event net ${HOST}:9\nproxy: passes\n`,
  );
});

test("what was allowed to one origin is not allowed to what only looks like it", async () => {
  const source = `${PROLOGUE}
const { port } = Bun.serve({ port: 0, fetch: () => new Response("ok") });
const origin = "http://127.0.0.1:" + port;
await attempt("allowed", () => fetch(origin + "/"));
await attempt("allowed again", () => fetch(origin + "/@other.test/"));
for (const url of [origin + "@other.test/", origin + ".other.test/", "http://other.test/" + origin + "/"])
  await attempt(url.replaceAll(port, "PORT"), () => fetch(url));
await attempt("through a proxy", () => fetch(origin + "/", { proxy: "http://other.test" }));
process.exit(0);`;
  const grants = { net: ["granted.test:443"] };
  const { stdout } = await withProgram(source, (program) => runGuarded(program, grants));
  expect(stdout.trimEnd().split("\n")).toEqual([
    "allowed: passes",
    "allowed again: passes",
    "http://127.0.0.1:PORT@other.test/: rejects net other.test:80",
    // No URL at all: fetch says so.
    "http://127.0.0.1:PORT.other.test/: passes",
    "http://other.test/http://127.0.0.1:PORT/: rejects net other.test:80",
    "through a proxy: rejects net other.test:80",
  ]);
});

test("a guarded WebSocket is still the class", async () => {
  const source = `class Own extends WebSocket {}
try { new Own("ws://other.test"); } catch (error) { console.log(error.resource); }
console.log(WebSocket.name, WebSocket.OPEN, WebSocket.prototype.constructor === WebSocket, fetch.name, fetch.length);`;
  const { stdout } = await withProgram(source, (program) =>
    runGuarded(program, { net: ["granted.test:443"] }),
  );
  expect(stdout).toBe("other.test:80\nWebSocket 1 true fetch 0\n");
});
