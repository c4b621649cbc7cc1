import { gemm, type Tensor } from "@kto/tensor";
import { LoraConfigError } from "./errors.js";
import type { AdaptableLinear, AdaptableModel, PeftModel } from "./peft-model.js";

/**
 * Adds the active adapters to the base weights, W ← W + scale · B·A (product and sum in f32, one rounding to W's dtype), and takes all adapters off.
 * There is no way back: with 16-bit weights the difference could not be restored exactly.
 * Throws LoraConfigError if a layer's weight is not a plain matrix.
 */
export function mergeAndUnload<M extends AdaptableModel>(model: PeftModel<M>): M {
  const modules = new Map(model.base.namedModules());
  for (const name of model.activeAdapters) {
    const { targets, bucket } = model.adapters.get(name)!;
    for (const { path, r, scale, inFeatures, outFeatures } of targets) {
      const { weight } = modules.get(path) as AdaptableLinear & { weight?: Tensor };
      if (!weight)
        throw new LoraConfigError(
          `mergeAndUnload: ${path} has no weight matrix to add to; expected one of shape [${outFeatures}, ${inFeatures}]`,
          { field: "targetModules" },
        );
      gemm({
        a: bucket.get(`${path}.lora_B`),
        b: bucket.get(`${path}.lora_A`),
        c: weight,
        m: outFeatures,
        n: inFeatures,
        k: r,
        alpha: scale,
        accumulate: true,
      });
    }
  }
  model.dispose();
  return model.base;
}
