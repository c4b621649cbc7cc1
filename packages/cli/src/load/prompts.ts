import {
  DataFileError,
  DataNotes,
  extractPrompt,
  layoutOfDataset,
  layouts,
  RowMistakes,
  type DataNote,
  type DataRow,
  type Dataset,
} from "@kto/datasets";
import {
  DataPreparationError,
  describeDropKind,
  EmptyRowError,
  tokenizePrompt,
  type PrepareProgress,
  type TokenizeOptions,
} from "@kto/trainer";
import { fieldName } from "../errors.js";
import type { AnswerRoom } from "./answer-room.js";

/** What a row asks, or why it is not answered. */
export type Prompt = { ids: number[] } | { dropped: string };

/** How rows become prompts. */
export interface PromptOptions extends Omit<TokenizeOptions, "notes"> {
  room: AnswerRoom;
  /** Refuses data of which rows would be dropped. */
  strict: boolean;
  signal: AbortSignal | undefined;
  onProgress?: ((progress: PrepareProgress) => void) | undefined;
}

/** Rows that are read between two turns of the event loop. */
const rowsAtOnce = 500;

/**
 * The prompt of every row, in order: of rows with a `prompt` or `prompt_ids` nothing else is needed, others are read as in training.
 *
 * @throws RowError with everything that is wrong with rows; DataFileError for no rows, DataPreparationError for `strict` and where every row was dropped
 */
export async function readPrompts(
  dataset: Dataset<DataRow>,
  { room, strict, signal, onProgress, ...options }: PromptOptions,
): Promise<{ prompts: Prompt[]; notes: DataNote[] }> {
  if (dataset.length === 0)
    throw new DataFileError("data: the dataset is empty; expected at least 1 row, got 0; check that it is the data you mean");
  const notes = new DataNotes();
  const promptOf = promptReader(dataset, notes);
  const mistakes = new RowMistakes();
  const prompts: Prompt[] = [];
  for (let index = 0; index < dataset.length; index++) {
    const prompt = mistakes.try(() => orDropped(() => tokenizePrompt(promptOf(dataset.at(index), index), index, options)));
    if (prompt) prompts.push("ids" in prompt ? fitted(prompt.ids, room) : prompt);
    if ((index + 1) % rowsAtOnce === 0) {
      onProgress?.({ done: index + 1, total: dataset.length, stage: "tokenizing" });
      await new Promise((resolve) => setTimeout(resolve));
    }
    signal?.throwIfAborted();
  }
  mistakes.throwIfAny(dataset.length);
  expectAnswerable(prompts, strict);
  return { prompts, notes: notes.list() };
}

/** Makes a row one with a `prompt`, where it has none by that name. */
function promptReader(dataset: Dataset<DataRow>, notes: DataNotes): (row: DataRow, index: number) => DataRow {
  const { columnNames } = dataset;
  if (columnNames.includes("prompt_ids")) return (row) => row;
  const isNamed = columnNames.includes("prompt");
  const layout = isNamed ? layouts.find(({ name }) => name === "unpaired")! : layoutOfDataset(dataset);
  return (row, index) => {
    const read = layout.toTrl?.(row, index, notes) ?? row;
    return layout.shape === "implicit-prompt" ? extractPrompt(read, index) : read;
  };
}

function orDropped(read: () => number[]): Prompt {
  try {
    return { ids: read() };
  } catch (error) {
    if (error instanceof EmptyRowError) return { dropped: describeDropKind(error.reason.kind, fieldName) };
    throw error;
  }
}

function fitted(ids: number[], { limit, what }: AnswerRoom): Prompt {
  if (ids.length === 0) return { dropped: "the prompt has no token" };
  return ids.length < limit ? { ids } : { dropped: `the prompt fills ${what}: ${ids.length} of ${limit} tokens` };
}

function expectAnswerable(prompts: readonly Prompt[], strict: boolean): void {
  const first = prompts.findIndex((prompt) => "dropped" in prompt);
  if (first < 0) return;
  const count = prompts.filter((prompt) => "dropped" in prompt).length;
  if (!strict && count < prompts.length) return;
  throw new DataPreparationError({
    operation: "data",
    problem: count === prompts.length ? "every row was dropped" : `${count} ${count === 1 ? "row" : "rows"} would be dropped`,
    expected: strict ? "none, as {strict} asks" : "at least one row to answer",
    got: `row ${first}: ${(prompts[first] as { dropped: string }).dropped}`,
    advice: "mend the data",
    fields: ["strict"],
  });
}
