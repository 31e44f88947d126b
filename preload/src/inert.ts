// The protocol of calls without any guard, for the tests that ask the kernel alone: a debug build of the launcher can
// stage it in the guards' place.
import { hello } from "./channel.ts";
import { arrangeCall } from "./entry.ts";
import { defineConstant } from "./primordials.ts";
import { BROKERED, table } from "./table.ts";

if (table.hello) hello();
if (table.grants.fetch) {
  const { fetch } = Bun;
  defineConstant(fetch, BROKERED, fetch);
}
arrangeCall();
