import { isKtoError } from "@kto/core";
import type { GenerationResult } from "@kto/generate";
import type { Answer } from "../answers/answers.js";
import { RequestError } from "../errors.js";
import type { Reply } from "../replies/reply.js";
import type { GenerationRequest } from "../request/generation-request.js";

/** The results of every choice, when all have ended. Throws what went wrong with one. */
export async function resultsOf(answer: Answer): Promise<GenerationResult[]> {
  const results: GenerationResult[] = [];
  for await (const event of answer) if ("result" in event) results[event.index] = event.result;
  return results;
}

/** The chunks of a stream. What goes wrong after its beginning is its last chunk, in the shape of an error. */
export async function* chunksOf(
  answer: Answer,
  { choices, includeUsage }: GenerationRequest,
  reply: Reply,
  onError: (error: unknown) => void,
): AsyncGenerator<object | "[DONE]"> {
  const results: GenerationResult[] = [];
  try {
    for (const index of choices.keys()) {
      const opening = reply.opening(index);
      if (opening) yield opening;
    }
    for await (const event of answer) {
      if ("result" in event) results[event.index] = event.result;
      const chunk = "result" in event ? reply.ending(event.index, event.result) : reply.piece(event.index, event.piece);
      if (chunk) yield chunk;
    }
    if (includeUsage) yield reply.usage(results);
    yield "[DONE]";
  } catch (error) {
    yield asRequestError(error, onError).toBody();
  }
}

/** Any error as one that a client may see. `onError` is told of those that are the server's own. */
export function asRequestError(error: unknown, onError: (error: unknown) => void): RequestError {
  if (isKtoError(error) && error.code === "REQUEST") return error as RequestError;
  if (isKtoError(error) && error.code === "GENERATION") return new RequestError(error.message, { cause: error });
  onError(error);
  return new RequestError(
    { operation: "server", problem: "the answer failed", expected: "the model to answer", advice: "see what the server says" },
    { status: 500, type: "server_error", cause: error },
  );
}
