import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { pageParts, withPart } from "./config-pages.js";

describe("made from the declarations of fields (npm run config:write)", () => {
  it.each(pageParts().map((part) => [part.page, part.name, part] as const))("%s: %s", (page, _name, part) => {
    const content = readFileSync(new URL(`../${page}`, import.meta.url), "utf8");
    expect(withPart(content, part)).toBe(content);
  });
});
