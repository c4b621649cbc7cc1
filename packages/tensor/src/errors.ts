const mark = Symbol.for("@kto/error");

/** Base of every error this project throws. `code` is stable; facts are fields of the subclass. Recognised across copies of a package by a symbol. */
export class KtoError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.name = new.target.name;
    Object.defineProperty(this, mark, { value: true });
  }
}

/** True for any `KtoError`, also one made by another copy of a package. */
export function isKtoError(value: unknown): value is KtoError {
  return typeof value === "object" && value !== null && (value as Record<symbol, unknown>)[mark] === true;
}

/** A shape or size that does not fit. */
export class ShapeError extends KtoError {
  constructor(message: string) {
    super("SHAPE", message);
  }
}

/** A dtype an operation does not take, or a value its dtype cannot hold. */
export class DtypeError extends KtoError {
  constructor(message: string) {
    super("DTYPE", message);
  }
}

/** The device or adapter lacks something. */
export class CapabilityError extends KtoError {
  constructor(message: string, options?: { cause?: unknown }) {
    super("CAPABILITY", message, options);
  }
}

/** A tensor was used after its memory went back to the pool. */
export class DisposedError extends KtoError {
  constructor(message: string) {
    super("DISPOSED", message);
  }
}

/** The GPU went away or refused a command; nothing recorded on this device since then can be trusted. */
export class DeviceLostError extends KtoError {
  constructor(message: string, options?: { cause?: unknown }) {
    super("DEVICE_LOST", message, options);
  }
}

/** The GPU could not give the memory that was asked for. */
export class OutOfMemoryError extends KtoError {
  /** Size of the buffer that was asked for; undefined where the driver reported the failure later. */
  readonly requestedBytes: number | undefined;
  readonly allocatedBytes: number;
  /** What nobody used then; undefined where nobody could tell. */
  readonly freeBytes: number | undefined;

  constructor(message: string, facts: { requestedBytes?: number; allocatedBytes: number; freeBytes?: number | undefined }) {
    super("OUT_OF_MEMORY", message);
    this.requestedBytes = facts.requestedBytes;
    this.allocatedBytes = facts.allocatedBytes;
    this.freeBytes = facts.freeBytes;
  }
}

/** A shader did not compile; names kernel, variant, spec and the offending line. */
export class KernelError extends KtoError {
  constructor(message: string) {
    super("KERNEL", message);
  }
}
