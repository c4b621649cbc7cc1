import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { fieldRules } from "./config-fields.js";
import { inertFields, refusedFields } from "./other-fields.js";

it("docs/lora-config.md has a row for every field, with what becomes of it", () => {
  const page = readFileSync(new URL("../../../docs/lora-config.md", import.meta.url), "utf8");
  const rows = [...page.matchAll(/^\| (`.*?) \| (supported|different|ignored|refused) \|/gm)];
  const fates = new Map(rows.flatMap(([, names, fate]) => [...names!.matchAll(/`(\w+)`/g)].map((match) => [match[1]!, fate!] as const)));
  const supported = Object.values(fieldRules).map(({ onDisk }) => onDisk);
  expect([...fates.keys()].sort()).toEqual([...new Set([...supported, ...inertFields, ...Object.keys(refusedFields)])].sort());
  for (const field of Object.keys(refusedFields)) expect([field, fates.get(field)]).toEqual([field, "refused"]);
});
