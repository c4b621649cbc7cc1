/** trl's metrics of one micro-batch of supervised fine-tuning. */
export interface SftMetrics {
  /** Nats a scored token. */
  entropy: number;
  /** Share of the scored tokens that are the likeliest. */
  mean_token_accuracy: number;
}

/** Sums over the scored tokens of one micro-batch. */
export interface SftMetricInputs {
  entropy: number;
  numCorrect: number;
  numScored: number;
}

/**
 * Means over the scored tokens of one micro-batch, under trl's names; 0 where nothing is scored.
 *
 * @see trl 1.16, SFTTrainer
 */
export function sftMetrics({ entropy, numCorrect, numScored }: SftMetricInputs): SftMetrics {
  if (numScored === 0) return { entropy: 0, mean_token_accuracy: 0 };
  return { entropy: entropy / numScored, mean_token_accuracy: numCorrect / numScored };
}
