import { describe, expect, it } from "vitest";
import { qwen2Tree, tinySizes } from "./testing/qwen2-tree.js";
import { countLoraParameters, loraConfig, LoraTargetError, resolveTargets, type LoraConfig } from "./index.js";

const model = qwen2Tree(tinySizes);
const pathsOf = (options: Partial<LoraConfig>): string[] => resolveTargets(model, loraConfig(options)).targets.map(({ path }) => path);
const seven = ["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"];

it("a list matches whole names and dotted suffixes, in the model's order", () => {
  expect(pathsOf({ targetModules: ["v_proj", "q_proj"] })).toEqual(
    [0, 1].flatMap((i) => [`model.layers.${i}.self_attn.q_proj`, `model.layers.${i}.self_attn.v_proj`]),
  );
  expect(pathsOf({ targetModules: ["self_attn.q_proj"] })).toHaveLength(2);
  expect(pathsOf({ targetModules: ["model.layers.0.mlp.up_proj"] })).toEqual(["model.layers.0.mlp.up_proj"]);
});

it("a string is a regular expression over the whole name", () => {
  expect(pathsOf({ targetModules: String.raw`.*layers\.1\.(self_attn\.[qo]_proj|mlp\.down_proj)` })).toEqual([
    "model.layers.1.self_attn.q_proj",
    "model.layers.1.self_attn.o_proj",
    "model.layers.1.mlp.down_proj",
  ]);
  expect(() => pathsOf({ targetModules: "q_proj" })).toThrow(LoraTargetError);
});

it.each(["all-linear", "All-Linear"])("%s is every linear layer but the output embedding, saved as a list", (targetModules) => {
  const { targets, config } = resolveTargets(model, loraConfig({ targetModules }));
  expect(targets).toHaveLength(14);
  expect(config.targetModules).toEqual(seven);
});

it("all-linear says whole paths where a last name is the output embedding's too", () => {
  const linear = { inFeatures: 2, outFeatures: 2 };
  const modules = [
    ["block.head", linear],
    ["block.proj", linear],
    ["head", linear],
  ] as const;
  const tree = { modelType: "other", outputEmbedding: "head", namedModules: () => modules };
  const { targets, config } = resolveTargets(tree, loraConfig({ targetModules: "all-linear" }));
  expect(config.targetModules).toEqual(["block.head", "proj"]);
  expect(targets.map(({ path }) => path)).toEqual(["block.head", "block.proj"]);
});

it("null is the model's own default, and nothing for a model that has none", () => {
  expect(resolveTargets(model, loraConfig()).config.targetModules).toEqual(["q_proj", "v_proj"]);
  const other = { ...model, modelType: "mamba", defaultTargetModules: undefined };
  expect(() => resolveTargets(other, loraConfig())).toThrow('no default targets for the model type "mamba"');
});

it("excludeModules takes away, by list or expression", () => {
  expect(pathsOf({ targetModules: seven, excludeModules: ["mlp.up_proj", "model.layers.0.self_attn.q_proj"] })).toHaveLength(11);
  expect(pathsOf({ targetModules: seven, excludeModules: String.raw`model\.layers\.0\..*` })).toHaveLength(7);
});

