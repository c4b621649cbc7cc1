import { checkChatTemplate } from "@kto/chat-templates";
import type { FuzzTarget } from "./target.js";
import { mutateText } from "./mutate-text.js";

export const targets: readonly FuzzTarget[] = [
  {
    name: "template-check",
    seeds: () => [new TextEncoder().encode("{% for m in messages %}{{ m.role }}: {{ m.content | trim }}{% endfor %}")],
    mutate: mutateText,
    read: (input) => checkChatTemplate(new TextDecoder().decode(input)),
  },
];

export function targetOf(name: string): FuzzTarget {
  const found = targets.find((target) => target.name === name);
  if (found) return found;
  throw new Error(`there is no target ${name}; expected one of ${targets.map((target) => target.name).join(", ")}`);
}
