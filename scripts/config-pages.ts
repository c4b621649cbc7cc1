import { fieldTable, otherFieldRows } from "@kto/core/config";
import { loraFields } from "@kto/lora";
import { constantFields, otherFields } from "../packages/lora/src/other-fields.js";

/** A part of a page that is made from the declarations of fields: it stands between `<!-- fields: NAME -->` and `<!-- end of NAME -->`. */
export interface PagePart {
  /** The page, from the root of the repository. */
  page: string;
  name: string;
  lines: readonly string[];
}

/** Every part of the documentation that is made from declarations. */
export function pageParts(): PagePart[] {
  return [
    {
      page: "docs/lora-config.md",
      name: "lora",
      lines: [...fieldTable(loraFields), ...otherFieldRows(otherFields, constantFields)],
    },
  ];
}

/** The page with that part made anew. Throws where the page has no place for it. */
export function withPart(content: string, { page, name, lines }: PagePart): string {
  const [begin, end] = [`<!-- fields: ${name} -->\n`, `<!-- end of ${name} -->`];
  const [from, to] = [content.indexOf(begin), content.indexOf(end)];
  if (from < 0 || to < from)
    throw new Error(`${page}: expected a line "${begin.trim()}" and later "${end}", got none; put them where the table belongs`);
  return `${content.slice(0, from)}${begin}\n${lines.join("\n")}\n\n${content.slice(to)}`;
}
