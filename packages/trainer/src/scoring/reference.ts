import type { PeftModel } from "@kto/lora";

/** What the policy is compared with: `initial`, the adapter as the run finds it, or `base`, the model without it. */
export type ReferenceKind = "initial" | "base";

const referenceAdapter = "reference";

/** Runs forward passes of the reference model on the policy's own weights. */
export interface Reference extends Disposable {
  run<T>(body: () => T): T;
}

/**
 * The reference of a run. An adapter that stands at its base computes what the base computes, so its reference is the base with adapters off, and no
 * second adapter is kept; that it does is read from its weights. Of a trained adapter a frozen copy is kept. Dispose it after the run.
 */
export async function makeReference(model: PeftModel, kind: ReferenceKind): Promise<Reference> {
  const [trained] = model.activeAdapters;
  if (trained === undefined || kind === "base" || (await model.startsAtBase(trained))) return reference(model, []);
  model.copyAdapter(trained, referenceAdapter);
  return reference(model, [referenceAdapter]);
}

function reference(model: PeftModel, adapters: readonly string[]): Reference {
  return {
    run: (body) => model.device.noGrad(() => model.withAdapters(adapters, body)),
    [Symbol.dispose]: () => adapters.forEach((name) => model.deleteAdapter(name)),
  };
}
