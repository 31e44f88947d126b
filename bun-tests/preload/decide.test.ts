// The cases that the Rust side runs too. Permissions that only the launcher and the kernel judge are left to it.
import "./setup.ts";
import { describe, expect, test } from "bun:test";
import cases from "../../launcher/policy/cases/decisions.json";
import tables from "../../launcher/policy/cases/tables.json";
import { decide } from "../../preload/src/decide.ts";
import { absolute } from "../../preload/src/paths.ts";
import { explain, fixFor } from "../../preload/src/explain.ts";
import type { Permission, PreloadTable } from "../../preload/src/generated/policy.ts";

const DECIDED_HERE: readonly string[] = [
  "read",
  "write",
  "env",
  "sys",
  "workers",
  "ffi",
  "run",
  "net",
  "listen",
  "eval",
  "wasm",
];

interface Case {
  policy: string;
  permission: Permission;
  resource: string | null;
  allowed: boolean;
  rule: string;
  fix: string | null;
  message: string | null;
}

const shared = (cases.cases as unknown as Case[]).filter(({ permission }) =>
  DECIDED_HERE.includes(permission),
);

describe("the shared table of cases", () => {
  for (const { policy, permission, resource, allowed, rule, fix, message } of shared)
    test(`${policy}: ${permission} ${resource}`, () => {
      const table = (tables as unknown as Record<string, PreloadTable>)[policy]!;
      // The guards make paths absolute before they ask.
      const isPath = permission === "read" || permission === "write";
      const asked = isPath
        ? absolute(resource!.startsWith("/") ? resource! : `${cases.places.cwd}/${resource}`)
        : resource;
      const verdict = decide(table, permission, asked);
      expect(verdict).toEqual({ allowed, rule });
      if (allowed) return;
      expect(fixFor(permission, resource, rule)).toBe(fix ?? "");
      expect(explain(permission, resource, rule)).toBe(message!);
    });

  test("has cases of each permission", () => {
    for (const permission of DECIDED_HERE)
      expect(shared.map((each) => each.permission as string)).toContain(permission);
  });
});
