import { basename, dirname } from "node:path";
import { existsSync } from "node:fs";
import { excerpt } from "@kto/core";
import { field, integer, path, pickFields, requiredField, spellOnDisk, type Values } from "@kto/core/config";
import { fileSource, folderStore } from "@kto/core/node";
import { writeImportanceMatrix } from "@kto/gguf-export";
import { collectImportance, loadAdapter, type AdapterFiles, type ModelFiles } from "@kto/kit";
import { adviseOnMemory } from "@kto/trainer";
import { commandValues, expectNoOperands } from "../config/check-command.js";
import { inputFields } from "../config/input-fields.js";
import { rowFields } from "../config/row-fields.js";
import { ConfigError, exitStatus, interruption } from "../errors.js";
import { hubAccess } from "../load/hub-access.js";
import { findAdapter, findModel } from "../load/inputs.js";
import { expectTokenizer } from "../load/model-to-ask.js";
import { commandDevice, loadWeights, operandDtype } from "../load/on-device.js";
import { formatCount, formatCounted } from "../render/format.js";
import type { Command, CommandInput } from "./command.js";
import { openModelAndData, tokenize } from "./model-and-data.js";

const imatrixFields = {
  ...inputFields,
  out: requiredField(path("a path where nothing is"), { group: "output", help: "the GGUF file of the importance matrix" }),
  chunkSize: field(integer(2), 512, { group: "data", help: "tokens that are run as one, BOS included where the tokenizer has one" }),
};

type ImatrixValues = Values<typeof imatrixFields>;

/** What is run. */
interface Calibration {
  model: ModelFiles;
  adapter: AdapterFiles | undefined;
  rows: number[][];
}

export const imatrixCommand: Command = {
  name: "imatrix",
  summary: "an importance matrix from text, for export-gguf --imatrix",
  usage: "kto imatrix --model M [--adapter A] --data FILE|ID --out FILE [--chunk_size N]",
  examples: [
    ["kto imatrix --model Qwen/Qwen2-0.5B --data calibration.txt --out imatrix.gguf", "from plain text"],
    ["kto imatrix --model Qwen/Qwen2-0.5B --adapter outputs --data rows.jsonl --out imatrix.gguf", "from rows as they were trained on"],
  ],
  fields: imatrixFields,
  run: imatrix,
};

async function imatrix(input: CommandInput): Promise<number> {
  const { io, options, console } = input;
  const values = commandValues("imatrix", imatrixFields, input, expectNoOperands("imatrix", input.operands));
  const store = folderStore(dirname(values.out));
  const out = basename(values.out);
  if (existsSync(values.out))
    throw new ConfigError([
      `--out: ${values.out} is there already; expected a path where nothing is, got a file or a folder; choose another, or remove it`,
    ]);
  if (isPlainText(values.data)) expectNoFieldsOfRows(values);
  const { model: files, adapter, rows } = isPlainText(values.data) ? await textRows(values, input) : await dataRows(values, input);
  expectPositions(files, values);
  const total = rows.reduce((sum, { length }) => sum + length, 0);
  if (total === 0)
    throw new ConfigError([`--data: there is no text in ${values.data}; expected at least one token, got none; check the file`]);

  await using device = await commandDevice(input);
  using base = await loadWeights(files, device, console, { ...values, dtype: operandDtype(values.dtype, device), signal: io.signal });
  using adapted = adapter ? await loadAdapter(base, adapter, { isTrainable: false }) : undefined;
  input.begin();
  using progress = console.progress("running", "tokens");
  try {
    const entries = await collectImportance(adapted?.base ?? base, rows, {
      signal: io.signal,
      onProgress: ({ tokens }) => progress.update({ done: tokens, total }),
    });
    const matrix = { entries, datasets: [basename(values.data)], chunkCount: rows.length, chunkSize: values.chunkSize };
    await store.write(out, async (sink) => void (await writeImportanceMatrix(sink, matrix)));
  } catch (error) {
    throw adviseOnMemory(interruption(error, io.signal, "interrupted; nothing was written"), ["chunkSize"]);
  }
  progress.stop();
  console.line(
    `${values.out}: ${formatCounted(base.linearLayers.size, "layer")}, ${formatCount(total)} tokens in ${formatCounted(rows.length, "piece")}`,
  );
  io.stdout.write(options.json ? `${JSON.stringify({ path: values.out, tokens: total })}\n` : `${values.out}\n`);
  return exitStatus.done;
}

