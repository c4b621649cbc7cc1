import { loraConfig } from "@kto/lora";
import { expect, it } from "vitest";
import { adapterDifferences, settingDifferences } from "./differences.js";

const config = loraConfig({ r: 8, loraAlpha: 16, targetModules: ["q_proj"], baseModelNameOrPath: "owner/small" });

it("another base model, strength or dropout is told; dropout that is off, or a model without a name, is not", () => {
  const of = (now: Partial<typeof config>, disableDropout = true): unknown =>
    adapterDifferences(config, { ...config, ...now }, { disableDropout });
  expect(of({})).toEqual([]);
  expect(of({ baseModelNameOrPath: "owner/other" })).toEqual([{ field: "baseModelNameOrPath", before: "owner/small", now: "owner/other" }]);
  expect(of({ baseModelNameOrPath: null })).toEqual([]);
  expect(of({ loraAlpha: 32, loraDropout: 0.1 })).toEqual([{ field: "loraAlpha", before: 16, now: 32 }]);
  expect(of({ loraDropout: 0.1 }, false)).toEqual([{ field: "loraDropout", before: 0, now: 0.1 }]);
});

it("another method is told, unless the checkpoint is from before methods were kept", () => {
  const of = (before: string | undefined): unknown =>
    settingDifferences({ method: before, numRows: 8, numRanks: 1, args: {} }, { method: "orpo", numRows: 8, numRanks: 1, args: {} });
  expect(of("orpo")).toEqual([]);
  expect(of("dpo")).toEqual([{ field: "method", before: "dpo", now: "orpo" }]);
  expect(of(undefined)).toEqual([]);
});
