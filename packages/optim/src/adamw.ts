import { adamwHyper, adamwHyperSize, adamwStep, clipFactor, gradNorm, type ParameterBucket, type Tensor } from "@kto/tensor";
import { stateReaderOf, wholeState, type StateReader } from "./state-pieces.js";
import { stateBytes, type Optimizer, type StateTensor, type StepOptions } from "./optimizer.js";

/** Numbers of AdamW; defaults are torch's, except weight decay, which is transformers' 0. */
export interface AdamWOptions {
  beta1?: number;
  beta2?: number;
  eps?: number;
  weightDecay?: number;
}

/** What clips no gradient. */
const noClipping = 3e38;

/** Records the norm of all gradients and the factor that clips them, −1 if the norm is not finite. */
export function clipGradients(gradients: readonly ParameterBucket[], maxGradNorm: number): { norm: Tensor; clip: Tensor } {
  const norm = gradNorm(gradients.map(({ flat }) => flat));
  return { norm, clip: clipFactor(norm, maxGradNorm > 0 ? maxGradNorm : noClipping) };
}

/**
 * AdamW with f32 moments on the GPU, one dispatch per bucket of parameters; nothing is read back. Weight decay is that of the options in a bucket that
 * `decays`, and 0 in any other.
 *
 *   p ← p · (1 − lr·wd);  m ← β₁m + (1−β₁)g;  v ← β₂v + (1−β₂)g²;  p ← p − lr/(1−β₁ᵗ) · m / (√v / √(1−β₂ᵗ) + ε)
 *
 * Owns its moments; dispose it.
 */
export class AdamW implements Optimizer {
  readonly kind = "adamw";
  /** Trainable parameters, its caller's. */
  readonly parameters: readonly ParameterBucket[];
  /** First moments, in the layout of the parameters. */
  readonly m: readonly ParameterBucket[];
  /** Second moments. */
  readonly v: readonly ParameterBucket[];
  /** Steps taken. */
  step = 0;
  readonly #options: Required<AdamWOptions>;

  constructor(parameters: readonly ParameterBucket[], { beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weightDecay = 0 }: AdamWOptions = {}) {
    this.parameters = parameters;
    this.m = parameters.map((bucket) => bucket.like("first moment"));
    this.v = parameters.map((bucket) => bucket.like("second moment"));
    this.#options = { beta1, beta2, eps, weightDecay };
  }

  apply(gradients: readonly ParameterBucket[], { learningRate, maxGradNorm = 0 }: StepOptions): Tensor {
    this.step++;
    const { device } = this.parameters[0]!;
    return device.scope("AdamW", () => {
      const { norm, clip } = clipGradients(gradients, maxGradNorm);
      this.parameters.forEach(({ flat, decays }, index) => {
        const numbers = adamwHyper({ ...this.#options, ...(!decays && { weightDecay: 0 }), learningRate, step: this.step });
        const hyper = device.tensor(numbers, [adamwHyperSize], "f32", "AdamW hyperparameters");
        adamwStep({ params: flat, grads: gradients[index]!.flat, m: this.m[index]!.flat, v: this.v[index]!.flat, hyper, clip });
      });
      return norm;
    });
  }

  stateTensors(): StateTensor[] {
    return this.#moments().flatMap(({ prefix, bucket }) =>
      [...bucket.parameters].map(([name, { shape }]) => ({ key: prefix + name, dtype: "F32", shape }) as const),
    );
  }

  stateReader(): StateReader {
    return stateReaderOf(
      this.#moments().flatMap(({ prefix, bucket: { flat, parameters } }) =>
        Array.from(
          parameters,
          ([name, { byteOffset, byteLength }]) =>
            [prefix + name, { tensor: flat, start: byteOffset, end: byteOffset + byteLength }] as const,
        ),
      ),
    );
  }

  readState(): Promise<Map<string, Uint8Array>> {
    return wholeState(this.stateTensors(), this.stateReader());
  }

  writeState(state: ReadonlyMap<string, Uint8Array>): void {
    for (const { prefix, bucket } of this.#moments())
      for (const [name, tensor] of bucket.parameters) bucket.device.writeBytes(tensor, stateBytes(state, prefix + name, tensor.byteLength));
  }

  dispose(): void {
    for (const bucket of [...this.m, ...this.v]) bucket.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #moments(): { prefix: "m." | "v."; bucket: ParameterBucket }[] {
    return [...this.m.map((bucket) => ({ prefix: "m." as const, bucket })), ...this.v.map((bucket) => ({ prefix: "v." as const, bucket }))];
  }
}
