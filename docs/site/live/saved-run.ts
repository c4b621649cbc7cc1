import { readExactly, readText, type Store } from "@kto/core";
import { checkpointStep, type LogRecord } from "@kto/trainer";
import type { Answers } from "./answers.js";
import type { SavedFile } from "./messages.js";
import { boundedSettings, type LiveSettings } from "./settings.js";

/** Names of files of a run beside those of the trainer. */
export const factsFile = "live.json";
export const dataFile = "data.bin";
const answersFile = "samples.jsonl"; // of the run, so that it goes when another run takes its place

/** What is known of a run when it begins. */
export interface RunFacts {
  settings: LiveSettings;
  /** Name of the file that it learns from, which lies beside; undefined for the demo's data. */
  dataName: string | undefined;
  /** Of the untrained model. */
  before: Answers;
}

/** A run that was found. */
export interface SavedRun {
  facts: RunFacts;
  records: readonly LogRecord[];
  /** Update of its newest checkpoint; 0 for none. */
  step: number;
  /** Of a finished run. */
  after: Answers | undefined;
}

/** The text of `live.json`. */
export function factsText(facts: RunFacts): string {
  return `${JSON.stringify(facts)}\n`;
}

/** The run that a store holds; undefined for none, and for what cannot be read: another begins anew. */
export async function readSavedRun(store: Store): Promise<SavedRun | undefined> {
  try {
    const text = await readText(store, factsFile);
    if (text === undefined) return undefined;
    const { settings, dataName, before } = JSON.parse(text) as RunFacts;
    if (before.length === 0) return undefined;
    const records = await readLines<LogRecord>(store, "metrics.jsonl");
    const steps = (await store.list()).map(({ name }) => checkpointStep(name) ?? 0);
    const samples = await readLines<{ after: string }>(store, answersFile);
    const after = samples.length > 0 ? samples.map(({ after }) => after) : undefined;
    return { facts: { settings: boundedSettings(settings), dataName, before }, records, step: Math.max(0, ...steps), after };
  } catch {
    return undefined;
  }
}

/** Writes the answers of both exams, last of a run. */
export async function writeAnswers(
  store: Store,
  questions: readonly string[],
  { before, after }: Record<"before" | "after", Answers>,
): Promise<void> {
  const lines = questions.map((prompt, index) => `${JSON.stringify({ prompt, before: before[index], after: after[index] })}\n`);
  await store.write(answersFile, lines.join(""));
}

/** Files of a trained adapter, as peft and transformers read them. */
export async function adapterFiles(store: Store): Promise<SavedFile[]> {
  const files: SavedFile[] = [];
  for (const { name, kind } of await store.list()) {
    if (kind === "folder" || !/^(adapter_|tokenizer|special_tokens_map|chat_template|README\.md)/.test(name)) continue;
    const source = (await store.open(name))!;
    files.push({ name, bytes: Uint8Array.from(await readExactly(source, 0, source.byteLength)) });
  }
  return files;
}

/** Whole lines of JSON; a tab that was closed may have left half a line at the end. */
async function readLines<Row>(store: Store, name: string): Promise<Row[]> {
  const text = (await readText(store, name)) ?? "";
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Row);
}
