// Writes what is made from the declarations of config fields: the tables of the docs, the pages of error codes and the schema of kto.yaml. `npm run config:write`
import { readFileSync, writeFileSync } from "node:fs";
import { madeFiles, pageParts, withPart } from "./config-pages.js";

const root = new URL("../", import.meta.url);
for (const part of pageParts()) {
  const path = new URL(part.page, root);
  writeFileSync(path, withPart(readFileSync(path, "utf8"), part));
}
for (const { path, content } of madeFiles()) writeFileSync(new URL(path, root), content);
