import {
  extractPrompt,
  isPaired,
  isTokenized,
  layoutOfDataset,
  supervisedLayouts,
  type DataRow,
  type Dataset,
  type Layout,
  type Message,
} from "@kto/datasets";
import type { Tokenizer } from "@kto/tokenizer";
import { tokenizePrompt } from "@kto/trainer";

/** A prompt to be answered before and after a run. */
export interface SamplePrompt {
  /** Index of its row in the data. */
  row: number;
  /** As a person reads it. */
  prompt: string | readonly Message[];
  /** As the model is asked. */
  ids: readonly number[];
}

/** Which prompts are taken, and how they become ids. */
export interface SamplePromptOptions {
  tokenizer: Tokenizer;
  /** Jinja text in place of the tokenizer's own template. */
  chatTemplate?: string | undefined;
  /** How many. */
  numPrompts: number;
  /** Tokens that a prompt may have at most: one that has more is passed over. */
  maxPromptTokens: number;
  /** Rows are read as supervised fine-tuning reads them, with plain text in this column: of a conversation the last answer is left out. */
  textField?: string | undefined;
}

/** The prompts, and why rows before the last of them have none. */
export interface SamplePrompts {
  prompts: SamplePrompt[];
  passedOver: { row: number; why: string }[];
}

/** Rows that are looked at for each prompt that is wanted: data that has none is not read to its end. */
const rowsPerPrompt = 50;

/** The prompts of the first rows of data, each once: texts, conversations up to the answer with the opening of one, or ids, as training renders them. */
export function samplePrompts(dataset: Dataset<DataRow>, options: SamplePromptOptions): SamplePrompts {
  const { numPrompts, maxPromptTokens, tokenizer, chatTemplate, textField } = options;
  const layout = layoutOfDataset(dataset, textField === undefined ? undefined : supervisedLayouts(textField));
  const found = new Map<string, SamplePrompt>();
  const passedOver: SamplePrompts["passedOver"] = [];
  for (let row = 0; row < Math.min(dataset.length, rowsPerPrompt * numPrompts) && found.size < numPrompts; row++) {
    const read = promptIn(() => {
      const asked = asPrompt(dataset.at(row), row, layout);
      return typeof asked === "string"
        ? asked
        : { row, prompt: shown(asked, tokenizer), ids: tokenizePrompt(asked, row, { tokenizer, chatTemplate }) };
    });
    if (typeof read === "string") passedOver.push({ row, why: read });
    else if (read.ids.length === 0) passedOver.push({ row, why: "the prompt has no token" });
    else if (read.ids.length > maxPromptTokens)
      passedOver.push({ row, why: `the prompt leaves no room for an answer: ${read.ids.length} of at most ${maxPromptTokens} tokens` });
    else found.set(read.ids.join(), found.get(read.ids.join()) ?? read);
  }
  return { prompts: [...found.values()], passedOver };
}

/** What `read` gives; what is wrong with a row is why it has no prompt: preparing the data has told of it already. */
function promptIn(read: () => SamplePrompt | string): SamplePrompt | string {
  try {
    return read();
  } catch (error) {
    return (error as Error).message;
  }
}

/** A row with its `prompt` or `prompt_ids`, or why it has none. */
function asPrompt(given: DataRow, row: number, { shape, toTrl }: Layout): DataRow | string {
  if (shape === "text" || shape === "input-ids") return "it is one text, without a prompt";
  if (isTokenized(shape)) return given;
  const read = toTrl?.(given, row) ?? given;
  if (shape === "implicit-prompt" || (isPaired(shape) && read["prompt"] === undefined)) return extractPrompt(read, row);
  if (shape !== "messages") return read;
  const messages = read["messages"] as Message[];
  const answer = messages.findLastIndex(({ role }) => role === "assistant");
  return answer < 1 ? "the conversation has no answer" : { ...read, prompt: messages.slice(0, answer) };
}

function shown(row: DataRow, tokenizer: Tokenizer): string | readonly Message[] {
  const ids = row["prompt_ids"];
  if (Array.isArray(ids)) return tokenizer.decode(ids as number[], { skipSpecialTokens: false });
  return row["prompt"] as string | Message[];
}
