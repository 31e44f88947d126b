import fs from "node:fs";
import { promisify } from "node:util";
import { open, readFile, stat } from "fs/promises";
import { attempt, called, event } from "../../attempt.ts";

const secret = "outside/file.txt";
const absolute = fs.existsSync(secret) ? fs.realpathSync(secret) : `${process.cwd()}/${secret}`;

// Reading, in each style of the API.
await attempt("readFileSync", () => fs.readFileSync(secret));
await attempt("readFile", () => called((done) => fs.readFile(secret, done)));
await attempt("promisified readFile", () => promisify(fs.readFile)(secret));
await attempt("promises.readFile", () => fs.promises.readFile(secret));
await attempt("an import of fs/promises", () => readFile(secret));
await attempt("statSync", () => fs.statSync(secret));
await attempt("promises.stat", () => stat(secret));
await attempt("lstat", () => called((done) => fs.lstat(secret, done)));
await attempt("readdirSync", () => fs.readdirSync("outside"));
await attempt("opendirSync", () => fs.opendirSync("outside").closeSync());
await attempt("openSync", () => fs.closeSync(fs.openSync(secret, "r")));
await attempt("promises.open", async () => (await open(secret)).close());
await attempt("createReadStream", () =>
  called((done) =>
    fs
      .createReadStream(secret)
      .on("error", done)
      .on("data", () => done()),
  ),
);
await attempt("realpathSync", () => fs.realpathSync(secret));
await attempt("realpathSync.native", () => fs.realpathSync.native(secret));
await attempt("openAsBlob", async () => (await fs.openAsBlob(secret)).text());
await attempt("globSync", () => fs.globSync("*", { cwd: "outside" }));

// Each kind of path.
await attempt("a Buffer", () => fs.readFileSync(Buffer.from(secret)));
await attempt("a Uint8Array", () => fs.readFileSync(new TextEncoder().encode(secret)));
await attempt("an ArrayBuffer", () => fs.readFileSync(new TextEncoder().encode(secret).buffer as never));
await attempt("a DataView", () =>
  fs.readFileSync(new DataView(new TextEncoder().encode(secret).buffer) as never),
);
await attempt("a String object", () => fs.readFileSync(new String(secret) as string));
await attempt("a URL", () => fs.readFileSync(new URL(`file://${absolute}`)));
await attempt("dots", () => fs.readFileSync("granted/.././outside//file.txt"));

// Changing things.
await attempt("writeFileSync", () => fs.writeFileSync(secret, "x"));
await attempt("appendFile", () => called((done) => fs.appendFile(secret, "x", done)));
await attempt("openSync to write", () => fs.closeSync(fs.openSync(secret, "r+")));
await attempt("openSync with flags", () => fs.closeSync(fs.openSync(secret, fs.constants.O_RDWR)));
await attempt("createWriteStream", () => {
  const stream = fs.createWriteStream("outside/new");
  stream.end("x");
  return event(stream, "finish");
});
await attempt("a write to what may be read", () => fs.writeFileSync("readable/file.txt", "x"));
await attempt("mkdirSync", () => fs.mkdirSync("outside/folder"));
await attempt("promises.mkdir", () => fs.promises.mkdir("outside/folder2"));
await attempt("mkdtempSync", () => fs.mkdtempSync("outside/temp-"));
await attempt("copyFileSync out", () => fs.copyFileSync("granted/file.txt", "outside/copy"));
await attempt("copyFileSync in", () => fs.copyFileSync(secret, "granted/copy"));
await attempt("linkSync", () => fs.linkSync(secret, "granted/link"));
await attempt("symlinkSync", () => fs.symlinkSync("file.txt", "outside/symlink"));
await attempt("chmodSync", () => fs.chmodSync(secret, 0o600));
await attempt("utimesSync", () => fs.utimesSync(secret, 0, 0));
await attempt("truncateSync", () => fs.truncateSync(secret, 1));
await attempt("renameSync", () => fs.renameSync("granted/file.txt", "outside/moved"));
await attempt("rmdirSync", () => fs.rmdirSync("outside/folder"));
await attempt("unlinkSync", () => fs.unlinkSync(secret));
await attempt("rmSync", () => fs.rmSync("outside", { recursive: true }));