describe("layersToTransform", () => {
  const linear = { inFeatures: 2, outFeatures: 2 };
  const paths = [
    "model.layers.1.proj",
    "model.layers.10.proj",
    "model.blocks.1.proj",
    "layers.1.proj",
    "model.layers.2.experts.1.proj",
    "proj",
  ];
  const tree = { modelType: "x", outputEmbedding: null, namedModules: () => paths.map((path) => [path, linear] as const) };
  const chosen = (options: Partial<LoraConfig>): string[] =>
    resolveTargets(tree, loraConfig({ targetModules: ["proj"], ...options })).targets.map(({ path }) => path);

  it("counts the first number after two names", () => {
    expect(chosen({ layersToTransform: 1 })).toEqual(["model.layers.1.proj", "model.blocks.1.proj", "proj"]);
    expect(chosen({ layersToTransform: [2, 10] })).toEqual(["model.layers.10.proj", "model.layers.2.experts.1.proj", "proj"]);
  });

  it("or the one after layersPattern", () => {
    expect(chosen({ layersToTransform: [1], layersPattern: "layers" })).toEqual(["model.layers.1.proj", "layers.1.proj", "proj"]);
    expect(chosen({ layersToTransform: [1], layersPattern: ["blocks", "experts"] })).toEqual([
      "model.blocks.1.proj",
      "model.layers.2.experts.1.proj",
      "proj",
    ]);
    expect(chosen({ layersToTransform: [2], layersPattern: ["layers", "experts"] })).toEqual(["model.layers.2.experts.1.proj", "proj"]);
    expect(() => chosen({ layersToTransform: [2], layersPattern: ["experts", "layers"] })).toThrow('layersToTransform "2"'); // experts.1 comes first
  });

  it("does not hold back a module that is named in full", () => {
    expect(chosen({ targetModules: ["model.layers.10.proj", "blocks.1.proj"], layersToTransform: [1] })).toEqual([
      "model.layers.10.proj",
      "model.blocks.1.proj",
    ]);
  });
});

describe("patterns", () => {
  const targetOf = (path: string, options: Partial<LoraConfig>) =>
    resolveTargets(model, loraConfig({ targetModules: seven, r: 8, loraAlpha: 16, ...options })).targets.find(
      (target) => target.path === path,
    )!;

  it("override r and alpha, and scale is alpha over r of the patterns", () => {
    const options = { rankPattern: { q_proj: 3, "layers.1.mlp.up_proj": 5 }, alphaPattern: { q_proj: 9 } };
    expect(targetOf("model.layers.0.self_attn.q_proj", options)).toMatchObject({ r: 3, scale: 3 });
    expect(targetOf("model.layers.1.mlp.up_proj", options)).toMatchObject({ r: 5, scale: 16 / 5 });
    expect(targetOf("model.layers.0.mlp.up_proj", options)).toMatchObject({ r: 8, scale: 2 });
  });

  it("the first key that matches wins", () => {
    expect(targetOf("model.layers.0.self_attn.q_proj", { rankPattern: { ".*_proj": 2, q_proj: 3 } }).r).toBe(2);
  });

  it("rank-stabilised scale is alpha over the root of r", () => {
    expect(targetOf("model.layers.0.self_attn.q_proj", { useRslora: true, r: 16 }).scale).toBe(4);
  });
});

it("the tutorial's adapter has 18,464,768 parameters in 196 layers", () => {
  const large = qwen2Tree({
    hidden_size: 1536,
    intermediate_size: 8960,
    num_hidden_layers: 28,
    num_attention_heads: 12,
    num_key_value_heads: 2,
  });
  const { targets } = resolveTargets(large, loraConfig({ r: 16, loraAlpha: 16, targetModules: "all-linear" }));
  expect(targets).toHaveLength(196);
  expect(countLoraParameters(targets)).toBe(18_464_768);
});

