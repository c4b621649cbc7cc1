import type { LoraWeights, PeftModel } from "@kto/lora";
import type { KeyPart } from "../data/token-cache.js";
import type { CausalLM } from "@kto/tensor";

/** What the policy is compared with: `initial`, the adapter as the run finds it, or `base`, the model without it. Where every weight is trained both are the model as the run finds it. */
export type ReferenceKind = "initial" | "base";

/** When a reference is made and used: while the policy is as it was found, from then on while it changes, or after it has changed. */
export type ReferenceUse = "unchanged" | "throughout" | "afterwards";

/** Makes the reference of a run. Dispose it after its use. */
export type MakeReference = (use: ReferenceUse) => Promise<Reference>;

const referenceAdapter = "reference";

/** Runs forward passes of the reference, without gradients. */
export interface Reference extends Disposable {
  /** @param body  is given the model to compute with: that of the policy, with other adapters or none, or another one of the same shape */
  run<T>(body: (model: CausalLM) => T): T;
  /** What is computed with, by content; undefined where the model does not tell. */
  fingerprint(): Promise<readonly KeyPart[] | undefined>;
}

/**
 * References of an adapter that is trained. One that stands at its base computes what the base computes, so its reference is the base with adapters off, and no
 * second adapter is kept; that it does is read from its weights. Of a trained adapter a frozen copy is kept: on the host too, since training changes it.
 */
export async function adapterReferences(model: PeftModel<CausalLM>, kind: ReferenceKind): Promise<MakeReference> {
  const [trained] = model.activeAdapters;
  const initial = kind === "base" || trained === undefined ? undefined : await initialAdapter(model, trained);
  return () => {
    if (initial === undefined) return Promise.resolve(reference(model, []));
    model.copyAdapter(trained!, referenceAdapter);
    model.writeAdapter(initial, referenceAdapter);
    return Promise.resolve(reference(model, [referenceAdapter], initial));
  };
}

/** The weights of an adapter as it stands, unless it computes what the base computes. */
async function initialAdapter(model: PeftModel, trained: string): Promise<ReadonlyMap<string, LoraWeights> | undefined> {
  return (await model.startsAtBase(trained)) ? undefined : model.readAdapter(trained);
}

function reference(
  model: PeftModel<CausalLM>,
  adapters: readonly string[],
  weights: ReadonlyMap<string, LoraWeights> = new Map(),
): Reference {
  return {
    run: (body) => model.device.noGrad(() => model.withAdapters(adapters, () => body(model.base))),
    async fingerprint() {
      const base = await model.base.fingerprint?.();
      if (!base) return undefined;
      const configs = adapters.map((name) => JSON.stringify(model.adapters.get(name)?.config));
      const bytes = (values: Float32Array): Uint8Array => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      return [base, ...configs, ...Array.from(weights, ([name, { a, b }]) => [name, bytes(a), bytes(b)]).flat()];
    },
    [Symbol.dispose]: () => adapters.forEach((name) => model.deleteAdapter(name)),
  };
}
