import { type ErrorText, KtoError } from "@kto/core";

/** What an answer of HTTP says of an error beside its sentence. */
export interface RequestErrorFacts {
  /** Of HTTP; default 400. */
  status?: number | undefined;
  /** OpenAI's kind of error; default `invalid_request_error`. */
  type?: string | undefined;
  /** The field of the request that is at fault. */
  param?: string | undefined;
  /** OpenAI's code, where it has one: `model_not_found`. */
  reason?: string | undefined;
  headers?: Readonly<Record<string, string>> | undefined;
  cause?: unknown;
}

/** A request that gets no answer: what the client is told, in the shape of OpenAI's errors. */
export class RequestError extends KtoError {
  override name = "RequestError";
  readonly status: number;
  readonly type: string;
  readonly param: string | undefined;
  readonly reason: string | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    text: ErrorText,
    { status = 400, type = "invalid_request_error", param, reason, headers = {}, cause }: RequestErrorFacts = {},
  ) {
    super("REQUEST", text, { cause });
    this.status = status;
    this.type = type;
    this.param = param;
    this.reason = reason;
    this.headers = headers;
  }

  /** The body of the answer. */
  toBody(): ErrorBody {
    return { error: { message: this.message, type: this.type, param: this.param ?? null, code: this.reason ?? null } };
  }
}

/** OpenAI's object of an error. */
export interface ErrorBody {
  error: { message: string; type: string; param: string | null; code: string | null };
}
