// A script: it runs from top to bottom as under `bun run`, with arguments, and is not called.
//
//   secure-bun run --policy examples/word-count.json examples/word-count.ts
//   secure-bun run --policy examples/word-count.json examples/word-count.ts /etc/hostname
//
// The first counts the words of a text in examples/texts, which its policy grants; the second is refused.

import { join } from "node:path";

const path = process.argv[2] ?? join(import.meta.dir, "texts", "lighthouse.txt");
const words = (await Bun.file(path).text()).split(/\s+/).filter(Boolean);

console.log(`${words.length} words, ${new Set(words.map((word) => word.toLowerCase())).size} of them different`);
