import { isKtoError } from "@kto/core";
import { describe, expect, it } from "vitest";
import { fuzzedReaders } from "../testing/fuzz-checkpoint.js";
import { progressAt } from "../testing/tiny-checkpoint.js";
import { parseTrainerState } from "./read-trainer-state.js";
import { planRun } from "./run-plan.js";
import { formatTrainerState } from "./trainer-state.js";
import { trainingConfig } from "./training-config.js";

const args = trainingConfig({ maxSteps: 8, evalStrategy: "epoch", earlyStoppingPatience: 3 });
const progress = {
  ...progressAt(5),
  scheduleMetrics: [0.5, NaN],
  best: { metric: 0.25, globalStep: 4, checkpoint: "checkpoint-4", patienceCounter: 2 },
  owesEvaluation: true,
};
const written = formatTrainerState(progress, args, planRun(8, args, 3), { method: "dpo", pathOf: (name) => `C:\\runs/out/${name}` });

/** The state with a value at a path of it. */
function stateWith(path: string, value: unknown): string {
  const state = JSON.parse(written) as Record<string, unknown>;
  const names = path.split(".");
  const parent = names.slice(0, -1).reduce((inner, name) => inner[name] as Record<string, unknown>, state);
  if (value === undefined) delete parent[names.at(-1)!];
  else parent[names.at(-1)!] = value;
  return JSON.stringify(state);
}

it("comes back as it was written, NaN too; the best checkpoint by its name, wherever the folder is", () => {
  expect(parseTrainerState(written)).toEqual({
    progress,
    settings: { method: "dpo", args: { ...args }, numRows: 8, numRanks: 3 },
    files: {},
    seal: undefined,
  });
});

it("needs neither settings, sums nor metrics of a schedule, which earlier versions did not keep", () => {
  const state = JSON.parse(written) as { kto: Record<string, unknown> };
  for (const name of ["arguments", "num_rows", "schedule_metrics"]) delete state.kto[name];
  expect(parseTrainerState(JSON.stringify(state))).toMatchObject({ settings: undefined, files: {}, progress: { scheduleMetrics: [] } });
});

describe("every value is checked where it is read", () => {
  it.each<[path: string, value: unknown, message: RegExp]>([
    ["kto", undefined, /kto is not usable; expected the progress of this trainer \(a file of transformers' own has none\), got nothing/],
    ["kto", {}, /kto\.window is not usable; expected an object, got nothing|kto\.total_loss/],
    ["kto", [], /kto is not usable; expected an object, got \[\]/],
    ["kto.window", {}, /kto\.window\.losses is not usable; expected a list, got nothing/],
    ["kto.window.losses", null, /kto\.window\.losses is not usable; expected a list, got null/],
    ["kto.window.losses", [0.5, "x"], /kto\.window\.losses\[1\] is not usable; expected a number, got "x"/],
    ["kto.window.losses", [1, 2, 3, 4, 5, 6], /kto\.window\.losses is not usable; expected at most one a step, 5, got "6 of them"/],
    ["kto.window.metrics", {}, /kto\.window\.metrics is not usable; expected a list, got \{\}/],
    ["kto.window.metrics", [{ kl: "0" }], /kto\.window\.metrics\[0\]\.kl is not usable; expected a number, got "0"/],
    ["kto.window.gradNorm", -1, /kto\.window\.gradNorm is not usable; expected a number of at least 0, got -1/],
    ["kto.window.gradNorm", undefined, /kto\.window\.gradNorm is not usable/],
    ["kto.total_loss", "x", /kto\.total_loss is not usable; expected a number, got "x"/],
    ["kto.total_loss", null, /kto\.total_loss is not usable; expected a number, got null/],
    ["kto.num_tokens", 1.5, /kto\.num_tokens is not usable; expected a whole number from 0/],
    ["kto.num_rows", 0, /kto\.num_rows is not usable; expected a whole number from 1/],
    ["kto.arguments", "x", /kto\.arguments is not usable; expected an object, got "x"/],
    ["kto.schedule_metrics", [true], /kto\.schedule_metrics\[0\] is not usable; expected a number, got true/],
    ["kto.files", { "optimizer.safetensors": { bytes: -1, sha256: [] } }, /kto\.files\.optimizer\.safetensors\.bytes is not usable/],
    ["kto.files", { "optimizer.safetensors": { bytes: 1, sha256: ["x"] } }, /sha256\[0\] is not usable; expected 64 hexadecimal digits/],
    ["kto.files", {}, /kto\.sha256 is not usable; expected the sum of the state, got nothing/],
    ["kto.sha256", 5, /kto\.sha256 is not usable; expected 64 hexadecimal digits, got 5/],
    ["log_history", [null], /log_history\[0\] is not usable; expected an object, got null/],
    ["log_history", {}, /log_history is not usable; expected a list/],
    ["log_history", [{ loss: [0.5] }], /log_history\[0\]\.loss is not usable; expected a number, got \[0.5\]/],
    ["global_step", 0.5, /global_step is not usable; expected a whole number from 0 to 2\^53 − 1, got 0.5/],
    ["global_step", 1e21, /global_step is not usable; expected a whole number .*, got 1e\+21/],
    ["global_step", -5, /global_step is not usable; expected a whole number .*, got -5/],
    ["global_step", "5", /global_step is not usable/],
    ["global_step", 9, /global_step is not usable; expected at most max_steps, 8, got 9/],
    ["max_steps", 2.5, /max_steps is not usable; expected a whole number from 1/],
    ["best_global_step", 6, /best_global_step is not usable; expected at most global_step, 5, got 6/],
    ["best_global_step", "2", /best_global_step is not usable; expected a whole number from 1/],
    ["best_metric", "0.5", /best_metric is not usable; expected a number, got "0.5"/],
    ["best_model_checkpoint", 4, /best_model_checkpoint is not usable; expected a text or null, got 4/],
    ["stateful_callbacks", [], /stateful_callbacks is not usable; expected an object, got \[\]/],
    [
      "stateful_callbacks",
      { EarlyStoppingCallback: {} },
      /EarlyStoppingCallback\.attributes is not usable; expected an object, got nothing/,
    ],
    [
      "stateful_callbacks",
      { EarlyStoppingCallback: { attributes: { early_stopping_patience_counter: -1 } } },
      /early_stopping_patience_counter is not usable; expected a whole number from 0/,
    ],
    ["kto.owes_evaluation", "yes", /kto\.owes_evaluation is not usable; expected true or false, got "yes"/],
    ["total_flos", "1e9", /total_flos is not usable; expected a number of at least 0, got "1e9"/],
  ])("%s: %j", (path, value, message) => {
    const text = stateWith(path, value);
    expect(() => parseTrainerState(text)).toThrow(message);
    expect(() => parseTrainerState(text)).toThrow(/^trainer_state\.json: /);
  });

  it.each(["", "null", "5", "[]", '{"kto":', '{"kto": NaN}', "\u0000"])("no state: %j", (text) => {
    expect(() => parseTrainerState(text)).toThrow(expect.objectContaining({ code: "FORMAT" }) as Error);
  });
});

it.each(fuzzedReaders)("the fuzzer's seeds are read or refused: $name", async ({ seeds, read }) => {
  const [whole, ...others] = await seeds();
  await expect(read(whole!)).resolves.toBeDefined();
  for (const seed of others) {
    try {
      await read(seed);
    } catch (error) {
      expect(isKtoError(error)).toBe(true);
    }
  }
});
