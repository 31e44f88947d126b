// A table for unit tests of modules that read it when they load. To be imported first.
import { policyOf } from "../harness.ts";

(globalThis as any)[Symbol.for("secure-bun.table")] = {
  v: 1,
  channel: null,
  call: null,
  context: null,
  shell: false,
  freeze: false,
  fork: null,
  grants: { net: false, listen: false, fetch: false, run: false, workers: false },
  env_hide: [],
  details: JSON.stringify({
    cwd: process.cwd(),
    policy: policyOf({}),
    report: false,
    own_loopback: true,
    secrets: {},
    preload: ["/run/secure-bun/policy.js", "/run/secure-bun/preload.js"],
  }),
};
