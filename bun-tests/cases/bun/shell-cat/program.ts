// Bun's shell without other programs: `cat` of plain files is answered in-process.
import { attempt } from "../../attempt.ts";

const expect = (value: unknown, wanted: unknown) => {
  if (value !== wanted) throw new Error(`${String(value)} is not ${String(wanted)}`);
};

await attempt("cat of a word", async () =>
  expect(await Bun.$`cat readable/file.txt`.text(), "content of readable"),
);
await attempt("cat of a value", async () => {
  const name = "file.txt";
  expect(await Bun.$`cat readable/${name}`.text(), "content of readable");
});
await attempt("cat of two files", async () =>
  expect((await Bun.$`cat readable/file.txt ${"readable/file.txt"}`.text()).length, 38),
);
await attempt("builtins", async () => {
  await Bun.$`mkdir -p granted/s && echo hello > granted/s/f`.quiet();
  expect(await Bun.$`cat granted/s/f`.text(), "hello\n");
  await Bun.$`rm -rf granted/s`.quiet();
});
await attempt("cat outside", async () =>
  expect(await Bun.$`cat outside/file.txt`.text(), "content of outside"),
);
