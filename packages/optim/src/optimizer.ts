import { ShapeError, type ParameterBucket, type Tensor } from "@kto/tensor";
import type { StateReader } from "./state-pieces.js";

/** Which optimizer's state it is; stands in checkpoints. */
export type OptimizerKind = "adamw" | "adamw_8bit" | "adamw_32bit";

/** What one step is given. */
export interface StepOptions {
  learningRate: number;
  /** Gradients are scaled down to this norm, all buckets together; 0 or absent for no clipping. */
  maxGradNorm?: number;
}

/** A tensor of an optimizer's state, as it lies in a safetensors file. */
export interface StateTensor {
  /** Parameter and part: "model.layers.0.self_attn.q_proj.lora_A.state1". */
  key: string;
  dtype: "F32" | "U8";
  shape: readonly number[];
}

/** An optimizer of parameters in buckets, all of whose work is recorded on the device. Owns its state; dispose it. */
export interface Optimizer extends Disposable {
  readonly kind: OptimizerKind;
  /** Trainable parameters, its caller's. */
  readonly parameters: readonly ParameterBucket[];
  /** Steps taken. */
  step: number;
  /**
   * Applies the gradients, which lie in buckets of the parameters' layout.
   *
   * @returns [1] f32, the L2 norm of all gradients before clipping, in the current scope. If it is not finite the parameters stay as they are.
   */
  apply(gradients: readonly ParameterBucket[], options: StepOptions): Tensor;
  /** Names, dtypes and shapes of the state, for checkpoints. */
  stateTensors(): StateTensor[];
  /** Reads `stateTensors`, little-endian, in pieces: the host holds at most 64 MiB of them. Not across a step. */
  stateReader(): StateReader;
  /** Reads all of them, whole and at once. */
  readState(): Promise<Map<string, Uint8Array>>;
  /** Overwrites the state with what `readState` gave. Throws ShapeError if a tensor is missing or has another length. `step` is the caller's to set. */
  writeState(state: ReadonlyMap<string, Uint8Array>): void;
  dispose(): void;
}

/** Bytes of one tensor in a state; throws ShapeError if it is missing or has another length. */
export function stateBytes(state: ReadonlyMap<string, Uint8Array>, key: string, byteLength: number): Uint8Array {
  const bytes = state.get(key);
  if (bytes?.byteLength === byteLength) return bytes;
  throw new ShapeError(
    `optimizer state: ${key} does not fit; expected ${byteLength} bytes, got ${bytes?.byteLength ?? "none"}; take the state of the same parameters`,
  );
}
