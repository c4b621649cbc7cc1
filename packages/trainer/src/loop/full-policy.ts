import { noteChange } from "@kto/lora";
import { isEmbeddingModule, type CausalLM, type LinearModule, type TrainableWeights } from "@kto/tensor";
import { expectRoomForWeights } from "../memory/full-bytes.js";
import { fullReferences } from "../scoring/full-reference.js";
import type { Reference } from "../scoring/reference.js";
import { TrainerUsageError } from "./errors.js";
import { fullModelCard } from "./full-card.js";
import { fullFiles } from "./full-files.js";
import type { Policy } from "./policy.js";
import type { NamedModel } from "./trained-model.js";

/** Every weight of a model as what is trained. Throws TrainerUsageError for a model that was not loaded for it. */
export function fullPolicy(operation: string, base: NamedModel): Policy {
  expectWeights(operation, base);
  const weights = (): TrainableWeights => expectWeights("train", base);
  return {
    device: base.device,
    base,
    get buckets() {
      return weights().buckets;
    },
    files: fullFiles(weights),
    isWholeModel: true,
    withDropout: (_seed, body) => body(), // what dropout there is belongs to adapters
    withDropoutFrom: (_row, body) => body(),
    references: (kind, uses) =>
      kind === undefined
        ? Promise.resolve(() => Promise.resolve(noReference))
        : fullReferences({ device: base.device, base, trainable: weights() }, uses),
    expectTrainable: () => expectBare(base),
    expectRoom: ({ optim }, { keepsReference }) =>
      expectRoomForWeights({
        numParameters: base.numParameters,
        numEmbeddingParameters: base.numParameters - base.numNonEmbeddingParameters,
        optim,
        keepsReference,
        budgetBytes: base.device.memory.budgetBytes,
      }),
    noteChange: () => noteChange(base),
    card: (tag) => fullModelCard(base.name, [tag]),
  };
}

/** That of a method that compares with nothing. */
const noReference: Reference = {
  run: () => {
    throw new TrainerUsageError(
      'reference: the method names none, and every weight is trained, so that nothing of the model before is kept; expected reference in the method; set it to "initial"',
    );
  },
  fingerprint: () => Promise.resolve(undefined),
  [Symbol.dispose]: () => undefined,
};

function expectWeights(operation: string, { trainable }: CausalLM): TrainableWeights {
  if (trainable) return trainable;
  throw new TrainerUsageError(
    `${operation}: the model has no adapter to train, and its weights cannot be trained as they were loaded; expected peftConfig, a model of getPeftModel, or weights loaded to be trained, got a base model alone; pass e.g. peftConfig: { r: 16 }, or load the model with { trainable: true } to train every weight`,
  );
}

/** Throws TrainerUsageError for a base with an adapter in its layers, whose share in what is computed would be trained around and not saved. */
function expectBare(base: CausalLM): void {
  for (const [path, module] of base.namedModules()) {
    const isAdapted = (module as Partial<LinearModule>).adapter !== undefined;
    const isReplaced = isEmbeddingModule(module) && module.replacement !== undefined;
    if (!isAdapted && !isReplaced) continue;
    throw new TrainerUsageError(
      `train: every weight is to be trained, and ${path} carries an adapter; expected a base model without one; dispose the adapter, merge it (mergeAndUnload), or train it: pass the model of getPeftModel`,
    );
  }
}
