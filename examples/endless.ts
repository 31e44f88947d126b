// A function that never ends, and that no timer inside the program could interrupt.
//
//   secure-bun run --policy function --limit wall=500ms examples/endless.ts
//
// ends after half a second with exit status 124 and names the limit, its value and the key that sets it.

export default () => {
  for (;;);
};
