import { excerpt, FormatError } from "@kto/core";
import type { DecoderConfig } from "./config.js";

/** A norm of a decoder layer: one f32 for each channel of the residual stream. */
export interface NormPart {
  /** Below the path of its layer. */
  readonly path: string;
}

/** A linear layer of a decoder layer. */
export interface Projection extends NormPart {
  /** inFeatures */
  from(config: DecoderConfig): number;
  /** outFeatures */
  to(config: DecoderConfig): number;
  readonly hasBias: boolean;
  /** peft adapts it where a config names no modules. */
  readonly isDefaultTarget: boolean;
}

/** The parts of a decoder layer by the names that `decoderLayer` knows them by, in the order of the forward pass. */
export interface LayerParts {
  readonly inputLayernorm: NormPart;
  readonly qProj: Projection;
  readonly kProj: Projection;
  readonly vProj: Projection;
  readonly oProj: Projection;
  readonly postAttentionLayernorm: NormPart;
  readonly gateProj: Projection;
  readonly upProj: Projection;
  readonly downProj: Projection;
}

/** The `model_type` of a family, and its checkpoints in words. */
export interface ModelFamily {
  readonly modelType: string;
  /** For messages: which published checkpoints these are. */
  readonly checkpoints: string;
}

/** All that tells one decoder family from another: how its config.json reads, and what its tensors are called. */
export interface DecoderArchitecture extends ModelFamily {
  readConfig(json: unknown, source: string): DecoderConfig;
  /** `config.json` as transformers writes it. */
  writeConfig(config: DecoderConfig): Record<string, unknown>;
  /** Path of the input embedding. */
  readonly embedding: string;
  /** Path of the list of layers. */
  readonly layers: string;
  readonly layer: LayerParts;
  /** Path of the norm after the last layer. */
  readonly norm: string;
  /** Path of the output head, which a tied model has no tensor for. */
  readonly outputEmbedding: string;
}

/**
 * The family of a parsed config.json, by its `model_type`, and its fields.
 * Throws FormatError for what is no JSON object or names another family, with the list of those there are.
 */
export function familyOf<Family extends ModelFamily>(
  json: unknown,
  source: string,
  families: readonly Family[],
): { family: Family; fields: Record<string, unknown> } {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new FormatError(`config: ${source} is not a JSON object; expected the config.json of a model`, { source });
  }
  const fields = json as Record<string, unknown>;
  const family = families.find(({ modelType }) => modelType === fields.model_type);
  if (family) return { family, fields };
  const expected = families.map(({ modelType }) => JSON.stringify(modelType)).join(" or ");
  throw new FormatError(
    `config: ${source}: unsupported architecture; expected model_type ${expected}, got ${excerpt(fields.model_type ?? null)}; ${families.map(({ checkpoints }) => checkpoints).join(", ")} checkpoints can be read`,
    { source },
  );
}
