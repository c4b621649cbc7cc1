import { templateReader } from "../../packages/chat-templates/src/testing/fuzz-templates.js";
import { tokenizerReader } from "../../packages/tokenizer/src/testing/fuzz-tokenizer.js";
import type { FuzzTarget } from "./target.js";

export const targets: readonly FuzzTarget[] = [templateReader, tokenizerReader];

export function targetOf(name: string): FuzzTarget {
  const found = targets.find((target) => target.name === name);
  if (found) return found;
  throw new Error(`there is no target ${name}; expected one of ${targets.map((target) => target.name).join(", ")}`);
}
