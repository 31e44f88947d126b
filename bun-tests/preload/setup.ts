// A table for unit tests of modules that read it when they load. To be imported first.
import { policyOf } from "../harness.ts";

(globalThis as any)[Symbol.for("secure-bun.table")] = {
  v: 1,
  cwd: process.cwd(),
  policy: policyOf({}),
  channel: null,
  report: false,
  call: null,
  preload: ["/run/secure-bun/policy.js", "/run/secure-bun/preload.js"],
  context: null,
  js: { freeze: "none" },
  tmp: "/tmp",
  env_hide: [],
};