/** Text as it stands: everything but the formats of data. */
function isPlainText(data: string): boolean {
  return /\.(txt|md|raw|text)$/i.test(data);
}

/** Throws ConfigError for what says how rows are read, and has no effect on a text. */
function expectNoFieldsOfRows(values: ImatrixValues): void {
  const ofRows = { ...rowFields, ...pickFields(imatrixFields, "split", "datasetConfig", "chatTemplate") };
  const given = (Object.keys(ofRows) as (keyof typeof ofRows)[]).filter((name) => values[name] !== ofRows[name].initial);
  const mistake = (name: keyof typeof ofRows): string =>
    `--{${name}}: has no effect on a text, which is taken as it stands; expected it unset, got ${excerpt(values[name])}; remove it`;
  if (given.length > 0) throw new ConfigError(given.map((name) => spellOnDisk(imatrixFields, mistake(name))));
}

/** Throws ConfigError for pieces that the model cannot see whole. */
function expectPositions({ config }: ModelFiles, { chunkSize }: ImatrixValues): void {
  const most = Math.min(config.maxPositionEmbeddings, config.slidingWindow ?? Infinity);
  if (chunkSize > most)
    throw new ConfigError([`--chunk_size: longer than the model's positions; expected at most ${most}, got ${chunkSize}; give less`]);
}

/** A text in pieces of the same length, each with BOS before it where the tokenizer puts one before texts. A short rest is left out. */
async function textRows(values: ImatrixValues, input: CommandInput): Promise<Calibration> {
  const access = hubAccess(input.io, input.console);
  const text = await readWhole(values.data);
  const adapter = values.adapter === null ? undefined : await findAdapter(values.adapter, access);
  const model = await findModel(values.model, access, input.console, { prefer4bitCheckpoint: values.prefer4bitCheckpoint });
  const tokenizer = expectTokenizer(model);
  const ids = tokenizer.encode(text);
  const bos = ids[0] !== undefined && ids[0] === tokenizer.bosTokenId ? [ids[0]] : [];
  return { model, adapter, rows: pieces(ids.slice(bos.length), bos, values.chunkSize) };
}

async function readWhole(file: string): Promise<string> {
  const source = await fileSource(file);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(await source.slice(0, source.byteLength));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new ConfigError([`--data: ${file} is no text in UTF-8; expected UTF-8, got other bytes; convert it (iconv -t utf-8)`]);
  } finally {
    await source.dispose();
  }
}

/** Rows as training sees them: prompt and completion, in pieces where they are longer. */
async function dataRows(values: ImatrixValues, input: CommandInput): Promise<Calibration> {
  const { dataset, adapter, model, text } = await openModelAndData(values, input);
  const read = await tokenize(dataset, { ...text, maxLength: null, strict: values.strict, needsLabels: false }, input);
  const rows = [...read.rows].flatMap(({ promptIds, completionIds }) =>
    pieces([...promptIds, ...completionIds], [], values.chunkSize, true),
  );
  return { model, adapter, rows };
}

function pieces(ids: readonly number[], bos: readonly number[], size: number, keepRest = false): number[][] {
  const step = Math.max(1, size - bos.length);
  const all = Array.from({ length: Math.ceil(ids.length / step) }, (_, index) => [...bos, ...ids.slice(index * step, (index + 1) * step)]);
  const isShort = all.length > 1 && all.at(-1)!.length < size;
  return isShort && !keepRest ? all.slice(0, -1) : all;
}
