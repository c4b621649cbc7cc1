import type { PeftModel } from "@kto/lora";

/** What the policy is compared with: `initial`, the adapter as the run finds it, or `base`, the model without adapters. */
export type ReferenceKind = "initial" | "base";

const referenceAdapter = "reference";

/** Runs forward passes of the reference model on the policy's own weights. */
export interface Reference extends Disposable {
  run<T>(body: () => T): T;
}

/**
 * The reference of a run. A fresh adapter (B = 0) computes what the base computes, so its reference is the base with adapters off; of a trained
 * adapter a frozen copy is kept. Dispose it after the run.
 */
export function makeReference(model: PeftModel, kind: ReferenceKind, { isFresh }: { isFresh: boolean }): Reference {
  if (kind === "base" || isFresh) return reference(model, []);
  const { name } = model.activeAdapter;
  model.copyAdapter(name, referenceAdapter);
  return reference(model, [referenceAdapter]);
}

function reference(model: PeftModel, adapters: readonly string[]): Reference {
  return {
    run: (body) => model.device.noGrad(() => model.withAdapters(adapters, body)),
    [Symbol.dispose]: () => adapters.forEach((name) => model.deleteAdapter(name)),
  };
}
