import { labelColumns } from "../labels.js";
import { conversations } from "./conversation-layouts.js";
import { layouts } from "./index.js";
import { templateColumns, trlRow, type Layout, type LayoutChoice } from "./layout.js";

/** What `SFTTrainer` takes as it is: ids, with masks of what is scored. */
const inputIds: Layout = {
  name: "input-ids",
  title: "token ids of whole sequences",
  columns: "`input_ids`, [`labels`], [`completion_mask`], [`assistant_masks`]",
  becomes: "as it is; needs no tokenizer",
  reads: ["input_ids", "labels", "completion_mask", "assistant_masks", "attention_mask"],
  shape: "input-ids",
  needs: [["input_ids"]],
};

/** The text of a whole conversation, all of it trained on. */
const messages: Layout = {
  name: "messages",
  title: "whole conversations",
  columns: "`messages` or `conversations`, [`system`], [`tools`]",
  becomes: "all of it, under the chat template",
  reads: conversations.reads.filter((column) => !labelColumns.includes(column)),
  shape: "messages",
  needs: conversations.needs,
  toTrl: (row, index, notes) => {
    const { prompt, completion } = conversations.toTrl!(row, index, notes) as { prompt: object[]; completion: object[] };
    return trlRow(row, { messages: [...prompt, ...completion] });
  },
};

/**
 * Every layout that supervised fine-tuning reads, in trl's order: ids, prompt and completion, conversations, plain text in the column `textField`; then those
 * that trl has no name for. They are those of preference training, pairs for their chosen answers, but that a conversation is read whole.
 */
export function supervisedLayouts(textField = "text"): LayoutChoice {
  const text: Layout = {
    name: "text",
    title: "plain text",
    columns: `\`${textField}\``,
    becomes: "all of it, with EOS at its end",
    reads: [textField, ...templateColumns],
    shape: "text",
    needs: [[textField]],
  };
  return {
    layouts: [inputIds, ...layouts.flatMap((layout) => (layout === conversations ? [messages, text] : layout))],
    expected: `prompt and completion; or conversations (messages); or ${textField}; or instruction and output; or prompt, chosen and rejected; or input_ids`,
    advice:
      "say which column is which (--dataset_text_field, --prompt_column, --completion_column, --messages_column; datasetTextField and renameColumns in code)",
  };
}
