import { boolean, choice, field, orNull, redeclared, renamed, text } from "@kto/core/config";
import { sftLossTypes } from "@kto/losses/plain";
import { orderFields } from "./order-fields.js";
import { trainingFields } from "./training-fields.js";

/** How documents are put together into rows of one length. */
export const packingStrategies = ["bfd", "bfd_split", "wrapped"] as const;

/** Fields of supervised fine-tuning: those that every method has, and its own. Names and defaults are those of trl 1.16. */
export const sftFields = {
  ...trainingFields,
  learningRate: redeclared(trainingFields.learningRate, 2e-5),
  disableDropout: redeclared(trainingFields.disableDropout, false, {
    fate: "ours",
    help: "turns the adapter's dropout off; trl trains SFT with it",
  }),
  maxLength: renamed(trainingFields.maxLength, {
    help: "tokens of a row: longer ones are cut at the end, and rows left with nothing to score dropped; with packing, tokens of a packed row; null for no limit",
  }),
  lossType: field(choice(sftLossTypes), "nll", {
    group: "loss",
    help: "nll, the mean of −log π over the scored tokens of an update; dft, each of them times its own probability",
    notes: "chunked_nll is nll under its older name",
  }),
  completionOnlyLoss: field(orNull(boolean()), null, {
    group: "loss",
    help: "scores the completion and not the prompt; null: exactly for rows of prompt and completion",
    notes: "true with other rows is refused, where trl scores all of them",
  }),
  assistantOnlyLoss: field(boolean(), false, {
    group: "loss",
    fate: "different",
    help: "scores what the chat template marks with {% generation %}, the assistant's turns",
    notes: "trl puts marks of its own into the templates that it knows; here the template has to have them",
  }),
  packing: field(boolean(), false, {
    group: "data",
    help: "puts documents together into rows of max_length tokens",
  }),
  packingStrategy: field(choice(packingStrategies), "bfd", {
    group: "data",
    help: "bfd: whole documents, cut to max_length; bfd_split: longer ones in pieces; wrapped: one after another, cut wherever a row ends",
    notes: "in 1,000 rows of the data at a time, as in trl; under bfd and bfd_split no document attends to another",
  }),
  evalPacking: field(orNull(boolean()), null, { group: "data", help: "packs the eval data; null is packing" }),
  paddingFree: field(boolean(), false, {
    group: "data",
    fate: "different",
    help: "no effect on training: rows are never padded",
    notes: "with true, as with the packing strategies bfd and bfd_split, total_flos counts no padding, as trl's does not",
  }),
  datasetTextField: field(text(), "text", { group: "data", help: "the column of rows of plain text" }),
  eosToken: field(orNull(text()), null, {
    group: "data",
    help: "the token that ends a text and a turn, in place of the tokenizer's; saved with the tokenizer",
  }),
  shuffleDataset: field(orNull(boolean()), null, {
    group: "data",
    fate: "different",
    help: "true puts the rows in the order of datasets' shuffle under seed, before they are packed and after",
    notes: "false keeps the order of the file in training too, as train_sampling_strategy: sequential does; null leaves it to that field",
  }),
  ...orderFields("rows"),
};
