// Run once per Bun binary, confined: each switch that the sandbox relies on must do what it should.
const wrong = [];
const check = (what, holds) => holds || wrong.push(what);
let compiled = true;
try {
  new Function("return 1")();
} catch {
  compiled = false;
}
check("--disallow-code-generation-from-strings", !compiled);
check("BUN_JSC_useShadowRealm=0", typeof ShadowRealm === "undefined");
check("--no-addons", (() => {
  try {
    process.dlopen({ exports: {} }, "/nonexistent.node");
    return false;
  } catch (error) {
    return !String(error?.message).includes("nonexistent");
  }
})());
console.log(wrong.length === 0 ? `secure-bun probe ok ${Bun.version}` : `these do not work: ${wrong.join(", ")}`);
