import { isKtoError, type ErrorCode } from "@kto/core";
import type { GenerateOptions, Generation, GenerationResult, TextGenerator } from "@kto/generate";
import type { Tokenizer } from "@kto/tokenizer";
import { errorLines } from "../errors.js";
import type { Io } from "../io.js";
import { expectRoom, roomAfter, type AnswerRoom } from "../load/answer-room.js";
import { renderConversation } from "../load/model-to-ask.js";
import { colorsOf } from "../render/colors.js";
import { wrap, type Console } from "../render/console.js";
import { formatCount, formatCounted, formatNumber } from "../render/format.js";
import { shownText } from "../render/terminal-text.js";
import { ThinkText } from "../render/think-text.js";
import { runChatCommand, type ChatState } from "./chat-commands.js";
import type { Turns } from "./turns.js";

/** What a chat is made of. */
export interface ChatParts {
  io: Io;
  console: Console;
  generator: TextGenerator;
  tokenizer: Tokenizer;
  sampling: GenerateOptions;
  room: AnswerRoom;
  state: ChatState;
  turns: Turns;
  /** Whether somebody looks at a terminal: thinking is dimmed, and what is wrong with a turn does not end the chat. */
  isTerminal: boolean;
}

/** Errors of a turn, after which the conversation can go on without it. */
const turnErrors: ReadonlySet<ErrorCode> = new Set(["CONFIG", "GENERATION", "TEMPLATE", "WRITE"]);

/** Why an answer ends that Ctrl-C stopped. */
const stopped = new Error("stopped");

/** A conversation until its end: turns are asked, lines that begin with `/` are commands. */
export class ChatSession {
  readonly #parts: ChatParts;

  constructor(parts: ChatParts) {
    this.#parts = parts;
  }

  async run(): Promise<void> {
    const { state, turns, isTerminal, io } = this.#parts;
    if (state.conversation.isAsked) await this.#attempt(() => this.#answer());
    for (;;) {
      const turn = await turns.next();
      if (turn === undefined) return;
      if (turn.trim() === "") continue;
      if (!turn.startsWith("/")) {
        state.conversation.ask(turn.startsWith(" /") ? turn.slice(1) : turn);
        await this.#attempt(() => this.#answer());
        continue;
      }
      const outcome = await this.#attempt(() => runChatCommand(turn, state));
      if (outcome?.ends) return;
      if (outcome) io.stderr.write(`${isTerminal ? colorsOf(io.stderr, io.env).cyan(outcome.says) : outcome.says}\n`);
    }
  }

  /** Does what a turn asks for. In a terminal a mistake of it is told, and a question without an answer taken back. */
  async #attempt<Result>(work: () => Promise<Result>): Promise<Result | undefined> {
    const { isTerminal, io, console, state } = this.#parts;
    try {
      return await work();
    } catch (error) {
      if (!isTerminal || !isKtoError(error) || !turnErrors.has(error.code)) throw error;
      for (const line of errorLines(error)) io.stderr.write(`${wrap(line, console.width).join("\n")}\n`);
      if (state.conversation.isAsked) state.conversation.undo();
      return undefined;
    }
  }

  async #answer(): Promise<void> {
    const { io, generator, tokenizer, sampling, room, state, turns } = this.#parts;
    const inputIds = renderConversation(tokenizer, state.conversation.messages);
    expectRoom(inputIds.length, room);
    const opening = thinkOpening(tokenizer, inputIds);
    const stopping = new AbortController();
    const signal = AbortSignal.any([stopping.signal, ...(io.signal ? [io.signal] : [])]);
    const adapter = state.adapters.length > 0 ? { adapter: state.adapter } : {};
    const maxNewTokens = roomAfter(inputIds.length, room);
    const answer = generator.generate({ ...sampling, ...adapter, inputIds, maxNewTokens, signal });
    const { text, numTokens, result } = await turns.during(this.#show(answer, opening), () => stopping.abort(stopped));
    if (text === "" && !result) state.conversation.undo();
    else state.conversation.answer(opening + text);
    this.#summarise(numTokens, result);
  }

  /** Shows an answer as it is made. The result is undefined for one that was stopped. */
  async #show(answer: Generation, opening: string): Promise<{ text: string; numTokens: number; result: GenerationResult | undefined }> {
    const { io, isTerminal } = this.#parts;
    const { dim } = colorsOf(io.stdout, io.env);
    const think = new ThinkText(dim, { isThinking: opening !== "" });
    const write = (shown: string): void => void (shown === "" || io.stdout.write(shown));
    if (isTerminal && opening !== "") write(dim(opening));
    let [text, numTokens] = ["", 0];
    let result: GenerationResult | undefined;
    try {
      for await (const piece of answer) {
        text += piece.text;
        numTokens += piece.ids.length;
        const shown = shownText(piece.text, io.stdout);
        write(isTerminal ? think.push(shown) : shown);
      }
      result = await answer.result;
    } catch (error) {
      if (error !== stopped) throw error;
    } finally {
      if (isTerminal) write(think.end());
      if (!text.endsWith("\n")) write("\n");
    }
    return { text, numTokens, result };
  }

  #summarise(numTokens: number, result: GenerationResult | undefined): void {
    const { console } = this.#parts;
    const count = formatCounted(numTokens, "token");
    const facts = result
      ? [
          count,
          ...(result.tokensPerSecond > 0 ? [`${formatNumber(result.tokensPerSecond, 3)} tokens/s`] : []),
          `prompt ${formatCount(result.promptTokens)}, ${formatCount(result.cachedTokens)} of it cached`,
          ...(result.finishReason === "length" ? ["cut at its length"] : []),
        ]
      : [`stopped after ${count}`];
    console.line(console.colors.dim(facts.join(", ")));
  }
}

/** What a generation prompt opens of the model's thinking, as R1's do: `<think>` and a line break. It belongs to the answer, of which it is the beginning. */
function thinkOpening(tokenizer: Tokenizer, promptIds: readonly number[]): string {
  return /<think>\s*$/.exec(tokenizer.decode(promptIds.slice(-8)))?.[0] ?? "";
}
