import type { LinearModule, LowRankDelta, Tensor } from "@kto/tensor";
import { LoraConfigError } from "./errors.js";
import type { AdaptableModel, PeftModel } from "./peft-model.js";

/** Models whose weights are not those of their files any more. */
const changed = new WeakSet<object>();

/** True for a model that `mergeAndUnload` changed, or whoever trained its weights: they are not those of its files any more. */
export function wasChanged(model: object): boolean {
  return changed.has(model);
}

/** Notes that a model's weights are about to be others than those of its files. */
export function noteChange(model: object): void {
  changed.add(model);
}

/**
 * Adds the active adapters to the base weights, W ← W + scale · B·A (product and sum in f32, one rounding to W's dtype; a four-bit W is quantised again),
 * puts embedding and head that came with them in the place of the base's,
 * and takes all adapters off. There is no way back: with 16-bit weights the difference could not be restored exactly. Do not use the model until the promise
 * is settled.
 *
 * Throws, before anything is changed, LoraConfigError for a layer that cannot be added to, DtypeError for a sum that is not finite: every sum is made once
 * to be looked at, so it is all or nothing.
 */
export async function mergeAndUnload<M extends AdaptableModel>(model: PeftModel<M>): Promise<M> {
  const merges = mergesOf(model);
  for (const { module, deltas } of merges) await module.expectFiniteSums?.(deltas);
  noteChange(model.base);
  for (const { module, deltas } of merges) for (const delta of deltas) await module.addToWeight!(delta);
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

/** What is added to each layer, in the order of the active adapters. */
function mergesOf(model: PeftModel): { module: LinearModule; deltas: LowRankDelta[] }[] {
  const modules = new Map(model.base.namedModules());
  const merges = new Map<string, { module: LinearModule; deltas: LowRankDelta[] }>();
  for (const name of model.activeAdapters) {
    const { targets, bucket } = model.adapters.get(name)!;
    for (const { path, scale } of targets) {
      const module = modules.get(path) as LinearModule;
      if (!module.addToWeight)
        throw new LoraConfigError(
          `mergeAndUnload: ${path} has a weight that cannot be added to; expected a layer with addToWeight, as Linear has it`,
          { field: "targetModules" },
        );
      const delta = { a: bucket.get(`${path}.lora_A`), b: bucket.get(`${path}.lora_B`), scale };
      const before = merges.get(path);
      if (before) before.deltas.push(delta);
      else merges.set(path, { module, deltas: [delta] });
    }
  }
  return [...merges.values()];
}
