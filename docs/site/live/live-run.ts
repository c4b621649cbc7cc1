import type { PeftModel } from "@kto/lora";
import { KTOTrainer, logMetrics, type PreparedKtoDataset, type TrainerEvent, type TrainingControl } from "@kto/trainer";
import { questions, type Answers } from "./answers.js";
import type { KeptRun } from "./kept-run.js";
import { takeExam, type LiveModel } from "./live-model.js";
import type { LiveEvent } from "./messages.js";
import { writeAnswers } from "./saved-run.js";
import { peftConfig, trainingArgs, type LiveSettings } from "./settings.js";

/** What a run is made of. */
export interface LiveRunOptions {
  model: LiveModel;
  prepared: PreparedKtoDataset;
  settings: LiveSettings;
  /** Of the model before any training. */
  before: Answers;
  output: KeptRun;
  /** Goes on from the newest checkpoint of `output`. */
  resumes: boolean;
  control: TrainingControl;
  signal: AbortSignal;
  tell(event: LiveEvent): void;
}

/** A model with the adapter that a run has trained; disposing it takes the adapter off. */
export interface Trained extends Disposable {
  model: PeftModel<LiveModel>;
}

/**
 * Trains as `kto train examples/quickstart/kto.yaml` does, asks the held-out sums again and saves the adapter; what comes is told as it comes. Throws as
 * `Trainer.train`, and `signal.reason` when it was stopped, after a checkpoint.
 */
export async function trainLive({ model, prepared, settings, before, output, ...run }: LiveRunOptions): Promise<Trained> {
  const { resumes, control, signal, tell } = run;
  const onEvent = (event: TrainerEvent): void => {
    if (event.type === "update") tell({ type: "step", step: event.step, totalUpdates: event.totalUpdates });
    else if (event.type === "checkpoint") tell({ type: "checkpoint", step: event.step });
    else if (event.type === "pause") tell({ type: "phase", phase: "paused" });
    else if (event.type === "resume") tell({ type: "phase", phase: "training" });
  };
  const args = trainingArgs(settings);
  const trainer = new KTOTrainer({ model, peftConfig, prepared: { train: prepared }, args, output, onEvent });
  try {
    tell({ type: "phase", phase: "training" });
    for await (const log of trainer.train({ signal, control, ...(resumes && { resumeFrom: true }) })) {
      const record = { step: log.step, ...logMetrics(log) };
      await output.appendMetrics(record);
      tell({ type: "log", record });
    }
    tell({ type: "phase", phase: "after" });
    const trained = trainer.model as PeftModel<LiveModel>; // it holds the model that it was given
    const after = await takeExam(trained, signal);
    await trainer.saveModel();
    await writeAnswers(output.store, questions, { before, after });
    tell({ type: "exam", when: "after", answers: after });
    return { model: trained, [Symbol.dispose]: () => trainer.dispose() };
  } catch (error) {
    trainer.dispose();
    throw error;
  }
}
