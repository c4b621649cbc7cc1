import { toFloat32, type TensorReader } from "@kto/safetensors";
import type { ScoredRow } from "../index.js";

/** Numbers of a Qwen2 that its arithmetic depends on. */
export interface Float64Config {
  numHiddenLayers: number;
  numAttentionHeads: number;
  numKeyValueHeads: number;
  headDim: number;
  rmsNormEps: number;
  ropeTheta: number;
  tieWordEmbeddings: boolean;
}

/** A matrix in float64 and the gradient of the loss by it. */
export class Matrix {
  readonly data: Float64Array;
  readonly gradient: Float64Array;

  constructor(
    readonly numRows: number,
    readonly width: number,
    data: ArrayLike<number> = new Float64Array(numRows * width),
  ) {
    this.data = Float64Array.from(data);
    this.gradient = new Float64Array(numRows * width);
  }
}

/** Weights by their names on disk. */
export type Float64Weights = ReadonlyMap<string, Matrix>;

/** Every tensor of a checkpoint in float64; a vector is one row. */
export async function float64Weights(reader: TensorReader): Promise<Map<string, Matrix>> {
  const weights = new Map<string, Matrix>();
  for (const [name, { shape }] of reader.tensors) {
    const { data, dtype } = await reader.read(name);
    const width = shape.at(-1)!;
    weights.set(name, new Matrix(shape.length === 2 ? shape[0]! : 1, width, toFloat32(data, dtype).values));
  }
  return weights;
}

/** Log-probabilities of the scored tokens of a row, [numScored], and what sends the gradient in them on to the weights, to which it is added. */
export interface Float64Scores {
  logProbs: Matrix;
  backward(): void;
}

