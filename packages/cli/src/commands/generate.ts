import { field, orNull, path, pickFields, redeclared, text, type FieldType, type Values } from "@kto/core/config";
import { TextGenerator, type ChatMessage, type Generation, type GenerationResult } from "@kto/generate";
import { loadAdapter } from "@kto/kit";
import type { Tokenizer } from "@kto/tokenizer";
import { adviseOnMemory } from "@kto/trainer";
import { askingFields, messagesField } from "../config/asking-fields.js";
import { commandValues, expectNoOperands } from "../config/check-command.js";
import { inputFields } from "../config/input-fields.js";
import { rowFields } from "../config/row-fields.js";
import { trainFields } from "../config/train-fields.js";
import { ConfigError, exitStatus, interruption } from "../errors.js";
import { expectRoom, roomAfter, type AnswerRoom } from "../load/answer-room.js";
import { hubAccess } from "../load/hub-access.js";
import { findAdapter } from "../load/inputs.js";
import { readMessages } from "../load/messages-file.js";
import { expectTokenizer, noteStandIn, openModelToAsk, renderConversation } from "../load/model-to-ask.js";
import { commandDevice, loadWeights, operandDtype } from "../load/on-device.js";
import { readPrompts, type Prompt } from "../load/prompts.js";
import { formatCount, formatCounted, formatNumber } from "../render/format.js";
import { shownText } from "../render/terminal-text.js";
import { preparingProgress } from "../render/staged-progress.js";
import type { Command, CommandInput } from "./command.js";
import { openRows } from "./model-and-data.js";

/** Text as it stands, blanks at its ends included; several words of a command line are one text. */
const verbatim: FieldType<string> = {
  ...text(),
  kind: "words",
  convert: (given) => (Array.isArray(given) ? given.join(" ") : given),
};

const generateFields = {
  ...pickFields(askingFields, "model"),
  ...pickFields(inputFields, "adapter"),
  prompt: field(orNull(verbatim), null, {
    group: "data",
    help: "text that the model goes on with, as it stands; for a question to a chat model give messages",
  }),
  ...messagesField,
  data: field(orNull(path("a path or a name on the hub")), null, {
    group: "data",
    help: "rows to answer, with prompt (text or messages) or prompt_ids: a data file, a folder, or a data set of the hub; a JSON line each",
    aliases: inputFields.data.aliases ?? [],
  }),
  ...pickFields(inputFields, "split", "datasetConfig"),
  ...rowFields,
  perDeviceEvalBatchSize: redeclared(trainFields.perDeviceEvalBatchSize, 8, { help: "rows of data that are answered together" }),
  ...askingFields,
};

type GenerateValues = Values<typeof generateFields>;

export const generateCommand: Command = {
  name: "generate",
  summary: "text from a model, streamed as it is made",
  usage: "kto generate --model M [--adapter A] (--prompt TEXT | --messages FILE | --data FILE|ID) [--field value …]",
  examples: [
    ["kto generate --model Qwen/Qwen2-0.5B --prompt 'The three laws of' --max_new_tokens 64", "goes on with a text"],
    ["kto generate --model ./models/tiny --adapter outputs --messages chat.json --temperature 0.7 --seed 1", "answers a conversation"],
    [
      "kto generate --model ./models/tiny --data rows.jsonl --do_sample false > answers.jsonl",
      "answers every row of a file, a JSON line each",
    ],
  ],
  fields: generateFields,
  run: generate,
};

async function generate(input: CommandInput): Promise<number> {
  const { io, options, console } = input;
  const values = commandValues("generate", generateFields, input, expectNoOperands("generate", input.operands));
  expectOnePrompt(values);
  const access = hubAccess(io, console);
  const messages = values.messages === null ? undefined : await readMessages(values.messages);
  const dataset = values.data === null ? undefined : await openRows({ ...values, data: values.data }, access, input);
  const adapter = values.adapter === null ? undefined : await findAdapter(values.adapter, access);
  const { files, sampling, room } = await openModelToAsk(values, access, console);
  const { strict, perDeviceEvalBatchSize: batchSize } = values;
  using reading = preparingProgress(console);
  const asked = { tokenizer: files.tokenizer, room, strict, signal: io.signal, onProgress: reading.onProgress };
  const rows = dataset && (await readPrompts(dataset, asked));
  reading.stop();
  const promptIds = rows ? [] : onePrompt(messages ?? values.prompt!, expectTokenizer(files), room);
  if (messages) noteStandIn(expectTokenizer(files), console);
  if (rows) console.dataNotes(rows.notes);

  await using device = await commandDevice(input);
  using base = await loadWeights(files, device, console, { ...values, dtype: operandDtype(values.dtype, device), signal: io.signal });
  using adapted = adapter ? await loadAdapter(base, adapter, { isTrainable: false }) : undefined;
  input.begin();
  using generator = new TextGenerator(adapted ?? base, { maxRows: rows ? batchSize : 1 });
  const ask = (ids: readonly number[]): Generation =>
    generator.generate({ ...sampling, inputIds: ids, maxNewTokens: roomAfter(ids.length, room), signal: io.signal });
  if (rows) await answerRows(rows.prompts, ask, batchSize, input).catch((error: unknown) => adviseAndThrow(error));
  else if (options.json) io.stdout.write(`${JSON.stringify(answerObject(await ask(promptIds).result))}\n`);
  else await stream(ask(promptIds), input);
  return exitStatus.done;
}

