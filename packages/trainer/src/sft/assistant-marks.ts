import type { DataNotes } from "@kto/datasets";
import { DataPreparationError } from "../data/errors.js";
import { expectTokenizer, type TokenizeOptions } from "../data/tokenize-row.js";

const dummy = (role: string): { role: string; content: string } => ({ role, content: "dummy" });

/** The assistant's turn is followed by another, since some templates end a turn only there. */
const turns = [dummy("user"), dummy("assistant"), dummy("user")];

/**
 * Throws DataPreparationError where the assistant's tokens cannot be told: the template has no `{% generation %}` marks, or the tokenizer cannot place its
 * tokens in a text. Notes where the marks leave out what ends a turn.
 */
export function expectAssistantMarks(options: TokenizeOptions & { notes: DataNotes }): void {
  const tokenizer = expectTokenizer(options);
  const { chatTemplate, notes } = options;
  const template = chatTemplate === undefined ? {} : { chatTemplate };
  if (!tokenizer.applyChatTemplateWithMask || !tokenizer.hasGenerationBlocks)
    throw refused(
      "the tokenizer cannot tell the assistant's tokens",
      "applyChatTemplateWithMask and hasGenerationBlocks",
      "a tokenizer without",
    );
  if (!tokenizer.hasGenerationBlocks(template))
    throw refused(
      "the chat template has no marks of what the assistant says",
      "{% generation %} … {% endgeneration %} around it",
      "a template without",
      "give one with {chatTemplate}, or rows of prompt and completion, of which the completion is scored without marks",
    );
  let marked: number[];
  try {
    const { ids, assistantMask } = tokenizer.applyChatTemplateWithMask(turns, template);
    marked = ids.filter((_id, position) => assistantMask[position] === 1);
  } catch (error) {
    if ((error as { code?: string }).code === "TEMPLATE") return; // a template that takes no such turns: each row will tell
    throw refused("the tokenizer cannot tell the assistant's tokens", "one that places tokens in a text", (error as Error).message);
  }
  if (marked.length > 0 && tokenizer.decode?.(marked, { skipSpecialTokens: false }).trimEnd().endsWith("dummy"))
    notes.add(
      "end of turns",
      "the marks of the chat template end before the token that ends a turn: the model does not learn to stop; move {% endgeneration %} behind it",
    );
}

function refused(problem: string, expected: string, got: string, advice?: string): DataPreparationError {
  return new DataPreparationError({
    operation: "{assistantOnlyLoss}",
    problem,
    expected,
    got,
    advice,
    fields: ["assistantOnlyLoss", "chatTemplate"],
  });
}
