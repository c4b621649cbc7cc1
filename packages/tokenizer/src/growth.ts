import { excerpt } from "@kto/core";
import { malformed, TokenizerError } from "./errors.js";
import { FILE_NAMES, type JsonObject } from "./files.js";

/** What the library's normalisers have in common. */
interface Normalizer {
  config?: unknown;
  normalizers?: (Normalizer | null)[];
  pattern?: RegExp | null;
  normalize(text: string): string;
}

/** How much longer a normalised text may be than what was given: NFKD makes 18 letters of one, real tokenizers at most 4. */
const MAX_GROWTH = 24;
/** A short text may grow to this length. */
const ROOM = 4096;

/**
 * How many times as long the steps of a part together may make a text, by what they replace. A normaliser is bounded once more when it runs; what it makes
 * of added tokens, which is made when the files are read, is not.
 */
const MAX_FACTORS = { normalizer: 1024, pre_tokenizer: 64, decoder: 64 } as const;

/** Refuses a part whose steps multiply: 60 times `Replace "." → "aa"`, 30 times `ByteLevel`, which writes two letters for one. Throws `TokenizerError`. */
export function checkGrowth(kind: keyof typeof MAX_FACTORS, part: JsonObject | null): void {
  const factor = growthOf(kind, part);
  const most = MAX_FACTORS[kind];
  if (!(factor <= most)) throw malformed(FILE_NAMES.tokenizerJson, kind, `steps that make a text up to ${most} times as long`, factor);
}

function growthOf(kind: keyof typeof MAX_FACTORS, part: JsonObject | null): number {
  const { type, pattern, content, replacement, str_rep: shown, suffix } = part ?? {};
  switch (type) {
    case "Sequence": {
      const steps = part![{ normalizer: "normalizers", pre_tokenizer: "pretokenizers", decoder: "decoders" }[kind]];
      return (steps as (JsonObject | null)[]).reduce((factor, step) => factor * growthOf(kind, step), 1);
    }
    case "Replace": {
      if (typeof content !== "string") return 1;
      const text = (pattern as { String?: unknown }).String;
      return typeof text === "string" && text !== "" ? Math.max(1, content.length / text.length) : content.length + 1;
    }
    case "ByteLevel":
      return kind === "pre_tokenizer" ? 3 : 1;
    case "Metaspace":
      return Math.max(1, ...[replacement, shown].map((text) => (typeof text === "string" ? text.length : 1)));
    case "BPEDecoder":
      return suffix === undefined || suffix === null || suffix === "" ? 2 : 1;
  }
  return 1;
}

/**
 * Bounds what a normaliser makes of a text: 60 times `Replace "." → "aa"` makes 2^60 letters of one. Each step is refused before it is taken where it would
 * grow too much. Throws `TokenizerError` when it runs.
 */
export function limitGrowth(normalizer: Normalizer | null): void {
  if (!normalizer) return;
  const limit = { length: Infinity };
  for (const step of stepsOf(normalizer)) limitStep(step, limit);
  const normalize = normalizer.normalize.bind(normalizer);
  normalizer.normalize = (text) => {
    limit.length = Math.max(ROOM, MAX_GROWTH * text.length);
    return normalize(text);
  };
}

function stepsOf(normalizer: Normalizer): Normalizer[] {
  return normalizer.normalizers ? normalizer.normalizers.flatMap((inner) => (inner ? stepsOf(inner) : [])) : [normalizer];
}

function limitStep(step: Normalizer, limit: { length: number }): void {
  const normalize = step.normalize.bind(step);
  const content = (step.config as JsonObject | undefined)?.["content"];
  const { pattern } = step;
  step.normalize = (text) => {
    let length = text.length;
    if (pattern && typeof content === "string" && content.length > 1) {
      for (const match of text.matchAll(pattern))
        if ((length += content.length - match[0].length) > limit.length) throw grown(text, limit.length);
    }
    const normalized = normalize(text);
    if (normalized.length > limit.length) throw grown(text, limit.length);
    return normalized;
  };
}

function grown(text: string, limit: number): TokenizerError {
  return new TokenizerError(
    `Tokenizer.encode: the normalizer of ${FILE_NAMES.tokenizerJson} makes a text too long; expected at most ${limit} letters, got more for ${excerpt(text)}; mend the normalizer`,
    { file: FILE_NAMES.tokenizerJson },
  );
}
