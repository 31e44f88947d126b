// A function that oversteps its policy.
//
//   secure-bun run --policy function --json examples/read-passwd.ts
//
// answers `"ok":false`, the SecurityError, and the denial with the rule that decided and what would allow it.
// The refusal is the kernel's: inside the sandbox there is no /etc/passwd. The error only explains it.

import fs from "fs";

export default () => fs.readFileSync("/etc/passwd", "utf8");
