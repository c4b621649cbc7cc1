/** What a decoder says of compressed bytes, and what to do. */
export class InflateError extends Error {
  override name = "InflateError";
  readonly advice: string;

  constructor(message: string, { advice = "was it written or fetched completely?", cause }: { advice?: string; cause?: unknown } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.advice = advice;
  }
}
