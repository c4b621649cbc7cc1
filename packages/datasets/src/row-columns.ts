import { labelColumns } from "./labels.js";
import { layouts } from "./layouts/index.js";
import { supervisedLayouts } from "./layouts/supervised-layouts.js";

/** Names of columns that some layout needs: what tells rows, and the header of a table, from other things. */
export const ROW_COLUMNS: ReadonlySet<string> = new Set([
  ...[...layouts, ...supervisedLayouts().layouts].flatMap(({ needs }) => needs.flat()),
  ...labelColumns,
]);
