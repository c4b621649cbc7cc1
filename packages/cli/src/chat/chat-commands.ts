import { stat } from "node:fs/promises";
import { excerpt, nearestName } from "@kto/core";
import { writeFileAtomic } from "@kto/core/node";
import { formatCounted } from "../render/format.js";
import type { Conversation } from "./conversation.js";

/** What commands of a chat change. */
export interface ChatState {
  conversation: Conversation;
  /** Names of the adapters that there are. */
  readonly adapters: readonly string[];
  /** The one that acts; null for none. */
  adapter: string | null;
  /** Files that this chat has written, which it may write again. */
  readonly saved: Set<string>;
  /** A path as it was typed, with `~` made whole. */
  expand(path: string): string;
}

/** A command: its arguments and what it does, for `/help`, and what it says when it is done; undefined ends the chat. */
interface ChatCommand {
  takes: string;
  does: string;
  run(state: ChatState, argument: string): string | undefined | Promise<string>;
}

const commands: Readonly<Record<string, ChatCommand>> = {
  system: {
    takes: "[TEXT]",
    does: "sets the system message; without a text takes it away",
    run: ({ conversation }, text) => {
      const before = conversation.system;
      conversation.system = text === "" ? undefined : text;
      if (text !== "") return "the system message is set";
      return before === undefined ? "there is no system message" : `the system message is gone: ${excerpt(before)}`;
    },
  },
  reset: {
    takes: "",
    does: "begins anew; system message and adapter stay",
    run: ({ conversation }) => {
      conversation.reset();
      return "begun anew";
    },
  },
  undo: {
    takes: "",
    does: "takes back the last question and its answer",
    run: ({ conversation }) => (conversation.undo() ? "the last question and its answer are taken back" : "there is nothing to take back"),
  },
  save: {
    takes: "FILE",
    does: "writes the conversation, which --messages reads",
    run: save,
  },
  adapter: {
    takes: "[NAME|none]",
    does: "answers with it, or with none; alone lists them",
    run: chooseAdapter,
  },
  help: { takes: "", does: "this text", run: () => helpText() },
  exit: { takes: "", does: "ends the chat, as Ctrl-D does", run: () => undefined },
};

/** Runs `/name argument`: what is to be said, and whether the chat ends. Throws WriteError where a file cannot be written. */
export async function runChatCommand(line: string, state: ChatState): Promise<{ says: string; ends: boolean }> {
  const [, name = "", argument = ""] = /^\/(\S*)\s*([^]*)$/.exec(line.trim()) ?? [];
  const command = Object.hasOwn(commands, name) ? commands[name]! : undefined;
  if (!command) {
    const nearest = nearestName(name, Object.keys(commands), 2);
    return {
      says: `there is no /${name}; ${nearest === undefined ? "/help says what there is, and a blank before it makes it text" : `did you mean /${nearest}?`}`,
      ends: false,
    };
  }
  const says = await command.run(state, argument);
  return { says: says ?? "", ends: says === undefined };
}

async function save({ conversation, saved, expand }: ChatState, argument: string): Promise<string> {
  if (argument === "") return "/save takes the name of a file";
  const path = expand(argument);
  const isThere = await stat(path).then(
    () => true,
    () => false,
  );
  if (isThere && !saved.has(path)) return `${argument} is there already; give another name`;
  const { messages } = conversation;
  await writeFileAtomic(path, (sink) => sink.write(new TextEncoder().encode(`${JSON.stringify(messages, null, 2)}\n`)));
  saved.add(path);
  return `${formatCounted(messages.length, "message")} written to ${argument}`;
}

function chooseAdapter(state: ChatState, name: string): string {
  const { adapters } = state;
  const acting = (): string => (state.adapter === null ? "no adapter acts" : `${state.adapter} acts`);
  if (name === "") return `${adapters.length === 0 ? "there are none (--adapter)" : `there are ${adapters.join(", ")}`}; ${acting()}`;
  if (name !== "none" && !adapters.includes(name))
    return `there is no adapter ${excerpt(name)}; ${adapters.length === 0 ? "none was given with --adapter" : `there are ${adapters.join(", ")}, and none`}`;
  state.adapter = name === "none" ? null : name;
  return acting();
}

function helpText(): string {
  const rows = Object.entries(commands).map(([name, { takes, does }]) => `  ${`/${name} ${takes}`.padEnd(22)}${does}`);
  return [
    ...rows,
    'A line that ends with a backslash goes on in the next; lines from """ to """ are',
    "one turn, and so are lines that are pasted. A blank before a / makes it text.",
    "Ctrl-C ends an answer; on an empty line it ends the chat.",
  ].join("\n");
}
