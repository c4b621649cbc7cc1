import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { kernelCatalogue } from "./kernel-catalogue.js";

it("docs/kernels.md is what `npm run kernels:catalogue` writes", () => {
  const root = join(import.meta.dirname, "..");
  expect(readFileSync(join(root, "docs/kernels.md"), "utf8")).toBe(kernelCatalogue(root));
});