/** A Qwen2 in plain float64 loops, one row at a time: forward and, for every weight, backward. Written from the formulas alone: it shares no code with what it is compared with. */
export function float64Scores(weights: Float64Weights, config: Float64Config, { promptIds, completionIds }: ScoredRow): Float64Scores {
  const steps: (() => void)[] = [];
  const weight = (name: string): Matrix => weights.get(name)!;
  const ids = [...promptIds, ...completionIds];
  let x = rowsOf(steps, weight("model.embed_tokens.weight"), ids); // [numTokens, hiddenSize]
  for (let layer = 0; layer < config.numHiddenLayers; layer++) {
    const path = `model.layers.${layer}`;
    const project = (input: Matrix, name: string): Matrix =>
      linear(steps, input, weight(`${path}.${name}.weight`), weights.get(`${path}.${name}.bias`));
    const normed = rmsNorm(steps, x, weight(`${path}.input_layernorm.weight`), config.rmsNormEps);
    const q = rope(steps, project(normed, "self_attn.q_proj"), config);
    const k = rope(steps, project(normed, "self_attn.k_proj"), config);
    const attended = attention(steps, q, k, project(normed, "self_attn.v_proj"), config);
    x = sum(steps, x, project(attended, "self_attn.o_proj"));
    const second = rmsNorm(steps, x, weight(`${path}.post_attention_layernorm.weight`), config.rmsNormEps);
    const gated = swiGlu(steps, project(second, "mlp.gate_proj"), project(second, "mlp.up_proj"));
    x = sum(steps, x, project(gated, "mlp.down_proj"));
  }
  const first = Math.max(1, promptIds.length);
  const before = Array.from({ length: ids.length - first }, (_, index) => first + index - 1);
  const hidden = rowsOf(steps, rmsNorm(steps, x, weight("model.norm.weight"), config.rmsNormEps), before); // [numScored, hiddenSize]
  const logits = linear(steps, hidden, weight(config.tieWordEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight"));
  const logProbs = logSoftmaxAt(steps, logits, ids.slice(first));
  return { logProbs, backward: () => steps.reverse().forEach((step) => step()) };
}

function rowsOf(steps: (() => void)[], table: Matrix, rows: readonly number[]): Matrix {
  const { width } = table;
  const y = new Matrix(rows.length, width);
  const each = (use: (to: number, from: number) => void): void =>
    rows.forEach((row, index) => {
      for (let col = 0; col < width; col++) use(index * width + col, row * width + col);
    });
  each((to, from) => (y.data[to] = table.data[from]!));
  steps.push(() => each((to, from) => (table.gradient[from]! += y.gradient[to]!)));
  return y;
}

/** y = x · wᵀ + bias */
function linear(steps: (() => void)[], x: Matrix, w: Matrix, bias?: Matrix): Matrix {
  const { width } = x;
  const y = new Matrix(x.numRows, w.numRows);
  const each = (use: (at: number, row: number, out: number) => void): void => {
    for (let t = 0; t < x.numRows; t++) for (let out = 0; out < w.numRows; out++) use(t * w.numRows + out, t * width, out);
  };
  each((at, row, out) => {
    let total = bias?.data[out] ?? 0;
    for (let i = 0; i < width; i++) total += x.data[row + i]! * w.data[out * width + i]!;
    y.data[at] = total;
  });
  steps.push(() =>
    each((at, row, out) => {
      const dy = y.gradient[at]!;
      if (bias) bias.gradient[out]! += dy;
      for (let i = 0; i < width; i++) {
        x.gradient[row + i]! += dy * w.data[out * width + i]!;
        w.gradient[out * width + i]! += dy * x.data[row + i]!;
      }
    }),
  );
  return y;
}

function rmsNorm(steps: (() => void)[], x: Matrix, w: Matrix, eps: number): Matrix {
  const { width } = x;
  const y = new Matrix(x.numRows, width);
  const scales = Array.from({ length: x.numRows }, (_, t) => {
    const row = x.data.subarray(t * width, (t + 1) * width);
    return 1 / Math.sqrt(row.reduce((total, value) => total + value * value, 0) / width + eps);
  });
  scales.forEach((scale, t) => {
    for (let i = 0; i < width; i++) y.data[t * width + i] = x.data[t * width + i]! * scale * w.data[i]!;
  });
  steps.push(() =>
    scales.forEach((scale, t) => {
      let dot = 0;
      for (let i = 0; i < width; i++) dot += y.gradient[t * width + i]! * w.data[i]! * x.data[t * width + i]!;
      for (let i = 0; i < width; i++) {
        const [at, dy] = [t * width + i, y.gradient[t * width + i]!];
        w.gradient[i]! += dy * x.data[at]! * scale;
        x.gradient[at]! += scale * (dy * w.data[i]! - (x.data[at]! * scale * scale * dot) / width);
      }
    }),
  );
  return y;
}

/** Rotates each half of a head into the other by position · theta^(−2j / headDim); the angle in f32, as transformers has it. */
function rope(steps: (() => void)[], x: Matrix, { headDim, ropeTheta }: Float64Config): Matrix {
  const y = new Matrix(x.numRows, x.width);
  const half = headDim / 2;
  const each = (use: (a: number, b: number, cos: number, sin: number) => void): void => {
    for (let t = 0; t < x.numRows; t++)
      for (let head = 0; head < x.width; head += headDim)
        for (let j = 0; j < half; j++) {
          const angle = Math.fround(t * Math.fround(1 / Math.fround(ropeTheta ** Math.fround((2 * j) / headDim))));
          use(t * x.width + head + j, t * x.width + head + j + half, Math.cos(angle), Math.sin(angle));
        }
  };
  each((a, b, cos, sin) => {
    y.data[a] = x.data[a]! * cos - x.data[b]! * sin;
    y.data[b] = x.data[b]! * cos + x.data[a]! * sin;
  });
  steps.push(() =>
    each((a, b, cos, sin) => {
      x.gradient[a]! += y.gradient[a]! * cos + y.gradient[b]! * sin;
      x.gradient[b]! += y.gradient[b]! * cos - y.gradient[a]! * sin;
    }),
  );
  return y;
}

/** Causal softmax attention; consecutive query heads share a key head. */
function attention(
  steps: (() => void)[],
  q: Matrix,
  k: Matrix,
  v: Matrix,
  { numAttentionHeads, numKeyValueHeads, headDim }: Float64Config,
): Matrix {
  const y = new Matrix(q.numRows, q.width);
  const scale = headDim ** -0.5;
  for (let head = 0; head < numAttentionHeads; head++) {
    const [ofQ, ofK] = [head * headDim, Math.floor((head * numKeyValueHeads) / numAttentionHeads) * headDim];
    for (let t = 0; t < q.numRows; t++) {
      const at = t * q.width + ofQ;
      const places = Array.from({ length: t + 1 }, (_, s) => s * k.width + ofK);
      const scores = places.map((place) => {
        let dot = 0;
        for (let i = 0; i < headDim; i++) dot += q.data[at + i]! * k.data[place + i]!;
        return dot * scale;
      });
      const most = Math.max(...scores);
      const total = scores.reduce((running, score) => running + Math.exp(score - most), 0);
      const shares = scores.map((score) => Math.exp(score - most) / total);
      shares.forEach((share, s) => {
        for (let i = 0; i < headDim; i++) y.data[at + i]! += share * v.data[places[s]! + i]!;
      });
      steps.push(() => {
        const dShares = places.map((place) => {
          let dot = 0;
          for (let i = 0; i < headDim; i++) dot += y.gradient[at + i]! * v.data[place + i]!;
          return dot;
        });
        const mean = dShares.reduce((running, dShare, s) => running + dShare * shares[s]!, 0);
        places.forEach((place, s) => {
          const dScore = shares[s]! * (dShares[s]! - mean) * scale;
          for (let i = 0; i < headDim; i++) {
            v.gradient[place + i]! += shares[s]! * y.gradient[at + i]!;
            k.gradient[place + i]! += dScore * q.data[at + i]!;
            q.gradient[at + i]! += dScore * k.data[place + i]!;
          }
        });
      });
    }
  }
  return y;
}

/** y = gate · σ(gate) · up */
function swiGlu(steps: (() => void)[], gate: Matrix, up: Matrix): Matrix {
  const y = new Matrix(gate.numRows, gate.width);
  const sigmoid = (value: number): number => 1 / (1 + Math.exp(-value));
  gate.data.forEach((g, at) => (y.data[at] = g * sigmoid(g) * up.data[at]!));
  steps.push(() =>
    gate.data.forEach((g, at) => {
      const s = sigmoid(g);
      gate.gradient[at]! += y.gradient[at]! * up.data[at]! * s * (1 + g * (1 - s));
      up.gradient[at]! += y.gradient[at]! * g * s;
    }),
  );
  return y;
}

function sum(steps: (() => void)[], a: Matrix, b: Matrix): Matrix {
  const y = new Matrix(a.numRows, a.width);
  y.data.forEach((_, at) => (y.data[at] = a.data[at]! + b.data[at]!));
  steps.push(() =>
    y.gradient.forEach((dy, at) => {
      a.gradient[at]! += dy;
      b.gradient[at]! += dy;
    }),
  );
  return y;
}

/** log softmax(logits)[label] of each row. */
function logSoftmaxAt(steps: (() => void)[], logits: Matrix, labels: readonly number[]): Matrix {
  const { width } = logits;
  const y = new Matrix(labels.length, 1);
  const logSums = labels.map((_, t) => {
    const row = logits.data.subarray(t * width, (t + 1) * width);
    const most = row.reduce((a, b) => Math.max(a, b));
    return most + Math.log(row.reduce((total, logit) => total + Math.exp(logit - most), 0));
  });
  labels.forEach((label, t) => (y.data[t] = logits.data[t * width + label]! - logSums[t]!));
  steps.push(() =>
    labels.forEach((label, t) => {
      for (let v = 0; v < width; v++) {
        const share = Math.exp(logits.data[t * width + v]! - logSums[t]!);
        logits.gradient[t * width + v]! += y.gradient[t]! * ((v === label ? 1 : 0) - share);
      }
    }),
  );
  return y;
}
