import { boolean, field, type Field } from "@kto/core/config";

/** Fields of the methods that compare two answers to one prompt. */
export const pairFields: { sharedPrompts: Field<boolean> } = {
  sharedPrompts: field(boolean(), true, {
    group: "batches",
    help: "the prompt of a pair goes through the model once for both answers",
    notes: "false computes it for each, as trl does: the same up to the order of sums",
  }),
};

/** The arguments that say whether it does. */
export interface SharedPromptArguments {
  sharedPrompts: boolean;
  disableDropout: boolean;
}

/** Dropout is drawn anew for each row, as in trl, so that with it two answers cannot share what is computed of their prompt. */
export function sharesPrompts({ sharedPrompts, disableDropout }: SharedPromptArguments): boolean {
  return sharedPrompts && disableDropout;
}
