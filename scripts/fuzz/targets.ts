import { templateReader } from "../../packages/chat-templates/src/testing/fuzz-templates.js";
import { tableFuzz } from "../../packages/datasets/src/testing/table-fuzz.js";
import { textFuzz } from "../../packages/datasets/src/testing/text-fuzz.js";
import { tokenizerReader } from "../../packages/tokenizer/src/testing/fuzz-tokenizer.js";
import { targets as modelTargets } from "./model-targets.js";
import { targets as runTargets } from "./run-targets.js";
import { mutateBytes } from "./mutate-bytes.js";
import { mutateText } from "./mutate-text.js";
import type { FuzzTarget } from "./target.js";

/** Parquet, Arrow and data cards. */
const tables: readonly FuzzTarget[] = tableFuzz.map((reader) => ({
  ...reader,
  mutate: reader.name === "data-card" ? mutateText : mutateBytes,
}));

/** JSON, CSV, and what is compressed. */
const texts: readonly FuzzTarget[] = textFuzz.map((reader) => ({
  ...reader,
  mutate: reader.name === "compressed-rows" ? mutateBytes : mutateText,
}));

export const targets: readonly FuzzTarget[] = [templateReader, tokenizerReader, ...tables, ...texts, ...modelTargets, ...runTargets];

export function targetOf(name: string): FuzzTarget {
  const found = targets.find((target) => target.name === name);
  if (found) return found;
  throw new Error(`there is no target ${name}; expected one of ${targets.map((target) => target.name).join(", ")}`);
}
