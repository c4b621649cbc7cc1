import { KtoError } from "@kto/safetensors";

/** A LoRA setting is unknown, out of range, or one this package does not do; `field` names it as the source spells it. */
export class LoraConfigError extends KtoError {
  readonly field: string | undefined;

  constructor(message: string, facts: { field?: string; cause?: unknown } = {}) {
    super("LORA_CONFIG", message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.field = facts.field;
  }
}

/** `targetModules` selects nothing, or something that is no linear layer; `candidates` are the names it could select. */
export class LoraTargetError extends KtoError {
  readonly candidates: readonly string[];

  constructor(message: string, { candidates }: { candidates: readonly string[] }) {
    super("LORA_TARGET", message);
    this.candidates = candidates;
  }
}

/** The tensors of an adapter file are not those its config asks for on this model. */
export class AdapterFileError extends KtoError {
  /** Expected, and not in the file. */
  readonly missing: readonly string[];
  /** In the file, and not expected. */
  readonly unexpected: readonly string[];
  /** Of another shape or dtype. */
  readonly mismatched: readonly string[];

  constructor(
    message: string,
    facts: { missing?: readonly string[]; unexpected?: readonly string[]; mismatched?: readonly string[] } = {},
  ) {
    super("ADAPTER_FILE", message);
    this.missing = facts.missing ?? [];
    this.unexpected = facts.unexpected ?? [];
    this.mismatched = facts.mismatched ?? [];
  }
}
