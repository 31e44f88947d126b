// `secrets`, a global: secrets that the program may read, by their names.
import type { Site } from "./error.ts";
import { refusal } from "./error.ts";
import {
  captureStackTrace,
  defineValue,
  freeze,
  getOwnPropertyDescriptor,
  NativeError,
  rejected,
} from "./primordials.ts";
import { details } from "./table.ts";

/** What the program finds as `secrets`. */
export const secrets = freeze({
  /** The value of a secret that the policy grants and that was given. */
  get(name: string): Promise<string> {
    const asked = `${name}`;
    const site: Site = { api: "secrets.get", entry: secrets.get };
    const refused = refusal("secrets", asked, site);
    if (refused !== null) return rejected(refused) as Promise<never>;
    const given = getOwnPropertyDescriptor(details().secrets, asked);
    return given === undefined
      ? (rejected(missing(asked)) as Promise<never>)
      : resolved(given.value as string);
  },
});

async function resolved(value: string): Promise<string> {
  return value;
}

function missing(name: string): Error {
  const error = new NativeError(`the secret "${name}" is granted, but was not given`);
  defineValue(error, "code", "ERR_SECRET_NOT_GIVEN", true);
  captureStackTrace(error, secrets.get);
  return error;
}
