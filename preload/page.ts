// Writes docs/apis.md, what preload/apis.json says for readers: `bun preload/page.ts`.
import { join } from "node:path";
import { apis, bun, groups } from "./apis.json";

const target = join(import.meta.dir, "..", "docs", "apis.md");

interface Row {
  api: string;
  class: string;
  permission: string | null;
  policy: string;
  style: string | null;
  kernel: string | null;
  note?: string;
  untried?: string;
}

const SECTIONS: readonly [title: string, kinds: readonly string[]][] = [
  ["Files", ["filesystem"]],
  ["Network", ["network"]],
  ["Processes and threads", ["process"]],
  ["Native code, and code from text", ["native"]],
  ["What the machine tells", ["leak"]],
];

const STYLES: Readonly<Record<string, string>> = {
  throw: "throws",
  reject: "rejects",
  callback: "calls back",
  event: "`error` event",
};

const POLICIES: Readonly<Record<string, string>> = {
  guarded: "guarded",
  harmless: "nothing",
  kernel: "nothing but what the kernel does",
  limited: "limits",
  sandboxed: "shows the sandbox",
};

/** The page. */
export function page(): string {
  const sections = SECTIONS.map(([title, kinds]) => {
    const rows = (apis as Row[]).filter((row) => kinds.includes(row.class));
    return `### ${title}\n\n${table(["API", "Permission", "A refusal", "Without the guards"], rows.map(cells))}`;
  });
  const others = groups.map((group) => [
    group.of === "globalThis" ? "globals" : group.of === "modules" ? "modules" : code(group.of),
    group.class,
    POLICIES[group.policy]!,
    `${group.why}${"same" in group ? `: those of ${group.same}` : ""}: ${group.names.split(" ").map(code).join(" ")}`,
  ]);
  return `<!-- Generated from preload/apis.json by scripts/generate. -->

# Every API, and what a policy does to it

All that Bun ${bun} offers a program: each property of \`Bun\`, each global, each member of \`process\`, each module, and the members of the modules that reach the system. A test fails when a version of Bun has one that is not here.

## What reaches the system

*A refusal* is a \`SecurityError\` with \`permission\`, \`resource\`, \`rule\` and \`fix\`, in the style of that API; where it says "the kernel's", there is no guard, and the program sees what stands in the last column. That column is what the kernel answers when the guards are left out: the error's code, or else its name. It refuses by itself; where it says "works", what keeps the act harmless is said beside it. A test tries each row in four ways: under bare Bun, where it works; with the guards; without them; and, for files and what else can be granted, with a grant, where it works again. A few rows say why they are not tried.

A guard costs a start a little, so it is set only where the text of the program, or of what it imports from its own folder, can ask for what it guards; a program that imports packages can ask for all modules. A few powers that are costly to look at (\`Bun.sql\`, \`Bun.redis\`, \`Bun.s3\`, …) are guarded where those texts mention them, and not where only a package does. A program that hides a name, say \`globalThis["B" + "un"]\`, meets the kernel: it loses the explanation and gains nothing.

${sections.join("\n\n")}

## Everything else

${table(["Of", "Class", "What the policy does", "Names"], others)}
`;
}

function cells(row: Row): string[] {
  return [code(row.api), row.permission ?? "", refusal(row), alone(row)];
}

function refusal({ policy, style }: Row): string {
  if (policy === "answered") return "as if it did not exist";
  return policy === "guarded" ? (STYLES[style ?? ""] ?? "") : "the kernel's";
}

function alone({ kernel, note, untried }: Row): string {
  if (kernel === null) return `not tried: ${untried}`;
  const answer = /^[A-Z]\w+$/.test(kernel) ? code(kernel) : kernel === "nothing" ? "finds nothing" : kernel;
  return note === undefined ? answer : `${answer}: ${note}`;
}

function table(head: string[], rows: string[][]): string {
  const line = (row: string[]) => `| ${row.join(" | ")} |`;
  return [head, head.map(() => "---"), ...rows].map(line).join("\n");
}

function code(text: string): string {
  return `\`${text}\``;
}

if (import.meta.main) await Bun.write(target, page());
