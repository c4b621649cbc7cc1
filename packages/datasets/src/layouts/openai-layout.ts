import { excerpt } from "@kto/core";
import { rowError } from "../errors.js";
import { isObject } from "../data-row.js";
import { isGiven } from "../rows.js";
import { trlRow, type Layout } from "./layout.js";
import { messagesOf } from "./turns.js";

/** The layout of OpenAI's preference fine-tuning. */
export const openaiLayout: Layout = {
  name: "openai-preference",
  title: "OpenAI's preference rows",
  columns: "`input` {`messages`, [`tools`]}, `preferred_output`, `non_preferred_output`",
  becomes: "the messages of the input are the prompt, the outputs chosen and rejected",
  reads: ["input", "preferred_output", "non_preferred_output"],
  shape: "paired",
  needs: [["input"], ["preferred_output"], ["non_preferred_output"]],
  toTrl(row, index) {
    const { input } = row;
    if (!isObject(input) || !("messages" in input)) {
      throw rowError(index, {
        problem: '"input" holds no conversation',
        expected: '{"messages": [{"role": …, "content": …}, …]}',
        got: excerpt(input),
        column: "input",
      });
    }
    return trlRow(row, {
      prompt: messagesOf(input, "messages", index),
      chosen: messagesOf(row, "preferred_output", index),
      rejected: messagesOf(row, "non_preferred_output", index),
      ...(isGiven(input["tools"]) && { tools: input["tools"] }),
    });
  },
};
