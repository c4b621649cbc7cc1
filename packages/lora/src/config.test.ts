import { describe, expect, it } from "vitest";
import { LoraConfigError, loraConfig, type LoraConfig } from "./index.js";

it("has peft's defaults, and a task", () => {
  expect(loraConfig()).toEqual({
    r: 8,
    loraAlpha: 8,
    loraDropout: 0,
    modulesToSave: null,
    useRslora: false,
    targetModules: null,
    excludeModules: null,
    layersToTransform: null,
    layersPattern: null,
    rankPattern: {},
    alphaPattern: {},
    initLoraWeights: true,
    bias: "none",
    baseModelNameOrPath: null,
    revision: null,
    taskType: "CAUSAL_LM",
  });
});

it("keeps what it is given, undefined being the default", () => {
  expect(loraConfig({ r: 16, loraAlpha: undefined, targetModules: ["q_proj"] })).toMatchObject({
    r: 16,
    loraAlpha: 8,
    targetModules: ["q_proj"],
  });
});

describe("refuses", () => {
  const make =
    (options: object): (() => LoraConfig) =>
    () =>
      loraConfig(options);

  it.each([
    [{ r: 0 }, "r"],
    [{ r: 1.5 }, "r"],
    [{ r: "8" }, "r"],
    [{ loraAlpha: 0 }, "loraAlpha"],
    [{ loraAlpha: Number.NaN }, "loraAlpha"],
    [{ loraDropout: 1 }, "loraDropout"],
    [{ loraDropout: -0.1 }, "loraDropout"],
    [{ useRslora: "yes" }, "useRslora"],
    [{ targetModules: [] }, "targetModules"],
    [{ targetModules: ["q_proj", 3] }, "targetModules"],
    [{ targetModules: "" }, "targetModules"],
    [{ layersToTransform: [-1] }, "layersToTransform"],
    [{ rankPattern: { q_proj: 0 } }, "rankPattern"],
    [{ rankPattern: ["q_proj"] }, "rankPattern"],
    [{ alphaPattern: { q_proj: "1" } }, "alphaPattern"],
    [{ initLoraWeights: "pissa" }, "initLoraWeights"],
    [{ bias: "all" }, "bias"],
    [{ taskType: "SEQ_CLS" }, "taskType"],
    [{ useDora: true }, "useDora"],
    [{ modulesToSave: [] }, "modulesToSave"],
    [{ loraBias: true }, "loraBias"],
    [{ layerReplication: [[0, 2]] }, "layerReplication"],
    [{ targetModules: ".*q_proj", layersToTransform: [0] }, "layersToTransform"],
    [{ targetModules: ["q_proj"], layersPattern: "layers" }, "layersPattern"],
  ])("%j, naming %s", (options, field) => {
    expect(make(options)).toThrow(LoraConfigError);
    expect(make(options)).toThrow(expect.objectContaining({ code: "LORA_CONFIG", field }) as Error);
    expect(make(options)).toThrow(field);
  });

  it("a field there is not, naming the nearest", () => {
    expect(make({ loraAlhpa: 16 })).toThrow('loraConfig: there is no field "loraAlhpa"; did you mean loraAlpha?');
    expect(make({ lora_alpha: 16 })).toThrow("did you mean loraAlpha?");
    expect(make({ temperature: 1 })).toThrow("expected one of r, loraAlpha");
  });
});

it("passes over fields of peft that are off or say nothing here", () => {
  const options = { useDora: false, modulesToSave: null, loftqConfig: {}, inferenceMode: false };
  expect(loraConfig(options as Partial<LoraConfig>)).toEqual(loraConfig());
});
