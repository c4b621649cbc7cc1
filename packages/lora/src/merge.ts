import type { LinearModule, Tensor } from "@kto/tensor";
import { LoraConfigError } from "./errors.js";
import type { AdaptableModel, PeftModel } from "./peft-model.js";

/**
 * Adds the active adapters to the base weights, W ← W + scale · B·A (product and sum in f32, one rounding to W's dtype; a four-bit W is quantised again),
 * puts embedding and head that came with them in the place of the base's,
 * and takes all adapters off. There is no way back: with 16-bit weights the difference could not be restored exactly. Do not use the model until the promise
 * is settled. Throws LoraConfigError, before anything is changed, if a layer cannot be added to.
 */
export async function mergeAndUnload<M extends AdaptableModel>(model: PeftModel<M>): Promise<M> {
  const modules = new Map(model.base.namedModules());
  const merges = model.activeAdapters.flatMap((name) => {
    const { targets, bucket } = model.adapters.get(name)!;
    return targets.map(({ path, scale }) => {
      const module = modules.get(path) as LinearModule;
      if (!module.addToWeight)
        throw new LoraConfigError(
          `mergeAndUnload: ${path} has a weight that cannot be added to; expected a layer with addToWeight, as Linear has it`,
          { field: "targetModules" },
        );
      return { module, delta: { a: bucket.get(`${path}.lora_A`), b: bucket.get(`${path}.lora_B`), scale } };
    });
  });
  for (const { module, delta } of merges) await module.addToWeight!(delta);
  const taken = new Map<Tensor, Tensor>();
  for (const { module, weight } of model.embeddingSlots.values()) {
    if (!weight) continue;
    const kept = taken.get(weight) ?? model.device.unscoped(() => weight.detach()); // what the adapter holds goes with it
    taken.set(weight, kept);
    module.take(kept);
  }
  model.dispose();
  return model.base;
}
