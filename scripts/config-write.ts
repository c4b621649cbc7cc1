// Writes what is made from the declarations of config fields: the tables of the docs and the schema of kto.yaml. `npm run config:write`
import { readFileSync, writeFileSync } from "node:fs";
import { pageParts, schemaFile, withPart } from "./config-pages.js";

const root = new URL("../", import.meta.url);
for (const part of pageParts()) {
  const path = new URL(part.page, root);
  writeFileSync(path, withPart(readFileSync(path, "utf8"), part));
}
const schema = schemaFile();
writeFileSync(new URL(schema.path, root), schema.content);
