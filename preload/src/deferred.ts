// Answers that are promises only when somebody waits for them: queries, and commands of Bun's shell. A refused one that
// is a part of another, or is never run, refuses nothing and rejects nowhere.
import { apply, defineValue, NativePromise, rejected } from "./primordials.ts";

const { then, catch: catchOf, finally: finallyOf } = NativePromise.prototype;

/** Something to wait for that fails with what `fail` gives; its `chained` methods give itself, `run` ones wait. */
export function deferred(
  fail: () => Error,
  chained: readonly string[],
  run: readonly string[],
): Record<string, unknown> {
  let failure: Promise<never> | undefined;
  const wait = (): Promise<never> => (failure ??= rejected(fail()));
  const answer: Record<string, unknown> = {};
  defineValue(answer, "then", (...args: unknown[]) => apply(then, wait(), args), false);
  defineValue(answer, "catch", (...args: unknown[]) => apply(catchOf, wait(), args), false);
  defineValue(answer, "finally", (...args: unknown[]) => apply(finallyOf, wait(), args), false);
  for (let index = 0; index < chained.length; index++)
    defineValue(answer, chained[index]!, () => answer, false);
  for (let index = 0; index < run.length; index++) defineValue(answer, run[index]!, wait, false);
  return answer;
}
