import { boolean, field, type Field } from "@kto/core/config";

/** The field of methods in which two completions follow one prompt, which tells of them as `help`. */
export function sharedPromptFields(help: string): { sharedPrompts: Field<boolean> } {
  return {
    sharedPrompts: field(boolean(), true, {
      group: "batches",
      help,
      notes: "false computes it for each, as trl does: the same up to the order of sums",
    }),
  };
}

/** What `sharedPrompts` means where completions come in pairs. */
export const promptsOfPairs = "the prompt of a pair goes through the model once for both answers";

/** The arguments that say whether it does. */
export interface SharedPromptArguments {
  sharedPrompts: boolean;
  disableDropout: boolean;
}

/** Dropout is drawn anew for each row, as in trl, so that with it two completions cannot share what is computed of their prompt. */
export function sharesPrompts({ sharedPrompts, disableDropout }: SharedPromptArguments): boolean {
  return sharedPrompts && disableDropout;
}
