import { type ErrorText, KtoError } from "@kto/core";

/** A LoRA setting is unknown, out of range, or one this package does not do; `field` names it as the source spells it. */
export class LoraConfigError extends KtoError {
  override name = "LoraConfigError";
  readonly field: string | undefined;

  constructor(text: ErrorText, facts: { field?: string; cause?: unknown } = {}) {
    super("LORA_CONFIG", text, { cause: facts.cause });
    this.field = facts.field;
  }
}

/** A config selects nothing, in part or as a whole, or something that is no linear layer; `candidates` are the names it could select. */
export class LoraTargetError extends KtoError {
  override name = "LoraTargetError";
  readonly candidates: readonly string[];
  /** Entries of the config that match nothing of the model. */
  readonly unmatched: readonly string[];

  constructor(text: ErrorText, { candidates, unmatched = [] }: { candidates: readonly string[]; unmatched?: readonly string[] }) {
    super("LORA_TARGET", text);
    this.candidates = candidates;
    this.unmatched = unmatched;
  }
}

/** The tensors of an adapter file are not those its config asks for on this model. */
export class AdapterFileError extends KtoError {
  override name = "AdapterFileError";
  /** Expected, and not in the file. */
  readonly missing: readonly string[];
  /** In the file, and not expected. */
  readonly unexpected: readonly string[];
  /** Of another shape or dtype. */
  readonly mismatched: readonly string[];

  constructor(
    text: ErrorText,
    facts: { missing?: readonly string[]; unexpected?: readonly string[]; mismatched?: readonly string[] } = {},
  ) {
    super("ADAPTER_FILE", text);
    this.missing = facts.missing ?? [];
    this.unexpected = facts.unexpected ?? [];
    this.mismatched = facts.mismatched ?? [];
  }
}
