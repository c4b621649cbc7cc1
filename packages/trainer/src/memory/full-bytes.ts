import { optimizerKind } from "@kto/optim";
import { OutOfMemoryError } from "@kto/tensor";

/** A model all of whose weights are to be trained, and how. */
export interface FullTraining {
  /** A tied head counted once. */
  numParameters: number;
  /** Those of the input embedding among them. */
  numEmbeddingParameters: number;
  /** Its name in transformers. */
  optim: string;
  /** Whether a frozen copy of the weights is kept to compare with. */
  keepsReference: boolean;
}

/** Bytes that training every weight of a model takes beside activations. */
export interface FullTrainingBytes {
  weights: number;
  gradients: number;
  moments: number;
  reference: number;
  total: number;
}

/** Bytes of a parameter in f32. */
const f32 = 4;

/** Bytes of both moments of a parameter in 8 bits: a code each, and two f32 scales for each block of 256. */
const bothCodes = 2 + (2 * f32) / 256;

/** What training every weight takes: all of it in f32, but the moments of an 8-bit optimizer, which keeps those of the embedding in f32 as bitsandbytes does. */
export function fullTrainingBytes({ numParameters, numEmbeddingParameters, optim, keepsReference }: FullTraining): FullTrainingBytes {
  const inCodes = optimizerKind(optim) === "adamw_8bit" ? numParameters - numEmbeddingParameters : 0;
  const weights = f32 * numParameters;
  const moments = Math.ceil(bothCodes * inCodes + 2 * f32 * (numParameters - inCodes));
  const reference = keepsReference ? weights : 0;
  return { weights, gradients: weights, moments, reference, total: 2 * weights + moments + reference };
}

/** Throws OutOfMemoryError, with what it would take, where training every weight does not fit into a budget before there is a single activation. */
export function expectRoomForWeights({ budgetBytes, ...training }: FullTraining & { budgetBytes: number | undefined }): void {
  const { weights, gradients, moments, reference, total } = fullTrainingBytes(training);
  if (budgetBytes === undefined || total <= budgetBytes) return;
  const parts = {
    weights,
    gradients,
    "moments of the optimizer": moments,
    ...(reference > 0 && { "a frozen copy to compare with": reference }),
  };
  const listed = Object.entries(parts).map(([name, bytes]) => `${inMiB(bytes)} for ${name}`);
  const isCoded = optimizerKind(training.optim) === "adamw_8bit";
  throw new OutOfMemoryError(
    {
      operation: "memory",
      problem: `every one of ${training.numParameters} weights is to be trained, and that does not fit`,
      expected: `at most ${inMiB(budgetBytes)} MiB of GPU memory`,
      got: `a need of ${inMiB(total)} MiB before a single token: ${listed.join(", ")}`,
      advice: `train an adapter ({usePeft}: true, or peftConfig)${isCoded ? "" : ", set {optim}: adamw_8bit"}${reference > 0 ? ", set {precomputeRefLogProbs}: true" : ""}, or raise {device.memory.budgetBytes}`,
      fields: ["usePeft", "optim", "precomputeRefLogProbs", "device.memory.budgetBytes"],
    },
    { requestedBytes: total, allocatedBytes: 0 },
  );
}

function inMiB(bytes: number): string {
  const size = bytes / 2 ** 20;
  return size.toFixed(size < 100 ? 2 : 0);
}
