import type { LoraWeights, PeftModel } from "@kto/lora";

/** What the policy is compared with: `initial`, the adapter as the run finds it, or `base`, the model without it. */
export type ReferenceKind = "initial" | "base";

const referenceAdapter = "reference";

/** Runs forward passes of the reference model on the policy's own weights. */
export interface Reference extends Disposable {
  run<T>(body: () => T): T;
}

/** What an adapter computed when a run began: what the base computes, or these weights. */
export type InitialAdapter = "base" | ReadonlyMap<string, LoraWeights>;

/** The adapter that is trained, as it stands: kept on the host, since training changes it. */
export async function initialAdapter(model: PeftModel): Promise<InitialAdapter> {
  const [trained] = model.activeAdapters;
  return trained === undefined || (await model.startsAtBase(trained)) ? "base" : model.readAdapter(trained);
}

/**
 * The reference of a run. An adapter that stands at its base computes what the base computes, so its reference is the base with adapters off, and no
 * second adapter is kept; that it does is read from its weights. Of a trained adapter a frozen copy is kept. Dispose it after the run.
 *
 * @param initial  what `initial` is, where the adapter has been trained since; by default the adapter as it stands
 */
export async function makeReference(model: PeftModel, kind: ReferenceKind, initial?: InitialAdapter): Promise<Reference> {
  const [trained] = model.activeAdapters;
  if (trained === undefined || kind === "base") return reference(model, []);
  const held = initial ?? ((await model.startsAtBase(trained)) ? "base" : undefined);
  if (held === "base") return reference(model, []);
  model.copyAdapter(trained, referenceAdapter);
  if (held !== undefined) model.writeAdapter(held, referenceAdapter);
  return reference(model, [referenceAdapter]);
}

function reference(model: PeftModel, adapters: readonly string[]): Reference {
  return {
    run: (body) => model.device.noGrad(() => model.withAdapters(adapters, body)),
    [Symbol.dispose]: () => adapters.forEach((name) => model.deleteAdapter(name)),
  };
}
