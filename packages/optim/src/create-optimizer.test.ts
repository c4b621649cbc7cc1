import { isKtoError } from "@kto/core";
import { describe, expect, it } from "vitest";
import { OptimizerError, optimizerKind, optimizerNames, optimizerNote, type OptimizerKind } from "./index.js";

/** OptimizerNames of transformers 5.24, and those of its past and of unsloth that stand in people's configs; undefined: refused. */
const transformersNames: Readonly<Record<string, OptimizerKind | undefined>> = {
  adamw_torch: "adamw",
  adamw_torch_fused: "adamw",
  adamw_torch_xla: "adamw",
  adamw_torch_npu_fused: "adamw",
  adafactor: undefined,
  adamw_anyprecision: "adamw",
  adamw_torch_4bit: undefined,
  adamw_torch_8bit: "adamw_8bit",
  ademamix: undefined,
  sgd: undefined,
  adagrad: undefined,
  adamw_bnb_8bit: "adamw_8bit",
  adamw_8bit: "adamw_8bit",
  ademamix_8bit: undefined,
  lion_8bit: undefined,
  lion_32bit: undefined,
  paged_adamw_32bit: "adamw_32bit",
  paged_adamw_8bit: "adamw_8bit",
  paged_ademamix_32bit: undefined,
  paged_ademamix_8bit: undefined,
  paged_lion_32bit: undefined,
  paged_lion_8bit: undefined,
  rmsprop: undefined,
  rmsprop_bnb: undefined,
  rmsprop_bnb_8bit: undefined,
  rmsprop_bnb_32bit: undefined,
  galore_adamw: undefined,
  galore_adamw_8bit: undefined,
  galore_adafactor: undefined,
  galore_adamw_layerwise: undefined,
  galore_adamw_8bit_layerwise: undefined,
  galore_adafactor_layerwise: undefined,
  lomo: undefined,
  adalomo: undefined,
  grokadamw: undefined,
  schedule_free_radam: undefined,
  schedule_free_adamw: undefined,
  schedule_free_sgd: undefined,
  apollo_adamw: undefined,
  apollo_adamw_layerwise: undefined,
  stable_adamw: undefined,
  // not of 5.24
  adamw: "adamw",
  adamw_hf: "adamw",
  adamw_apex_fused: "adamw",
  adamw_bnb: "adamw_8bit", // OptimizerNames.ADAMW_BNB
  adamw_32bit: "adamw_32bit",
  paged_adamw: "adamw_32bit", // OptimizerNames.PAGED_ADAMW
};

describe("names of optimizers", () => {
  it.each(Object.entries(transformersNames))("%s is %s", (name, kind) => {
    if (kind === undefined) expect(() => optimizerKind(name)).toThrow(OptimizerError);
    else expect(optimizerKind(name)).toBe(kind);
  });

  it("every one that is taken is in that list, and says so where it runs as another", () => {
    expect(new Set(optimizerNames)).toEqual(new Set(Object.keys(transformersNames).filter((name) => transformersNames[name])));
    const plain = ["adamw", "adamw_torch", "adamw_torch_fused", "adamw_8bit", "adamw_bnb_8bit", "adamw_bnb", "adamw_32bit"];
    expect(optimizerNames.filter((name) => !optimizerNote(name))).toEqual(plain);
    expect(optimizerNote("paged_adamw_8bit")).toMatch(/^paged_adamw_8bit runs as adamw_8bit: WebGPU has no memory that is paged/);
    expect(optimizerNote("paged_adamw_32bit")).toMatch(/^paged_adamw_32bit runs as adamw_32bit: WebGPU has no memory that is paged/);
  });

  it.each(["sgd", "adafactor", "lion_8bit", "adamw_torch_4bit", "paged_lion_8bit", "adam8bit", "constructor", ""])(
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
