import { type ErrorText, KtoError } from "@kto/core";

/** A shape or size that does not fit. */
export class ShapeError extends KtoError {
  override name = "ShapeError";
  constructor(text: ErrorText) {
    super("SHAPE", text);
  }
}

/** A tensor was used after its memory went back to the pool. */
export class DisposedError extends KtoError {
  override name = "DisposedError";
  constructor(text: ErrorText) {
    super("DISPOSED", text);
  }
}

/** The GPU went away or refused a command; nothing recorded on this device since then can be trusted. */
export class DeviceLostError extends KtoError {
  override name = "DeviceLostError";
  constructor(text: ErrorText, options?: { cause?: unknown }) {
    super("DEVICE_LOST", text, options);
  }
}

/** The GPU could not give the memory that was asked for. */
export class OutOfMemoryError extends KtoError {
  override name = "OutOfMemoryError";
  /** Size of the buffer that was asked for; undefined where the driver reported the failure later. */
  readonly requestedBytes: number | undefined;
  readonly allocatedBytes: number;
  /** What nobody used then; undefined where nobody could tell. */
  readonly freeBytes: number | undefined;

  constructor(
    text: ErrorText,
    facts: { requestedBytes?: number | undefined; allocatedBytes: number; freeBytes?: number | undefined; cause?: unknown },
  ) {
    super("OUT_OF_MEMORY", text, { cause: facts.cause });
    this.requestedBytes = facts.requestedBytes;
    this.allocatedBytes = facts.allocatedBytes;
    this.freeBytes = facts.freeBytes;
  }
}

/** A shader did not compile; names kernel, variant, spec and the offending line. */
export class KernelError extends KtoError {
  override name = "KernelError";
  constructor(text: ErrorText) {
    super("KERNEL", text);
  }
}
