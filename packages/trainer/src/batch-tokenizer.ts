import { CapabilityError } from "@kto/core";
import { preferenceTokenizing } from "./data/read-rows.js";
import type { Tokenizing } from "./data/row-job.js";
import { tokenizeBatch, type BatchTokens, type RowBatch, type WorkerSetup } from "./data/tokenize-workers.js";
import type { Tokenizer } from "./data/tokenizer.js";
import { sftTokenizing } from "./sft/tokenize-sft-row.js";

/** All that threads are asked to tokenise with, by name. */
const makers: Readonly<Record<string, (settings: never) => Tokenizing>> = { preference: preferenceTokenizing, sft: sftTokenizing };

/**
 * What a thread does with batches of rows, which it is told when it starts. Throws CapabilityError for a thread of another version than who asks it.
 *
 * @param tokenizer  of the parts that the setup has
 */
export function batchTokenizer({ name, settings }: WorkerSetup, tokenizer: Tokenizer): (batch: RowBatch) => BatchTokens {
  const make = Object.hasOwn(makers, name) ? makers[name]! : undefined;
  if (!make)
    throw new CapabilityError(
      `batchTokenizer: rows of this kind are not known; expected one of ${Object.keys(makers).join(", ")}, got ${JSON.stringify(name)}; install one version of @kto/trainer`,
      { missing: "worker" },
    );
  const { tokenize } = make(settings as never);
  return (batch) => tokenizeBatch(batch, tokenize, tokenizer);
}
