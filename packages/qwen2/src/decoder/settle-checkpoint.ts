import type { Checkpoint, TensorReader } from "@kto/safetensors";
import type { DecoderArchitecture } from "./architecture.js";
import type { DecoderConfig } from "./config.js";
import { expectWeights } from "./expect-weights.js";
import { settleTying } from "./tied-head.js";
import { decoderWeightSpecs, type WeightSpec } from "./weight-specs.js";

/** A checkpoint as a model of its config takes it. */
export interface SettledCheckpoint {
  /** Tensors under the names of `specs`. */
  readonly reader: TensorReader;
  /** `tieWordEmbeddings` as the weights say it. */
  readonly config: DecoderConfig;
  /** What the model takes of it, in the order of the forward pass. */
  readonly specs: readonly WeightSpec[];
}

/** Looks at the weights of a checkpoint: whether head and embedding are one, and that all are there in the shapes of the config. Throws as `expectWeights`. */
export async function settleDecoder(
  checkpoint: Checkpoint,
  architecture: DecoderArchitecture,
  configured: DecoderConfig,
  signal?: AbortSignal,
): Promise<SettledCheckpoint> {
  const { reader, tieWordEmbeddings } = await settleTying(checkpoint, architecture, configured, signal);
  const config = { ...configured, tieWordEmbeddings };
  const specs = decoderWeightSpecs(architecture, config);
  expectWeights(reader, specs);
  return { reader, config, specs };
}
