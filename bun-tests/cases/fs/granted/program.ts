import fs from "node:fs";
import { attempt, called } from "../../attempt.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const expect = (value: unknown, wanted: unknown) => {
  if (value !== wanted) throw new Error(`${String(value)} is not ${String(wanted)}`);
};
const readable = "readable/file.txt";
const content = "content of readable";

await attempt("readFileSync", () => expect(fs.readFileSync(readable, "utf8"), content));
await attempt("readFile", async () =>
  expect(String(await called((done) => fs.readFile(readable, done))), content),
);
await attempt("promises.readFile", async () => expect(await fs.promises.readFile(readable, "utf8"), content));
await attempt("a FileHandle", async () => {
  const handle = await fs.promises.open(readable);
  expect(await fs.promises.readFile(handle, "utf8"), content);
  await handle.close();
});
await attempt("a descriptor", () => {
  const descriptor = fs.openSync(readable, "r");
  expect(fs.readFileSync(descriptor, "utf8"), content);
  expect(fs.fstatSync(descriptor).size, content.length);
  fs.closeSync(descriptor);
});
await attempt("a Buffer", () => expect(fs.readFileSync(Buffer.from(readable), "utf8"), content));
await attempt("a Uint8Array", () => expect(fs.readFileSync(bytes(readable), "utf8"), content));
await attempt("a String object", () =>
  expect(fs.readFileSync(new String(readable) as string, "utf8"), content),
);
await attempt("a URL", () =>
  expect(fs.readFileSync(new URL(`file://${process.cwd()}/${readable}`), "utf8"), content),
);
await attempt("a stream", async () => {
  let text = "";
  for await (const part of fs.createReadStream(readable)) text += part;
  expect(text, content);
});
await attempt("readdirSync", () => expect(fs.readdirSync("readable").join(), "file.txt"));
await attempt("existsSync", () => expect(fs.existsSync(readable), true));
await attempt("accessSync", () => fs.accessSync(readable));
await attempt("realpathSync.native", () =>
  expect(fs.realpathSync.native(readable), `${process.cwd()}/${readable}`),
);
await attempt("writing, reading back, renaming, removing", () => {
  fs.mkdirSync("granted/deep/er", { recursive: true });
  fs.writeFileSync("granted/deep/er/new", "new");
  fs.renameSync("granted/deep/er/new", "granted/moved");
  expect(fs.readFileSync("granted/moved", "utf8"), "new");
  fs.rmSync("granted/deep", { recursive: true });
});
await attempt("copying from what may be read", () => fs.copyFileSync(readable, "granted/copy"));
await attempt("/dev/null", () => {
  fs.writeFileSync("/dev/null", "x");
  expect(fs.readFileSync("/dev/null", "utf8"), "");
});
await attempt("Bun.file", async () => expect(await Bun.file(readable).text(), content));
await attempt("Bun.file as JSON", async () => {
  await Bun.write("granted/data.json", "[1]");
  expect((await Bun.file("granted/data.json").json())[0], 1);
});
await attempt("Bun.write of a file", () => Bun.write("granted/copy2", Bun.file(readable)));
await attempt("Bun.file().writer", async () => {
  const writer = Bun.file("granted/written").writer();
  writer.write("x");
  await writer.end();
});
await attempt("a mistake", () => {
  try {
    fs.readFileSync(undefined as never);
  } catch (error) {
    expect((error as { code: string }).code, "ERR_INVALID_ARG_TYPE");
  }
});
await attempt("what is missing", () => {
  try {
    fs.readFileSync("readable/missing");
  } catch (error) {
    expect((error as { code: string }).code, "ENOENT");
  }
});
