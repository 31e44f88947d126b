// What the guards remember of a path that was allowed holds for that path, that permission and that folder alone.
import fs from "node:fs";
import { attempt, called } from "../../attempt.ts";

const times = 3;

async function again(name: string, act: () => unknown): Promise<void> {
  for (let time = 1; time <= times; time++) await attempt(`${name}, ${time}`, act);
}

await again("reading what is granted", () => fs.readFileSync("readable/file.txt"));
await again("reading what is not", () => fs.readFileSync("outside/file.txt"));
await attempt("writing to what was read", () => fs.writeFileSync("readable/file.txt", "changed"));
await attempt("opening what was read", () => fs.closeSync(fs.openSync("readable/file.txt")));
await attempt("opening it for writing", () => fs.closeSync(fs.openSync("readable/file.txt", "r+")));
await attempt("opening it for writing by number", () =>
  fs.closeSync(fs.openSync("readable/file.txt", fs.constants.O_RDWR)),
);

await again("arguments in between", () =>
  called((done) => fs.writeFile("granted/new.txt", "text", { mode: 0o600 }, done)),
);
await again("none but the path", () => fs.statSync("granted/file.txt").size);
await again("too few arguments", () => {
  try {
    (fs.readFile as (path: string) => void)("granted/file.txt");
  } catch (error) {
    if ((error as { code?: string }).code === "ERR_INVALID_ARG_TYPE") return;
    throw error;
  }
});

await again("many paths, before", () => fs.existsSync("granted/file.txt"));
for (let index = 0; index < 3000; index++) fs.existsSync(`granted/${index}`);
await again("many paths, after", () => fs.readFileSync("granted/file.txt"));
await again("many paths, and what is not granted", () => fs.readFileSync("outside/file.txt"));

await again("a file object of what may be read", () => Bun.file("readable/file.txt").text());
await again("writing to it", () => Bun.file("readable/file.txt").write("changed"));
await again("writing to a part of it", () => Bun.file("readable/file.txt").slice(1).write("changed"));
await again("a file object of what may be written", () => Bun.file("granted/file.txt").write("changed"));
await again("a file object of neither", () => Bun.file("outside/file.txt").text());
await again("a file object of what has its place from the root", () =>
  Bun.file(`${process.cwd()}/readable/file.txt`).text(),
);

const { has } = Set.prototype;
Set.prototype.has = () => true;
await attempt("a set that has everything", () => fs.readFileSync("outside/file.txt", "utf8"));
Set.prototype.has = has;

process.chdir("granted");
await again("writing to a name in a granted folder", () => fs.writeFileSync("file.txt", "changed"));
process.chdir("../readable");
await again("the same name in another one", () => fs.writeFileSync("file.txt", "changed"));
process.chdir("../granted");
await again("back in the first one", () => fs.writeFileSync("file.txt", "changed"));
