import { readCheckpoint } from "../loop/checkpoint.js";
import { checkpointName } from "../loop/checkpoint-names.js";
import { optimizerFile } from "../loop/optimizer-file.js";
import { parseTrainerState } from "../loop/read-trainer-state.js";
import { stateFile } from "../loop/trainer-state.js";
import { folderOf, tinyCheckpointFiles, tinyRun } from "./tiny-checkpoint.js";

const step = 3;

/** A reader for the fuzzer: what it reads well, and what it must read to its end or refuse with a KtoError. */
export interface FuzzedReader {
  readonly name: string;
  seeds(): Promise<readonly Uint8Array[]>;
  read(input: Uint8Array): Promise<unknown>;
}

/** Without the sums, which would refuse every changed file before it is read. */
function unsealed(text: string): string {
  const state = JSON.parse(text) as { kto: Record<string, unknown> };
  delete state.kto["files"];
  delete state.kto["sha256"];
  return JSON.stringify(state, null, 2);
}

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
export const trainerStateReader: FuzzedReader = {
  name: "trainer-state",
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
export const optimizerReader: FuzzedReader = {
  name: "optimizer-state",
  seeds: async () => [(await filesWithoutSums()).get(optimizerFile)!],
  async read(input) {
    const files = await filesWithoutSums();
    return readCheckpoint(folderOf(files.set(optimizerFile, input), checkpointName(step)), checkpointName(step), tinyRun);
  },
};
