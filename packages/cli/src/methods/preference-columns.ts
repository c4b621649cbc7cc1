import type { CheckedView } from "./method.js";

/** Columns of rows for preference training, as `kto data` shows them without a tokenizer. */
export const preferenceColumns: Pick<CheckedView, "answers" | "whole"> = { answers: ["completion", "chosen", "rejected"], whole: [] };
