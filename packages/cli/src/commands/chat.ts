import { Readable } from "node:stream";
import { TextGenerator } from "@kto/generate";
import { ChatSession } from "../chat/chat-session.js";
import { Conversation } from "../chat/conversation.js";
import { TerminalTurns } from "../chat/terminal-turns.js";
import { PipedTurns } from "../chat/turns.js";
import { adaptersField, askingFields, messagesField } from "../config/asking-fields.js";
import { commandValues, expectNoOperands, withHome } from "../config/check-command.js";
import { exitStatus, interruption } from "../errors.js";
import type { Io } from "../io.js";
import { hubAccess } from "../load/hub-access.js";
import { readMessages } from "../load/messages-file.js";
import { expectTokenizer, noteStandIn, openModelToAsk, renderConversation } from "../load/model-to-ask.js";
import { findNamedAdapters, lastPart, loadNamedAdapters, namedAdapters } from "../load/named-adapters.js";
import { commandDevice, loadWeights, operandDtype } from "../load/on-device.js";
import type { Command, CommandInput } from "./command.js";

const chatFields = { ...adaptersField, ...messagesField, ...askingFields };

export const chatCommand: Command = {
  name: "chat",
  summary: "a conversation with a model in the terminal",
  usage: "kto chat --model M [--adapter [NAME=]A …] [--field value …]",
  examples: [
    ["kto chat --model Qwen/Qwen2-0.5B-Instruct --adapter mine=outputs", "a conversation, with an adapter that /adapter switches"],
    ["kto chat --model ./models/tiny --do_sample false < questions.txt", "a line of a file is a turn, answers go to stdout"],
  ],
  fields: chatFields,
  run: chat,
};

async function chat(input: CommandInput): Promise<number> {
  const { io, options, console } = input;
  const mistakes = options.json
    ? ["--json: a chat has no JSON; expected it unset, got --json; use kto generate --messages FILE --json"]
    : [];
  const values = commandValues("chat", chatFields, input, [...expectNoOperands("chat", input.operands), ...mistakes]);
  const named = namedAdapters(values.adapters ?? [], values.model);
  const conversation = new Conversation(values.messages === null ? [] : await readMessages(values.messages));
  const access = hubAccess(io, console);
  const adapters = await findNamedAdapters(named, access);
  const { files, sampling, room } = await openModelToAsk(values, access, console);
  const tokenizer = expectTokenizer(files);
  noteStandIn(tokenizer, console);
  if (conversation.messages.length > 0) renderConversation(tokenizer, conversation.messages); // throws for one that the template refuses

  await using device = await commandDevice(input);
  using base = await loadWeights(files, device, console, { ...values, dtype: operandDtype(values.dtype, device), signal: io.signal });
  using adapted = adapters.length > 0 ? await loadNamedAdapters(base, adapters) : undefined;
  input.begin();
  using generator = new TextGenerator(adapted ?? base, { maxRows: 1 });
  const stdin: NonNullable<Io["stdin"]> = io.stdin ?? Readable.from([]);
  const isTerminal = stdin.isTTY === true && io.stdout.isTTY === true;
  if (isTerminal) console.line(`${lastPart(values.model)}: /help says what can be typed, Ctrl-D ends`);
  using turns = isTerminal ? new TerminalTurns(stdin, io.stdout, io.signal) : new PipedTurns(stdin, io.signal);
  const names = named.map(({ name }) => name);
  const state = {
    conversation,
    adapters: names,
    adapter: names[0] ?? null,
    saved: new Set<string>(),
    expand: (path: string) => withHome(path, io.env),
  };
  const session = new ChatSession({ io, console, generator, tokenizer, sampling, room, state, turns, isTerminal });
  await session.run().catch((error: unknown) => {
    throw interruption(error, io.signal, "interrupted; the conversation is not saved");
  });
  return exitStatus.done;
}
