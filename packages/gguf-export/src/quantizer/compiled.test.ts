import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { compiledSource } from "../../compile-assembly.js";

// Seconds: the compiler is large.
it("compiled.ts is what `npm run assembly` makes of the sources", async () => {
  const committed = readFileSync(new URL("compiled.ts", import.meta.url), "utf8");
  expect((await compiledSource()) === committed).toBe(true); // not toBe: a difference would print 25 kB
});
