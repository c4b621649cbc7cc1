import type { DataRow } from "../dataset.js";
import { rowError } from "../errors.js";
import { isGiven, type Message } from "../rows.js";
import { labelColumns } from "../labels.js";
import { templateColumns, trlRow, type Layout } from "./layout.js";
import { answerOf, isTurn, messagesOf, roleOf, splitAnswer, withSystem } from "./turns.js";

/** Columns that hold a whole conversation, the first of which is read. */
export const conversationColumns: readonly string[] = ["messages", "conversations", "conversation"];

const shared = [...conversationColumns, "system", ...templateColumns];

// Layouts with a column that holds a whole conversation: ShareGPT's and those that came of it.

export const conversationPairs: Layout = {
  name: "conversation-pairs",
  title: "conversations with two answers",
  columns: "`conversations` or `messages`, `chosen`, `rejected`, [`system`], [`tools`]",
  becomes: "the conversation is the prompt; each answer is a turn, a list of turns, or the assistant's text",
  reads: [...shared, "chosen", "rejected"],
  shape: "paired",
  needs: [conversationColumns, ["chosen"], ["rejected"]],
  when: (row) => !isGiven(row["prompt"]) && !isWhole(row["chosen"]) && !isWhole(row["rejected"]),
  toTrl: (row, index) =>
    trlRow(row, {
      prompt: questionOf(row, index),
      chosen: answerOf(row, "chosen", index),
      rejected: answerOf(row, "rejected", index),
    }),
};

export const rejectedResponse: Layout = {
  name: "rejected-response",
  title: "conversations with a rejected answer",
  columns: "`messages` or `conversations`, `rejected_response`, [`system`], [`tools`]",
  becomes: "the assistant's last turns are chosen; the text (or turns) in `rejected_response` is rejected",
  reads: [...shared, "rejected_response"],
  shape: "paired",
  needs: [conversationColumns, ["rejected_response"]],
  toTrl: (row, index) => {
    const { prompt, answer } = splitAnswer(conversationOf(row, index));
    return trlRow(row, { prompt, chosen: answer, rejected: answerOf(row, "rejected_response", index) });
  },
};

export const rejectedMessages: Layout = {
  name: "rejected-messages",
  title: "conversations beside rejected ones",
  columns: "`messages`, `rejected_messages`, [`system`], [`tools`]",
  becomes: "the turns that both share are the prompt",
  reads: [...shared, "rejected_messages"],
  shape: "implicit-prompt",
  needs: [conversationColumns, ["rejected_messages"]],
  toTrl: (row, index) =>
    trlRow(row, {
      chosen: conversationOf(row, index),
      rejected: withSystem(row["system"], messagesOf(row, "rejected_messages", index)),
    }),
};

export const conversations: Layout = {
  name: "conversations",
  title: "whole conversations",
  columns: "`conversations` or `messages`, `label` or `kto_tag`, [`system`], [`tools`]",
  becomes: "the assistant's last turns are the completion, what stands before them the prompt",
  reads: [...shared, ...labelColumns],
  shape: "unpaired",
  needs: [conversationColumns],
  toTrl: (row, index) => {
    const { prompt, answer } = splitAnswer(conversationOf(row, index));
    return trlRow(row, { prompt, completion: answer });
  },
};

function conversationOf(row: DataRow, index: number): Message[] {
  const column = conversationColumns.find((name) => isGiven(row[name]))!;
  return withSystem(row["system"], messagesOf(row, column, index));
}

/** A conversation that waits for an answer. */
function questionOf(row: DataRow, index: number): Message[] {
  const messages = conversationOf(row, index);
  if (messages.at(-1)?.role !== "assistant") return messages;
  throw rowError(index, {
    problem: "the conversation ends with the assistant, and chosen and rejected follow",
    expected: "one that ends with the user",
    got: `${messages.length} turns, the last of the assistant`,
    column: "chosen",
  });
}

/** True for a conversation that does not begin with the assistant: not an answer alone. */
function isWhole(value: unknown): boolean {
  const first: unknown = Array.isArray(value) ? value[0] : undefined;
  return isTurn(first) && roleOf(first) !== "assistant";
}
