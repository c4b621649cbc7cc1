import { isKtoError } from "@kto/core";
import { describe, expect, it } from "vitest";
import { OptimizerError, optimizerKind, optimizerNames, optimizerNote } from "./index.js";

describe("names of optimizers", () => {
  it.each([
    ["adamw", "adamw"],
    ["adamw_torch", "adamw"],
    ["adamw_torch_fused", "adamw"],
    ["adamw_8bit", "adamw_8bit"],
    ["adamw_bnb_8bit", "adamw_8bit"],
    ["paged_adamw_8bit", "adamw_8bit"],
  ])("%s is %s", (name, kind) => {
    expect(optimizerKind(name)).toBe(kind);
    expect(optimizerNames).toContain(name);
  });

  it("only a paged one has a note", () => {
    expect(optimizerNames.filter((name) => optimizerNote(name))).toEqual(["paged_adamw_8bit"]);
    expect(optimizerNote("paged_adamw_8bit")).toMatch(/^paged_adamw_8bit runs as adamw_8bit/);
  });

  it.each(["sgd", "adafactor", "lion_8bit", "adamw_torch_8bit", "paged_lion_8bit", "adam8bit", "constructor", ""])(
    'refuses "%s" with the list of what there is',
    (name) => {
      for (const asked of [optimizerKind, optimizerNote]) {
        const error = (() => {
          try {
            return asked(name);
          } catch (thrown) {
            return thrown;
          }
        })();
        expect(error).toBeInstanceOf(OptimizerError);
        expect(isKtoError(error)).toBe(true);
        expect(error).toMatchObject({ code: "OPTIMIZER", given: name, names: optimizerNames });
        for (const known of optimizerNames) expect((error as Error).message).toContain(known);
        expect((error as Error).message).toContain(`got "${name}"`);
      }
    },
  );
});
