/** What can be told of a linear layer without its weights: y = x · Wᵀ (+ bias), W [outFeatures, inFeatures], in whatever form it is stored. */
export interface LinearShape {
  readonly inFeatures: number;
  readonly outFeatures: number;
}

/** A model as the places where adapters can go. */
export interface ModuleTree {
  /** `model_type` of its config.json. */
  readonly modelType: string;
  /** Path of the output embedding, which "all-linear" leaves out. */
  readonly outputEmbedding: string | null;
  /** Last names of the layers that peft adapts in a model of this type when the config names none; undefined where peft knows none. */
  readonly defaultTargetModules?: readonly string[] | undefined;
  /** Every module with its dotted path (`model.layers.0.self_attn.q_proj`), in the model's order. */
  namedModules(): Iterable<readonly [path: string, module: unknown]>;
}
