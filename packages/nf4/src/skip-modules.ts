/** Modules that Unsloth leaves in 16 bits when it quantises a model while loading. */
export const defaultSkipModules: readonly string[] = [
  "lm_head",
  "multi_modal_projector",
  "merger",
  "modality_projection",
  "router",
  "mlp.gate",
  "block_sparse_moe.gate",
  "mamba",
  "audio_tower",
  "vision_tower",
  "vision_embedder",
  "embed_vision",
  "embed_audio",
  "score",
  "classifier",
  "qa_outputs",
];

/**
 * True if a module stays in 16 bits: an entry stands for whole components of the dotted path, so that `model.layers.1.mlp` is not `model.layers.11.mlp` and
 * `mlp.gate` is not `mlp.gate_proj`. Without a list only the output embedding, `lm_head`, is left out.
 */
export function isSkipped(modulePath: string, skipModules: readonly string[] | null): boolean {
  return (skipModules ?? ["lm_head"]).some((entry) => entry !== "" && `.${modulePath}.`.includes(`.${entry}.`));
}
