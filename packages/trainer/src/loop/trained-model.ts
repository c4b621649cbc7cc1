import type { ByteDirectory } from "@kto/core";
import { getPeftModel, LoraConfigError, PeftModel, type LoraConfig } from "@kto/lora";
import type { CausalLM } from "@kto/tensor";
import type { Tokenizer } from "../data/tokenizer.js";
import { TrainerUsageError } from "./errors.js";

/** A base model that may carry the tokenizer it was loaded with, and the name it was loaded by. */
export interface NamedModel extends CausalLM {
  readonly tokenizer?: Tokenizer | undefined;
  /** A path, or a name on the hub: the base model in the adapter's config. */
  readonly name?: string | undefined;
  /** Branch, tag or commit of a model of the hub. */
  readonly revision?: string | undefined;
  /** The files that it was loaded from: its generation_config.json goes wherever the model goes. */
  readonly files?: { readonly directory: ByteDirectory } | undefined;
}

/** A base model, with an adapter put on it or trained itself, or one with adapters, of which the first active one is trained. */
export type TrainableModel = NamedModel | PeftModel<NamedModel>;

/** The model that is trained, with its adapter, or without one where every weight is. `isNew` if the adapter was put on for it. */
export interface TrainedModelParts {
  adapted: PeftModel<NamedModel>;
  isNew: boolean;
}

/** Names of options that there were once, and what stands for them now. */
const oldNames: Readonly<Record<string, string>> = {
  isFreshAdapter: "nothing: an adapter knows whether it stands at its base",
  checkpoints: "output, a store or directory(path): checkpoints and the trained model go there",
  memoryBudgetBytes: "device.memory.budgetBytes: the budget is a property of the device",
};

/** The options of a trainer. Throws TrainerUsageError where there are none, for one that is called otherwise now, and for one that is no opened thing. */
export function expectOptions<Options extends object>(operation: string, options: Options): Options {
  if (!options)
    throw new TrainerUsageError(
      `${operation}: there are no options; expected a model, its data and what to train; pass e.g. { model, peftConfig: { r: 16 }, trainDataset }`,
    );
  const old = Object.keys(options).find((name) => Object.hasOwn(oldNames, name));
  if (old !== undefined) throw new TrainerUsageError(`${operation}: ${old} is no option any more; use ${oldNames[old]}`);
  refuseUnopened(operation, options as Record<string, unknown>);
  return options;
}

/** Throws TrainerUsageError for what is a path or plain rows where something opened is expected. */
function refuseUnopened(operation: string, { model, trainDataset, evalDataset, output }: Record<string, unknown>): void {
  const refuse = (name: string, value: unknown, expected: string, todo: string): void => {
    const got = Array.isArray(value) ? "an array" : typeof value === "string" ? JSON.stringify(value) : `a ${typeof value}`;
    throw new TrainerUsageError(`${operation}: ${name} is not usable; expected ${expected}, got ${got}; pass ${todo}`);
  };
  if (model && typeof model !== "object") refuse("model", model, "an open model", "await loadModel(place, { device }) of @kto/kit");
  for (const [name, dataset] of Object.entries({ trainDataset, evalDataset }))
    if (dataset !== undefined && (dataset === null || typeof dataset !== "object" || Array.isArray(dataset)))
      refuse(name, dataset, "a Dataset", "await loadDataset(place) of @kto/kit, or Dataset.from(rows) of @kto/datasets");
  if (output !== undefined && (output === null || typeof output !== "object"))
    refuse("output", output, "a store, or a folder for a run", "directory(path) of @kto/kit");
}

/** Puts a fresh adapter on a base model where there is a config for it, or takes the one that is there. Throws TrainerUsageError where there is no model, or an adapter too many, and for a base that carries another trainer's. */
export function trainedModel(
  operation: string,
  { model, peftConfig, seed }: { model: TrainableModel | undefined; peftConfig: Partial<LoraConfig> | undefined; seed: number },
): TrainedModelParts {
  if (!model)
    throw new TrainerUsageError(
      `${operation}: model is missing; expected a model with its adapter, a base model and peftConfig, or a base model that was loaded with { trainable: true }, got ${String(model)}; pass e.g. { model, peftConfig: { r: 16 }, trainDataset }`,
    );
  if (hasAdapters(model)) {
    if (peftConfig)
      throw new TrainerUsageError(
        `${operation}: the model has an adapter and there is a peftConfig; expected one of the two, got both; pass the base model, or leave peftConfig out`,
      );
    return { adapted: model, isNew: false };
  }
  if (!peftConfig) return { adapted: new PeftModel(model), isNew: false };
  try {
    return { adapted: getPeftModel(model, peftConfig, { seed }), isNew: true };
  } catch (cause) {
    if (!(cause instanceof LoraConfigError) || cause.field !== "adapterName") throw cause;
    throw new TrainerUsageError(
      `${operation}: the base model carries an adapter of another trainer or PeftModel; expected a base model of its own at a time; call trainer.dispose() of that one first, or pass its model (trainer.model) without a peftConfig to train it further`,
      { cause },
    );
  }
}

/** The tokenizer that the base model carries. */
export function tokenizerOf(model: TrainableModel): Tokenizer | undefined {
  return hasAdapters(model) ? model.base.tokenizer : model.tokenizer;
}

/** True of a PeftModel, also of one from another copy of its package. */
function hasAdapters(model: TrainableModel): model is PeftModel<NamedModel> {
  return model instanceof PeftModel || "activeAdapters" in model;
}
