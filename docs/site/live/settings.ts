import type { KTOConfig } from "@kto/trainer";

/** What a reader may choose of a run. */
export interface LiveSettings {
  updates: number;
  learningRate: number;
  beta: number;
}

export const defaultSettings: Readonly<LiveSettings> = { updates: 64, learningRate: 4e-3, beta: 1 };

/** What each of them may be: bounds that a run on the software adapter ends within minutes by, and on which it learns something. */
export const settingBounds: Readonly<Record<keyof LiveSettings, { least: number; most: number; step: number }>> = {
  updates: { least: 8, most: 256, step: 8 },
  learningRate: { least: 1e-4, most: 2e-2, step: 1e-4 },
  beta: { least: 0.1, most: 5, step: 0.1 },
};

/** The adapter of the demo. */
export const peftConfig = { r: 16, loraAlpha: 32, targetModules: "all-linear" } as const;

/** Updates between two checkpoints: what is lost at most where a tab is closed. */
export const saveSteps = 8;

/** Arguments of the demo, `examples/quickstart/kto.yaml`, with every update logged and checkpoints for a reload. */
export function trainingArgs({ updates, learningRate, beta }: LiveSettings): Partial<KTOConfig> {
  return {
    beta,
    learningRate,
    maxSteps: updates,
    warmupSteps: 8,
    lrSchedulerType: "linear",
    perDeviceTrainBatchSize: 32,
    gradientAccumulationSteps: 1,
    maxLength: 32,
    desirableWeight: 1.1,
    gradientCheckpointing: false,
    loggingSteps: 1,
    saveStrategy: "steps",
    saveSteps,
    saveTotalLimit: 1,
    seed: 42,
  };
}

/** Settings within their bounds; what is no number is the default. */
export function boundedSettings(asked: Readonly<Partial<Record<keyof LiveSettings, unknown>>>): LiveSettings {
  const bounded = (name: keyof LiveSettings): number => {
    const { least, most } = settingBounds[name];
    const value = asked[name];
    return typeof value === "number" && Number.isFinite(value) ? Math.min(most, Math.max(least, value)) : defaultSettings[name];
  };
  return { updates: Math.round(bounded("updates")), learningRate: bounded("learningRate"), beta: bounded("beta") };
}
