/** What LoRA needs to know of a base layer: y = x · Wᵀ (+ bias), W [outFeatures, inFeatures], in whatever form it is stored. */
export interface LinearModule {
  readonly inFeatures: number;
  readonly outFeatures: number;
}

/** What LoRA needs to know of a model to find its targets. */
export interface ModuleTree {
  /** `model_type` of its config.json; picks the default targets. */
  readonly modelType: string;
  /** Path of the output embedding, which "all-linear" leaves out. */
  readonly outputEmbedding: string | null;
  /** Every module with its dotted path (`model.layers.0.self_attn.q_proj`), in the model's order. */
  namedModules(): Iterable<readonly [path: string, module: unknown]>;
}

/** True for anything that says how many features go in and come out. */
export function isLinearModule(module: unknown): module is LinearModule {
  if (typeof module !== "object" || module === null) return false;
  const { inFeatures, outFeatures } = module as Partial<LinearModule>;
  return typeof inFeatures === "number" && typeof outFeatures === "number";
}
