import {
  boolean,
  booleanOr,
  choice,
  expecting,
  field,
  integer,
  mapOf,
  names,
  number,
  oneOrMore,
  orNull,
  path,
  text,
} from "@kto/core/config";

const module = "a regular expression, a list of at least one name";

/** The fields of LoraConfig: peft's names in camelCase and its defaults, except `taskType`. */
export const loraFields = {
  r: field(integer(1), 8, { group: "adapter", help: "rank: A is [r, in], B is [out, r]" }),
  loraAlpha: field(number({ above: 0 }), 8, { group: "adapter", help: "the branch is scaled by lora_alpha / r" }),
  loraDropout: field(number({ least: 0, below: 1 }), 0, {
    group: "adapter",
    help: "dropout on the input of the branch, in training only",
  }),
  useRslora: field(boolean(), false, { group: "adapter", help: "scales by lora_alpha / √r instead" }),
  targetModules: field(orNull(names(`"all-linear", ${module}`)), null, {
    group: "adapter",
    fate: "different",
    help: "the linear layers that are adapted: names or endings of names, `all-linear`, or a Python regular expression over whole names",
    notes:
      "null is peft's default for the model type: `q_proj`, `v_proj` on qwen2. Written as a sorted list of what is adapted, where peft's order is arbitrary. Entries that match nothing, or no linear layer, are refused in a new adapter and passed over in a saved one. Python expressions with possessive quantifiers, atomic and conditional groups, references to groups or inline flags are refused",
  }),
  excludeModules: field(orNull(names(module)), null, {
    group: "adapter",
    help: "same syntax; what it matches is left alone",
    fate: "different",
    notes: "entries that match no module are refused in a new adapter; peft warns where none does",
  }),
  layersToTransform: field(orNull(oneOrMore(integer(0), "a layer number, a list of at least one")), null, {
    group: "adapter",
    fate: "different",
    help: "numbers of the layers to adapt, null for all; only with a list of `target_modules`",
    notes: "numbers that no layer has are refused in a new adapter",
  }),
  layersPattern: field(orNull(names("a name, a list of at least one")), null, {
    group: "adapter",
    fate: "different",
    help: "name of the list of layers that `layers_to_transform` counts, null for any",
    notes: "a name, not a regular expression; peft takes either",
  }),
  rankPattern: field(
    mapOf(integer(1), "a map of name patterns to integers of at least 1"),
    {},
    {
      group: "adapter",
      fate: "different",
      help: "`r` of modules whose name matches a key",
      notes:
        "the first key that matches wins, so their order is kept on disk; peft sorts them when it saves. Keys that match nothing are refused in a new adapter; peft warns",
    },
  ),
  alphaPattern: field(
    mapOf(number({ above: 0 }), "a map of name patterns to numbers above 0"),
    {},
    { group: "adapter", fate: "different", help: "`lora_alpha` of modules whose name matches a key", notes: "as `rank_pattern`" },
  ),
  initLoraWeights: field(
    expecting(booleanOr("gaussian"), 'true, false or "gaussian" (others rewrite the base weights or need data)'),
    true,
    {
      group: "adapter",
      fate: "different",
      help: 'true: A uniform on ±1/√in, B zero; `"gaussian"`: A normal with deviation 1/r, B zero; false: both random, a test aid',
      notes:
        'the distribution is peft\'s, the random numbers are not torch\'s. `"eva"` and `"orthogonal"` are read as true, since saved weights no longer depend on them. Others change the base weights: refused',
    },
  ),
  modulesToSave: field(orNull(names("a name, a list of at least one")), null, {
    group: "adapter",
    fate: "different",
    help: "embedding or head (`embed_tokens`, `lm_head`), which a saved adapter brings trained in full",
    notes:
      "read, acted on, merged and saved again; not trained: new adapters with it, and training one that has it, are refused, as are other modules",
  }),
  bias: field(expecting(choice(["none"]), '"none" (training biases of the base is not supported)'), "none", {
    group: "adapter",
    fate: "refused",
    help: "other values train biases of the base",
  }),
  baseModelNameOrPath: field(orNull(path("a name, a path")), null, { group: "adapter", help: "for peft to find the base model" }),
  revision: field(orNull(expecting(text(), "a revision")), null, { group: "adapter", help: "of the base model; kept, not used" }),
  taskType: field(expecting(choice(["CAUSAL_LM"]), '"CAUSAL_LM"'), "CAUSAL_LM", {
    group: "adapter",
    fate: "different",
    help: "what the base model is for",
    notes: "peft's default is null; a named task lets peft's AutoModel open the adapter. Others are refused",
  }),
};
