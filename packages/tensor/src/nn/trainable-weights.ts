import type { Store } from "@kto/core";
import type { CausalLM } from "./causal-lm.js";
import type { ParameterBucket } from "./parameter-bucket.js";

/** Every weight of a model, to be trained: `trainable` of a `CausalLM` whose weights lie in buckets. */
export interface TrainableWeights {
  /** All weights in f32 by the names they have on disk, in the model's order within a bucket; a tied head is no weight of its own. The model owns them. */
  readonly buckets: readonly ParameterBucket[];
  /**
   * This model with other weights: what it computes is what it would compute, had its own buckets these contents.
   *
   * @param buckets  one `like` each of `buckets`; they stay their owner's, and the model owns nothing, so that it ends with them and with this one
   */
  withWeights(buckets: readonly ParameterBucket[]): CausalLM;
  /** Writes config.json and the weights as they are now, in f32, in Hugging Face layout. Throws as `Store` does. */
  save(store: Store): Promise<void>;
}
