// An internet: names with changing answers, and servers on all of its addresses. Runs a command in it.
//   bun internet.mjs ZONE QUESTIONS COMMAND…
// ZONE is JSON: each name's answers, one list of addresses after the other; the last one stays. `*.` begins a name
// that stands for all below it. At port 8125, datagrams are sent back after the address; the file `datagrams` gets a line
// for each. With `key.pem` and `cert.pem` in the working directory, there is HTTPS as well. QUESTIONS is the file that gets a line for each question: its name.
import dgram from "node:dgram";
import fs from "node:fs";
import http from "node:http";
import https from "node:https";
import { spawn } from "node:child_process";

const [zoneFile, questionsFile, ...command] = process.argv.slice(2);
const zone = JSON.parse(fs.readFileSync(zoneFile, "utf8"));
fs.writeFileSync(questionsFile, "");
fs.writeFileSync("datagrams", "");

const HOSTS = ["93.184.216.34", "93.184.216.35", "10.0.0.5", "169.254.169.254", "2606:4700::1", "fd00::5", "127.0.0.1"];
const A = 1;
const AAAA = 28;

const v6 = (address) => {
  const [head, tail] = address.split("::").map((part) => part.split(":").filter(Boolean));
  const middle = Array(8 - head.length - (tail?.length ?? 0)).fill("0");
  return Buffer.from([...head, ...middle, ...(tail ?? [])].map((part) => part.padStart(4, "0")).join(""), "hex");
};
const bytes = (address) => (address.includes(":") ? v6(address) : Buffer.from(address.split(".").map(Number)));

// The questions for a name's IPv4 and IPv6 addresses get the same answer.
const asked = new Map();
function addresses(name, type) {
  const wildcard = name.replace(/^[^.]+/, "*");
  const answers = zone[name] ?? zone[wildcard];
  if (!answers) return null;
  const key = `${name} ${type}`;
  const turn = asked.get(key) ?? 0;
  asked.set(key, turn + 1);
  return answers[Math.min(turn, answers.length - 1)];
}

function answer(question) {
  const labels = [];
  let at = 12;
  for (let length = question[at]; length > 0; length = question[at]) {
    labels.push(question.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  const name = labels.join(".").toLowerCase();
  const type = question.readUInt16BE(at + 1);
  fs.appendFileSync(questionsFile, `${name}\n`);
  const found = addresses(name, type);
  const wanted = (found ?? []).filter((address) => type === (address.includes(":") ? AAAA : A));
  const header = Buffer.alloc(12);
  question.copy(header, 0, 0, 2);
  header.writeUInt16BE(found ? 0x8180 : 0x8183, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(wanted.length, 6);
  const records = wanted.map((address) => {
    const data = bytes(address);
    return Buffer.concat([Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 0, 0, data.length]), data]);
  });
  return Buffer.concat([header, question.subarray(12, at + 5), ...records]);
}

const names = dgram.createSocket("udp4");
names.on("message", (question, from) => names.send(answer(question), from.port, from.address));
await new Promise((ready) => names.bind(53, "127.0.0.1", ready));

// Says which host it is, and what it was asked for; redirects to what follows `/to/`; takes requests for others, as a
// proxy does.
const respond = (host) => (request, response) => {
  const to = request.url.split("/to/")[1];
  if (to) return response.writeHead(302, { location: decodeURIComponent(to) }).end();
  response.end(`${host} ${request.headers.host} ${request.url}`);
};
const listen = (server, port, host) =>
  new Promise((ready, fail) => server.on("error", fail).listen(port, host, ready));
const tls = fs.existsSync("cert.pem") && { key: fs.readFileSync("key.pem"), cert: fs.readFileSync("cert.pem") };
for (const host of HOSTS) {
  await listen(http.createServer(respond(host)), 80, host);
  if (tls) await listen(https.createServer(tls, respond(host)), 443, host);
  // Some have closed their socket before the answer.
  const echo = dgram.createSocket(host.includes(":") ? "udp6" : "udp4").on("error", () => {});
  echo.on("message", (message, from) => {
    fs.appendFileSync("datagrams", `${host} ${message.length > 100 ? message.length : message}\n`);
    echo.send(`${host} ${message}`, from.port, from.address);
  });
  await new Promise((ready) => echo.bind(8125, host, ready));
}

const child = spawn(command[0], command.slice(1), { stdio: "inherit" });
child.on("error", (error) => (console.error(error.message), process.exit(1)));
child.on("exit", (code, signal) => process.exit(signal ? 1 : code));
