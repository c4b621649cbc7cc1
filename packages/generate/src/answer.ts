import type { Row } from "./engine/row.js";
import type { Generation, GenerationPiece, GenerationResult, GenerationTokenizer } from "./generation.js";
import { onAbort } from "./on-abort.js";
import { StopStrings } from "./text/stop-strings.js";
import { TextStream } from "./text/text-stream.js";

/** How an answer is made of a row. */
export interface AnswerParts {
  stops: readonly string[];
  seed: number;
  tokenizer: GenerationTokenizer | undefined;
  skipSpecialTokens: boolean | undefined;
  signal: AbortSignal | undefined;
}

/** A row as text: pieces for who iterates, and the result. */
export function answer(row: Row, parts: AnswerParts): Generation {
  const pieces = new Pieces();
  const result = read(row, parts, pieces);
  result.then(
    () => pieces.end(),
    (error: unknown) => pieces.end({ error }),
  );
  return {
    result,
    async *[Symbol.asyncIterator]() {
      try {
        yield* pieces.all();
      } finally {
        row.finish("cancelled"); // who leaves the loop wants no more; no-op for a row that has ended
      }
    },
  };
}

async function read(
  row: Row,
  { stops, seed, tokenizer, skipSpecialTokens, signal }: AnswerParts,
  pieces: Pieces,
): Promise<GenerationResult> {
  const started = performance.now();
  const stream = tokenizer && new TextStream(tokenizer, { skipSpecialTokens });
  const strings = new StopStrings(stops);
  const forget = signal && onAbort(signal, () => row.finish("cancelled"));
  const asksLogprobs = row.request.logprobs !== undefined;
  const ids: number[] = [];
  let text = "";
  const show = (shown: string, id?: number): void => {
    text += shown;
    if (shown === "" && id === undefined) return;
    const logprobs = asksLogprobs && { logprobs: id === undefined ? [] : row.logprobs.slice(ids.length - 1, ids.length) };
    pieces.push({ text: shown, ids: id === undefined ? [] : [id], ...logprobs });
  };
  let [firstAt, lastAt] = [started, started];
  try {
    for await (const id of row) {
      lastAt = performance.now();
      if (ids.length === 0) firstAt = lastAt;
      ids.push(id);
      show(strings.push(stream?.push(id) ?? ""), id);
      if (strings.found === undefined) continue;
      row.finish("stop");
      break;
    }
    signal?.throwIfAborted();
  } finally {
    forget?.();
    row.finish("cancelled"); // no-op for one that has ended
  }
  if (strings.found === undefined) show(strings.push(stream?.end() ?? "") + strings.end());
  return {
    text,
    ids,
    ...(asksLogprobs && { logprobs: row.logprobs.slice(0, ids.length) }),
    promptTokens: row.request.promptIds.length,
    newTokens: ids.length,
    finishReason: row.finishReason ?? "cancelled",
    cachedTokens: row.numReused,
    tokensPerSecond: ids.length > 1 ? (1000 * (ids.length - 1)) / (lastAt - firstAt) : 0,
    firstTokenMs: firstAt - started,
    seed,
  };
}

/** Pieces that are kept for whoever comes to read them. */
class Pieces {
  readonly #pieces: GenerationPiece[] = [];
  #end: { error?: unknown } | undefined;
  #wake: (() => void)[] = [];

  push(piece: GenerationPiece): void {
    this.#pieces.push(piece);
    this.#wakeAll();
  }

  end(end: { error?: unknown } = {}): void {
    this.#end = end;
    this.#wakeAll();
  }

  async *all(): AsyncGenerator<GenerationPiece> {
    for (let next = 0; ; next++) {
      while (next >= this.#pieces.length && !this.#end) await new Promise<void>((resolve) => this.#wake.push(resolve));
      const piece = this.#pieces[next];
      if (piece) yield piece;
      else if (this.#end && "error" in this.#end) throw this.#end.error;
      else return;
    }
  }

  #wakeAll(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}