/** Throws ConfigError unless one of the three is given. */
function expectOnePrompt({ prompt, messages, data }: GenerateValues): void {
  const given = Object.entries({ prompt, messages, data }).filter(([, value]) => value !== null);
  if (given.length === 1) return;
  const problem = given.length === 0 ? "there is nothing to answer" : "the prompt is given more than once";
  const got = given.map(([name]) => `--${name}`).join(" and ") || "none";
  throw new ConfigError([`generate: ${problem}; expected one of --prompt, --messages and --data, got ${got}; give one`]);
}

function onePrompt(prompt: string | readonly ChatMessage[], tokenizer: Tokenizer, room: AnswerRoom): number[] {
  const ids = typeof prompt === "string" ? tokenizer.encode(prompt) : renderConversation(tokenizer, prompt);
  expectRoom(ids.length, room);
  return ids;
}

/** Shows an answer as it is made, and on stderr how fast it was. */
async function stream(answer: Generation, { io, console }: CommandInput): Promise<void> {
  let last = "";
  try {
    for await (const { text: piece } of answer) {
      if (piece === "") continue;
      last = shownText(piece, io.stdout);
      io.stdout.write(last);
    }
  } catch (error) {
    throw interruption(error, io.signal, "interrupted; the answer is not whole");
  } finally {
    if (!last.endsWith("\n")) io.stdout.write("\n");
  }
  const { newTokens, tokensPerSecond, finishReason, seed } = await answer.result;
  const speed = tokensPerSecond > 0 ? `, ${formatNumber(tokensPerSecond, 3)} tokens/s` : "";
  console.line(console.colors.dim(`${formatCounted(newTokens, "token")}${speed}, ended by ${endings[finishReason]}, seed ${seed}`));
}

const endings = { stop: "an end token or a stop text", length: "its length", cancelled: "being left" } as const;

/** Answers rows together, some ahead of the one that is printed next, and prints them in their order. */
async function answerRows(
  prompts: readonly Prompt[],
  ask: (ids: readonly number[]) => Generation,
  batchSize: number,
  { io, console }: CommandInput,
): Promise<void> {
  using progress = console.progress("answering", "rows", { results: io.stdout });
  const started: Promise<object>[] = [];
  try {
    for (let done = 0; done < prompts.length; done++) {
      while (started.length < 2 * batchSize && done + started.length < prompts.length) {
        const prompt = prompts[done + started.length]!;
        const line = "dropped" in prompt ? Promise.resolve(prompt) : ask(prompt.ids).result.then(answerObject);
        line.catch(() => {}); // who waits for it throws
        started.push(line);
      }
      io.stdout.write(`${JSON.stringify(await started.shift())}\n`);
      progress.update({ done: done + 1, total: prompts.length });
    }
  } catch (error) {
    throw interruption(error, io.signal, "interrupted; the rows that are printed are done");
  }
  progress.stop();
  const numDropped = prompts.filter((prompt) => "dropped" in prompt).length;
  console.line(`answered ${formatCount(prompts.length - numDropped)} rows${numDropped > 0 ? `, dropped ${formatCount(numDropped)}` : ""}`);
}

function adviseAndThrow(error: unknown): never {
  throw adviseOnMemory(error, ["perDeviceEvalBatchSize", "maxNewTokens"]);
}

/** An answer as it is printed. */
function answerObject({ text: answer, ids, promptTokens, newTokens, tokensPerSecond, finishReason }: GenerationResult): object {
  return {
    text: answer,
    ids,
    prompt_tokens: promptTokens,
    new_tokens: newTokens,
    tokens_per_second: tokensPerSecond,
    finish_reason: finishReason,
  };
}
