// A function file: the default export is called with the JSON of --input, and what it returns is printed as JSON.
//
//   secure-bun run --policy function examples/add.ts --input '{"a":1,"b":2}'
//
// prints 3. The preset `function` grants nothing but computing.

export default ({ a, b }: { a: number; b: number }) => a + b;
