import { file, write } from "bun";
import { attempt } from "../../attempt.ts";

const secret = "outside/file.txt";

await attempt("making a file object", () => Bun.file(secret));
await attempt("text", () => Bun.file(secret).text());
await attempt("an import of file", () => file(secret).text());
await attempt("bytes", () => Bun.file(secret).bytes());
await attempt("stream", () => new Response(Bun.file(secret).stream()).text());
await attempt("stat", () => Bun.file(secret).stat());
await attempt("a slice", () => Bun.file(secret).slice(0, 3).text());
await attempt("a path of bytes", () => Bun.file(Buffer.from(secret)).text());
await attempt("a URL", () => Bun.file(new URL(`file://${process.cwd()}/${secret}`)).text());
await attempt("fetch of a file URL", async () => (await fetch(`file://${process.cwd()}/${secret}`)).text());
await attempt("Bun.write", () => Bun.write("outside/new", "x"));
await attempt("an import of write", () => write("outside/new", "x"));
await attempt("Bun.write to a file object", () => Bun.write(Bun.file("outside/new"), "x"));
await attempt("Bun.write from a file object", () => Bun.write("granted/copy", Bun.file(secret)));
await attempt("Bun.write to what may be read", () => Bun.write("readable/file.txt", "x"));
await attempt("write", () => Bun.file("outside/new").write("x"));
await attempt("writer", () => Bun.file("outside/new").writer().end());
await attempt("delete", () => Bun.file("outside/new").delete());
await attempt("mmap", () => Bun.mmap(secret));
