import type { FuzzedReader } from "@kto/testing/workspace";
import { readCheckpoint } from "../loop/checkpoint.js";
import { checkpointName } from "../loop/checkpoint-names.js";
import { optimizerFile } from "../loop/optimizer-file.js";
import { parseTrainerState } from "../loop/read-trainer-state.js";
import { stateFile } from "../loop/trainer-state.js";
import { folderOf, tinyCheckpointFiles, tinyRun, unsealed } from "./tiny-checkpoint.js";

const step = 3;

async function filesWithoutSums(): Promise<Map<string, Uint8Array>> {
  const files = await tinyCheckpointFiles(step);
  return files.set(stateFile, new TextEncoder().encode(unsealed(new TextDecoder().decode(files.get(stateFile)))));
}

/** The smallest states that once were taken, or were no typed error. */
const onceBroken: readonly ((state: Record<string, unknown>, own: Record<string, unknown>) => void)[] = [
  (state) => (state["kto"] = {}),
  (_, own) => (own["window"] = {}),
  (_, own) => (own["window"] = { losses: null, metrics: [], gradNorm: null }),
  (_, own) => (own["window"] = { losses: [], metrics: {}, gradNorm: null }),
  (state) => (state["log_history"] = [null]),
  (state) => (state["global_step"] = 0.5),
  (state) => (state["global_step"] = 1e21),
  (state) => (state["global_step"] = -5),
  (_, own) => (own["total_loss"] = "x"),
];

/** `trainer_state.json` of a checkpoint: the text alone, and in its place. */
const trainerState: FuzzedReader = {
  name: "trainer-state",
  kind: "json",
  async seeds() {
    const whole = (await tinyCheckpointFiles(step)).get(stateFile)!;
    const plain = (await filesWithoutSums()).get(stateFile)!;
    const changed = onceBroken.map((change) => {
      const state = JSON.parse(new TextDecoder().decode(plain)) as Record<string, unknown>;
      change(state, state["kto"] as Record<string, unknown>);
      return new TextEncoder().encode(JSON.stringify(state));
    });
    return [plain, whole, ...changed];
  },
  async read(input) {
    const files = await filesWithoutSums();
    await readCheckpoint(folderOf(files.set(stateFile, input), checkpointName(step)), checkpointName(step), tinyRun);
    return parseTrainerState(new TextDecoder().decode(input));
  },
};

/** `optimizer.safetensors` of a checkpoint, in its place. */
const optimizerState: FuzzedReader = {
  name: "optimizer-state",
  kind: "bytes",
  seeds: async () => [(await filesWithoutSums()).get(optimizerFile)!],
  async read(input) {
    const files = await filesWithoutSums();
    return readCheckpoint(folderOf(files.set(optimizerFile, input), checkpointName(step)), checkpointName(step), tinyRun);
  },
};

export const fuzzedReaders: readonly FuzzedReader[] = [trainerState, optimizerState];
