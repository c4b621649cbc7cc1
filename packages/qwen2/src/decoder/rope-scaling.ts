/** A way to stretch rotary positions, by transformers' names; what config.json leaves open is filled in. */
export type RopeScaling =
  | { ropeType: "linear"; factor: number }
  | { ropeType: "dynamic"; factor: number }
  | {
      ropeType: "yarn";
      factor: number;
      originalMaxPositionEmbeddings: number;
      attentionFactor: number;
      betaFast: number;
      betaSlow: number;
      truncate: boolean;
    }
  | {
      ropeType: "longrope";
      factor: number;
      /** A divisor for each frequency: of batches whose longest row is within the original length, and of others. */
      shortFactor: readonly number[];
      longFactor: readonly number[];
      originalMaxPositionEmbeddings: number;
      attentionFactor: number;
    }
  | {
      ropeType: "llama3";
      factor: number;
      lowFreqFactor: number;
      highFreqFactor: number;
      originalMaxPositionEmbeddings: number;
    }
  | { ropeType: "proportional"; factor: number; partialRotaryFactor: number };

/** What the frequencies of a model's rotary positions are made from. */
export interface RopeInput {
  headDim: number;
  ropeTheta: number;
  maxPositionEmbeddings: number;
  ropeScaling?: RopeScaling | undefined;
}

/** What `ropeTables` makes its tables from. */
export interface RopeFrequencies {
  /** [headDim / 2], radians a position */
  inverseFrequencies: Float32Array;
  /** Cosines and sines are multiplied by it. */
  attentionFactor: number;
}

const f32 = Math.fround;

/**
 * The frequencies of a batch whose longest row ends at position `longest` − 1, rounded to f32 step by step as transformers 5.24 does it.
 *
 *   default:       1 / theta^(2j / headDim)
 *   linear:        default / factor
 *   dynamic:       default with theta · (factor · longest / maxPositionEmbeddings − factor + 1)^(headDim / (headDim − 2)), where longest is larger than that
 *   yarn:          fast ones as they are, slow ones / factor, a ramp between them; cos and sin · attentionFactor
 *   longrope:      default / shortFactor[j], or / longFactor[j] past the original length; cos and sin · attentionFactor
 *   llama3:        short waves as they are, long ones / factor, a ramp between them
 *   proportional:  the first share of the pairs turns, the others stand still
 *
 * @see transformers, modeling_rope_utils.py; arXiv 2309.00071 (YaRN), 2402.13753 (LongRoPE)
 */
export function ropeFrequencies(input: RopeInput, longest: number): RopeFrequencies {
  const { headDim, ropeTheta: theta, ropeScaling: scaling } = input;
  const plain = (base: number): Float32Array => powers(base, headDim).map((power) => 1 / power);
  switch (scaling?.ropeType) {
    case undefined:
      return { inverseFrequencies: plain(theta), attentionFactor: 1 };
    case "linear":
      return { inverseFrequencies: plain(theta).map((inverse) => inverse / f32(scaling.factor)), attentionFactor: 1 };
    case "dynamic":
      return { inverseFrequencies: plain(dynamicTheta(input, scaling.factor, longest)), attentionFactor: 1 };
    case "yarn":
      return { inverseFrequencies: yarn(theta, headDim, scaling), attentionFactor: scaling.attentionFactor };
    case "longrope": {
      const divisors = longest > scaling.originalMaxPositionEmbeddings ? scaling.longFactor : scaling.shortFactor;
      const inverseFrequencies = powers(theta, headDim).map((power, j) => 1 / f32(f32(divisors[j]!) * power));
      return { inverseFrequencies, attentionFactor: scaling.attentionFactor };
    }
    case "llama3":
      return { inverseFrequencies: plain(theta).map((inverse) => llama3(inverse, scaling)), attentionFactor: 1 };
    case "proportional": {
      const numTurning = Math.floor((scaling.partialRotaryFactor * headDim) / 2);
      const inverseFrequencies = plain(theta).map((inverse, j) => (j < numTurning ? inverse / f32(scaling.factor) : 0));
      return { inverseFrequencies, attentionFactor: 1 };
    }
  }
}

/** Names the frequencies that a batch gets: batches with the same name share their tables. */
export function frequenciesName({ maxPositionEmbeddings, ropeScaling: scaling }: RopeInput, longest: number): number {
  if (scaling?.ropeType === "dynamic") return Math.max(longest, maxPositionEmbeddings);
  if (scaling?.ropeType === "longrope") return longest > scaling.originalMaxPositionEmbeddings ? 1 : 0;
  return 0;
}

/** theta^(2j / headDim) for each pair, f32. */
function powers(theta: number, headDim: number): Float32Array {
  return Float32Array.from({ length: headDim / 2 }, (_, j) => theta ** f32((2 * j) / headDim));
}

/** Grows with the longest row, so that its last position turns as the last of the original length did. */
function dynamicTheta({ headDim, ropeTheta, maxPositionEmbeddings }: RopeInput, factor: number, longest: number): number {
  if (longest <= maxPositionEmbeddings) return ropeTheta;
  const stretch = f32(f32(f32(f32(factor) * longest) / maxPositionEmbeddings) - f32(factor - 1));
  return f32(f32(ropeTheta) * f32(stretch ** f32(headDim / (headDim - 2))));
}

function yarn(theta: number, headDim: number, scaling: RopeScaling & { ropeType: "yarn" }): Float32Array {
  const { factor, originalMaxPositionEmbeddings, betaFast, betaSlow, truncate } = scaling;
  const pairWithTurns = (turns: number): number =>
    (headDim * Math.log(originalMaxPositionEmbeddings / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
  const [first, last] = [pairWithTurns(betaFast), pairWithTurns(betaSlow)];
  const low = Math.max(truncate ? Math.floor(first) : first, 0);
  const high = Math.min(truncate ? Math.ceil(last) : last, headDim - 1);
  const width = low === high ? 0.001 : high - low;
  return powers(theta, headDim).map((power, j) => {
    const ramp = Math.min(Math.max(f32(f32(j - f32(low)) / f32(width)), 0), 1);
    const kept = f32(1 - ramp);
    const stretched = f32(1 / f32(f32(factor) * power));
    return f32(stretched * f32(1 - kept)) + f32(f32(1 / power) * kept);
  });
}

function llama3(inverse: number, scaling: RopeScaling & { ropeType: "llama3" }): number {
  const { factor, lowFreqFactor, highFreqFactor, originalMaxPositionEmbeddings: length } = scaling;
  const wavelength = f32(f32(2 * Math.PI) / inverse);
  if (wavelength > f32(length / lowFreqFactor)) return inverse / f32(factor);
  if (wavelength < f32(length / highFreqFactor)) return inverse;
  const smooth = f32(f32(f32(length / wavelength) - f32(lowFreqFactor)) / f32(highFreqFactor - lowFreqFactor));
  return f32(f32(f32(1 - smooth) * inverse) / f32(factor)) + f32(smooth * inverse);
}