describe("errors", () => {
  const resolve =
    (options: Partial<LoraConfig>): (() => unknown) =>
    () =>
      resolveTargets(model, loraConfig(options));

  it("nothing matches: the names there are, and the nearest", () => {
    expect(resolve({ targetModules: ["q_porj"] })).toThrow(
      'resolveTargets: targetModules match no module; expected among down_proj, gate_proj, k_proj, o_proj, q_proj, up_proj, v_proj, got ["q_porj"]; did you mean q_proj?',
    );
    expect(resolve({ targetModules: ["proj"] })).toThrow(expect.objectContaining({ code: "LORA_TARGET", candidates: seven }) as Error);
  });

  it("everything excluded, or in other layers", () => {
    expect(resolve({ targetModules: ["q_proj"], excludeModules: ["q_proj"] })).toThrow(
      'excludeModules ["q_proj"] left nothing of the 2 modules',
    );
    expect(resolve({ targetModules: ["q_proj"], layersToTransform: [7] })).toThrow("layersToTransform [7] left nothing of the 2 modules");
  });

  it.each([
    [["lm_head", "q_proj"], '"lm_head" matches targetModules and is no linear layer that can carry an adapter'],
    [["embed_tokens"], '"model.embed_tokens" matches targetModules and is no linear layer that can carry an adapter'],
    [["q_proj", "embed_tokens", "model.norm"], '"model.embed_tokens", "model.norm" match targetModules and are no linear layers'],
    [".*(q_proj|embed_tokens)", '"model.embed_tokens" matches targetModules'],
    [".*", "match targetModules and are no linear layers that can carry an adapter; expected among down_proj"],
    [["0"], '"model.layers.0" matches targetModules'],
  ])("matches that are no linear layer: %j", (targetModules, message) => expect(resolve({ targetModules })).toThrow(message));

  it.each<[string, Partial<LoraConfig>, string[], RegExp]>([
    [
      "a target beside others",
      { targetModules: ["q_proj", "c_attn"] },
      ["c_attn"],
      /an entry matches nothing of the model: targetModules "c_attn"; expected targets among down_proj/,
    ],
    [
      "several, with what was meant",
      { targetModules: ["q_proj", "k_porj", "wo"] },
      ["k_porj", "wo"],
      /2 entries match nothing .*"k_porj" \(did you mean k_proj\?\), "wo"/,
    ],
    ["a comma that stayed", { targetModules: ["q_proj,", "v_proj"] }, ["q_proj,"], /"q_proj," \(did you mean q_proj\?\)/],
    ["two names in one entry", { targetModules: ["q_proj, k_proj", "v_proj"] }, ["q_proj, k_proj"], /"q_proj, k_proj"/],
    [
      "a layer that there is not, by path",
      { targetModules: ["q_proj", "model.layers.2.mlp.up_proj"] },
      ["model.layers.2.mlp.up_proj"],
      /layers\.2\.mlp\.up_proj/,
    ],
    ["the end of a name", { targetModules: ["q_proj", "proj"] }, ["proj"], /targetModules "proj"/],
    [
      "an exclusion",
      { targetModules: seven, excludeModules: ["up_proj", "lm_haed"] },
      ["lm_haed"],
      /excludeModules "lm_haed" \(did you mean lm_head\?\)/,
    ],
    ["an excluding expression", { targetModules: seven, excludeModules: ".*c_attn" }, [".*c_attn"], /excludeModules "\.\*c_attn"/],
    [
      "a layer's number",
      { targetModules: seven, layersToTransform: [1, 2, 7] },
      ["2", "7"],
      /2 entries match nothing of the model: layersToTransform "2", "7"/,
    ],
    [
      "a list of layers",
      { targetModules: seven, layersToTransform: [1], layersPattern: ["layers", "blocks"] },
      ["blocks"],
      /layersPattern "blocks"/,
    ],
    ["a rank", { targetModules: ["q_proj"], rankPattern: { q_proj: 2, k_proj: 4 } }, ["k_proj"], /rankPattern "k_proj"/],
    [
      "an alpha",
      { targetModules: ["q_proj"], alphaPattern: { "layers.[23].self_attn.q_proj": 2 } },
      ["layers.[23].self_attn.q_proj"],
      /alphaPattern/,
    ],
    ["of several fields", { targetModules: ["q_proj", "x"], alphaPattern: { y: 2 } }, ["x", "y"], /targetModules "x" and alphaPattern "y"/],
  ])("what matches nothing is refused, and passed over in a saved adapter: %s", (_what, options, unmatched, message) => {
    expect(resolve(options)).toThrow(message);
    expect(resolve(options)).toThrow(expect.objectContaining({ code: "LORA_TARGET", unmatched }) as Error);
    const { config, targets } = resolveTargets(model, loraConfig(options), { isSaved: true });
    expect(targets.length).toBeGreaterThan(0);
    expect([config.targetModules].flat()).not.toContain(unmatched[0]);
  });

  it("an exclusion may name what no target matches, and all-linear leaves out the head by itself", () =>
    expect(
      resolveTargets(model, loraConfig({ targetModules: "all-linear", excludeModules: ["lm_head", "embed_tokens"] })).targets,
    ).toHaveLength(14));
});
