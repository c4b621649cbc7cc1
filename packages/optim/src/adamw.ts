import { adamwHyper, adamwStep, clipFactor, gradNorm, type ParameterBucket, type Tensor } from "@kto/tensor";

/** Numbers of AdamW; defaults are torch's, except weight decay, which is transformers' 0. */
export interface AdamWOptions {
  beta1?: number;
  beta2?: number;
  eps?: number;
  weightDecay?: number;
}

/** What one step is given. */
export interface AdamWStepOptions {
  learningRate: number;
  /** Gradients are scaled down to this norm, all buckets together; 0 or absent for no clipping. */
  maxGradNorm?: number;
}

/**
 * AdamW with f32 moments on the GPU, one dispatch per bucket of parameters; nothing is read back.
 *
 *   p ← p · (1 − lr·wd);  m ← β₁m + (1−β₁)g;  v ← β₂v + (1−β₂)g²;  p ← p − lr/(1−β₁ᵗ) · m / (√v / √(1−β₂ᵗ) + ε)
 *
 * Owns its moments; dispose it.
 */
export class AdamW implements Disposable {
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

  /**
   * Applies the gradients, which lie in buckets of the parameters' layout.
   *
   * @returns [1] f32, the L2 norm of all gradients before clipping, in the current scope. If it is not finite the parameters stay as they are.
   */
  apply(gradients: readonly ParameterBucket[], { learningRate, maxGradNorm = 0 }: AdamWStepOptions): Tensor {
    this.step++;
    const { device } = this.parameters[0]!;
    return device.scope("AdamW", () => {
      const norm = gradNorm(gradients.map(({ flat }) => flat));
      const clip = clipFactor(norm, maxGradNorm > 0 ? maxGradNorm : 3e38);
      const hyper = device.tensor(adamwHyper({ ...this.#options, learningRate, step: this.step }), [8], "f32", "AdamW hyperparameters");
      this.parameters.forEach(({ flat }, index) => {
        adamwStep({ params: flat, grads: gradients[index]!.flat, m: this.m[index]!.flat, v: this.v[index]!.flat, hyper, clip });
      });
      return norm;
    });
  }

  dispose(): void {
    for (const bucket of [...this.m, ...this.v]) bucket.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
