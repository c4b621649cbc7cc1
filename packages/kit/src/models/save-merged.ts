import { storeAt } from "#platform";
import { ArgumentError, bytesSource, excerpt, type ByteDirectory, type Store } from "@kto/core";
import { ADAPTER_METADATA, ADAPTER_WEIGHTS_FILE, adapterTensors, saveAdapter, wasChanged, type PeftModel } from "@kto/lora";
import { encodeSafetensors } from "@kto/safetensors";
import type { Tokenizer } from "@kto/tokenizer";
import { belongingsOf } from "./belongings.js";
import type { LoadedModel } from "./load-model.js";
import { mergeModel, type MergedModelFiles, type MergeModelOptions, type WeightedAdapter } from "./merge-model.js";

/** What `savePretrainedMerged` writes; the names are Unsloth's. */
export type SaveMethod = "merged_16bit" | "merged_4bit_forced" | "lora";

/** How a model with its adapters is saved. */
export interface SaveMergedOptions extends Omit<MergeModelOptions, "dtype" | "tokenizer"> {
  /** Default "merged_16bit". */
  readonly saveMethod?: SaveMethod | undefined;
  /** Of "merged_16bit": default what config.json says, else bf16. */
  readonly dtype?: "f32" | "f16" | "bf16" | undefined;
  /** Default the model's. */
  readonly tokenizer?: Tokenizer | undefined;
}

const saveMethods: readonly string[] = ["merged_16bit", "merged_4bit_forced", "lora"] satisfies SaveMethod[];

/**
 * Saves a model with what its active adapters learned, as Unsloth's `save_pretrained_merged`: "merged_16bit" adds them to the weights in the files that the
 * model was loaded from (dequantised where they are in four bits, or those of `base`), "merged_4bit_forced" also quantises the sums again, with a loss that it
 * returns, and "lora" writes the first active adapter alone. The model stays as it is.
 *
 * @param model  what `loadAdapter`, `getPeftModel` or a trainer made of a model of `loadModel`
 * @param place  a folder of that path (in a browser of the page's private files), made where there is none, or a store
 * @returns      what was written; undefined for "lora"
 * @throws ArgumentError for an unknown method, for "merged_4bit", and for a model that is not as its files any more; as `mergeModel`
 */
export async function savePretrainedMerged(
  model: PeftModel,
  place: string | Store,
  { saveMethod = "merged_16bit", dtype, tokenizer, ...options }: SaveMergedOptions = {},
): Promise<MergedModelFiles | undefined> {
  const base = expectLoaded(model);
  expectMethod(saveMethod, dtype);
  const store = typeof place === "string" ? storeAt(place) : place;
  const given = tokenizer ?? base.tokenizer;
  if (saveMethod === "lora") {
    for (const [name, content] of (await belongingsOf(base.files, { tokenizer: given?.files() })).files) await store.write(name, content);
    const { name, config, targets, embeddings } = model.activeAdapter;
    await saveAdapter(store, { config, targets, embeddings, weights: await model.readAdapter(name) });
    return undefined;
  }
  const adapters: WeightedAdapter[] = [];
  for (const name of model.activeAdapters) adapters.push(await onHost(model, name));
  return mergeModel(base.files, adapters, store, {
    ...options,
    tokenizer: given,
    dtype: saveMethod === "merged_4bit_forced" ? "nf4" : dtype,
  });
}

/** An adapter as it is on the device now, as files. */
async function onHost(model: PeftModel, name: string): Promise<WeightedAdapter> {
  const { config, targets, embeddings } = model.adapters.get(name)!;
  const tensors = adapterTensors(targets, await model.readAdapter(name), embeddings);
  const bytes = await encodeSafetensors(tensors, { metadata: ADAPTER_METADATA });
  const directory: ByteDirectory = {
    name: `adapter "${name}"`,
    open: async (fileName) => (fileName === ADAPTER_WEIGHTS_FILE ? bytesSource(bytes, fileName) : undefined),
  };
  return { files: { name: directory.name, directory, config, hub: undefined } };
}

/** The base as `loadModel` gave it. Throws ArgumentError for one without files, or whose weights are others by now. */
function expectLoaded({ base, activeAdapters }: PeftModel): LoadedModel {
  const operation = "savePretrainedMerged";
  if (!("files" in base))
    throw new ArgumentError({
      operation,
      problem: "the model was not loaded from files",
      expected: "a model of loadModel with adapters",
      got: "one without files",
      advice: "merge it on the device with mergeAndUnload, and write it with savePretrained",
    });
  if (wasChanged(base))
    throw new ArgumentError({
      operation,
      problem:
        "the weights were changed on the device (an adapter was merged into them, or they were trained), which the model's files know nothing of",
      expected: "weights as in the files",
      advice: "write the model as it is with savePretrained",
    });
  if (activeAdapters.length === 0)
    throw new ArgumentError({
      operation,
      problem: "no adapter is active",
      expected: "at least one",
      got: "none",
      advice: "setAdapter first",
    });
  return base as LoadedModel;
}

function expectMethod(saveMethod: string, dtype: unknown): void {
  const operation = "savePretrainedMerged";
  if (saveMethod === "merged_4bit")
    throw new ArgumentError({
      operation,
      problem:
        'saveMethod "merged_4bit" would quantise the sums again, and the error of that is of the size of what most adapters change: the model may lose what it learned',
      expected: '"merged_16bit", and a quantisation when it is loaded or exported',
      advice: 'pass "merged_4bit_forced" if four bits are wanted all the same',
    });
  if (!saveMethods.includes(saveMethod))
    throw new ArgumentError({
      operation,
      problem: "saveMethod is unknown",
      expected: saveMethods.map((method) => JSON.stringify(method)).join(", "),
      got: excerpt(saveMethod),
    });
  if (dtype !== undefined && saveMethod !== "merged_16bit")
    throw new ArgumentError({
      operation,
      problem: `dtype has no effect with saveMethod ${JSON.stringify(saveMethod)}`,
      expected: "it unset",
      got: excerpt(dtype),
      advice: "leave it out",
    });
}
