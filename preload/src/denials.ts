// Denial frames: each refused act once, its repetitions counted, all of it bounded.
import { isHeard, send } from "./channel.ts";
import type { Denial, Site } from "./error.ts";
import { mapGet, mapSet } from "./late-primordials.ts";
import { substring } from "./primordials.ts";
import { quote } from "./quote.ts";
import { callerOf, originOf } from "./stack.ts";
import { details } from "./table.ts";

/** A program that is refused more different things than this is not explained by a longer list. */
const MAX_DISTINCT = 100;
/** What the kernel takes for a path at most. */
export const MAX_RESOURCE_LENGTH = 4096;

interface Entry {
  readonly json: string;
  count: number;
}

const seen = new Map<string, Entry>();
const others: Entry = { json: `{"dropped":true`, count: 0 };
let distinct = 0;

/** Tells the launcher about an act that a guard refused. */
export function reportDenial(denial: Denial, { api, entry }: Site): void {
  report(denial, api, () => callerOf(entry));
}

/** Tells it about one that the kernel refused, as an error says. */
export function reportFailure(denial: Denial, error: object): void {
  report(denial, "native", () => originOf(error));
}

function report(denial: Denial, api: string, place: () => string | null): void {
  if (!isHeard() || !details().report) return;
  const resource =
    denial.resource === null ? "null" : quote(substring(denial.resource, 0, MAX_RESOURCE_LENGTH));
  const key = `${denial.permission} ${resource}`;
  let entry = mapGet(seen, key) as Entry | undefined;
  if (entry === undefined) {
    if (distinct === MAX_DISTINCT) entry = others;
    else {
      const found = place();
      const at = found === null ? "null" : quote(substring(found, 0, MAX_RESOURCE_LENGTH));
      entry = {
        json: `{"permission":"${denial.permission}","resource":${resource},"api":${quote(api)},"at":${at}`,
        count: 0,
      };
      mapSet(seen, key, entry);
      distinct++;
    }
  }
  entry.count++;
  // At 1, 2, 4, 8 …: a loop over a refused act must not flood the channel. The launcher keeps the last count.
  if ((entry.count & (entry.count - 1)) === 0) send("denial", `${entry.json},"count":${entry.count}}`);
}
