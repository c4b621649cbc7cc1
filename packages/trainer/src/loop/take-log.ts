import { averageMetrics } from "@kto/losses/plain";
import type { TrainLog } from "./events.js";
import type { RunProgress } from "./trainer-state.js";

/** What a log says besides what the window holds. */
export type LogFacts = Pick<TrainLog, "learningRate" | "epoch" | "stepTimeMs" | "tokensPerSecond" | "samplesPerSecond" | "gpuMemoryBytes">;

/** The means over the logging window, which begins anew; the history gets them under transformers' names. */
export function takeLog(progress: RunProgress, { learningRate, epoch, ...speed }: LogFacts): TrainLog {
  const { losses, metrics: window, gradNorm } = progress.window;
  const metrics = { ...averageMetrics(window), num_tokens: progress.numTokens };
  const loss = losses.reduce((total, value) => total + value, 0) / losses.length;
  const step = progress.globalStep;
  progress.window = { losses: [], metrics: [], gradNorm: null };
  progress.logHistory.push({ loss, grad_norm: gradNorm!, learning_rate: learningRate, ...metrics, epoch, step });
  const named = metrics as Record<string, number>;
  return {
    step,
    epoch,
    loss,
    gradNorm: gradNorm!,
    learningRate,
    rewards: { chosen: named["rewards/chosen"], rejected: named["rewards/rejected"], margins: named["rewards/margins"] },
    metrics,
    ...speed,
  };
}
