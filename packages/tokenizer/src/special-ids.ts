import { malformed } from "./errors.js";
import { FILE_NAMES, isObject, type JsonObject } from "./files.js";
import { isId } from "./tokenizer-json.js";

const FILE = FILE_NAMES.tokenizerJson;

/** Ids that a post-processor writes before and after a text. */
export interface SpecialIds {
  before: number[];
  after: number[];
}

/**
 * The ids that `post_processor` of `tokenizer.json` puts around one text: transformers 5 goes by it alone, and reads neither `add_bos_token` nor
 * `add_eos_token` where the model has a `tokenizer.json`. The ids are those of the post-processor itself, as in Rust. Throws `TokenizerError`.
 */
export function specialIdsAround(processor: JsonObject | null, where = "post_processor"): SpecialIds {
  switch (processor?.["type"]) {
    case "TemplateProcessing":
      return fromTemplate(processor, where);
    case "BertProcessing":
    case "RobertaProcessing":
      return { before: [idOf(processor["cls"], `${where}.cls`)], after: [idOf(processor["sep"], `${where}.sep`)] };
    case "Sequence": {
      const around: SpecialIds = { before: [], after: [] };
      for (const [index, part] of (processor["processors"] as JsonObject[]).entries()) {
        const { before, after } = specialIdsAround(part, `${where}.processors[${index}]`);
        around.before.unshift(...before);
        around.after.push(...after);
      }
      return around;
    }
  }
  return { before: [], after: [] };
}

/** Items of a template; the longest of models has five. */
const MAX_ITEMS = 64;

function fromTemplate(processor: JsonObject, where: string): SpecialIds {
  const { single, special_tokens: tokens } = processor;
  if (!Array.isArray(single) || single.length > MAX_ITEMS)
    throw malformed(FILE, `${where}.single`, `a list of at most ${MAX_ITEMS} items`, single);
  if (!isObject(tokens)) throw malformed(FILE, `${where}.special_tokens`, "an object of ids by token", tokens);
  const parts: number[][] = [[]];
  single.forEach((item: unknown, index) => {
    const place = `${where}.single[${index}]`;
    const token = isObject(item) ? item["SpecialToken"] : undefined;
    const sequence = isObject(item) ? item["Sequence"] : undefined;
    if (isObject(token) && typeof token["id"] === "string") parts.at(-1)!.push(...idsOf(tokens, token["id"], place));
    else if (isObject(sequence) && sequence["id"] === "A") parts.push([]);
    else throw malformed(FILE, place, "{SpecialToken: {id}} or {Sequence: {id: A}}", item);
  });
  const [before, after, ...more] = parts;
  if (!before || !after || more.length > 0) throw malformed(FILE, `${where}.single`, "the text once", single);
  return { before, after };
}

function idsOf(tokens: JsonObject, token: string, where: string): number[] {
  const entry = Object.hasOwn(tokens, token) ? tokens[token] : undefined;
  const ids = isObject(entry) ? entry["ids"] : undefined;
  if (!Array.isArray(ids) || ids.length > MAX_ITEMS || !ids.every(isId))
    throw malformed(FILE, `${where}: the ids of its token`, "a list of ids", ids);
  return ids;
}

function idOf(pair: unknown, where: string): number {
  const id = Array.isArray(pair) ? (pair as unknown[])[1] : undefined;
  if (!isId(id)) throw malformed(FILE, where, "[token, id]", pair);
  return id;
}
