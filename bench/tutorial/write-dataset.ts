/**
 * Writes a Parquet file of made-up conversations in the schema of trl-lib/kto-mix-14k (`prompt` and `completion`: list<struct<content, role>>, `label`: bool).
 *
 *   npx tsx --conditions=@kto/source bench/tutorial/write-dataset.ts FILE.parquet [--rows 1000] [--seed 42]
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { conversations } from "./conversations.js";
import { encodeKtoRows } from "./dataset-file.js";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { rows: { type: "string", default: "1000" }, seed: { type: "string", default: "42" } },
});
const [path] = positionals;
if (!path) throw new Error("write-dataset: no file; expected FILE.parquet");
const rows = conversations(Number(values.rows), Number(values.seed));
writeFileSync(path, encodeKtoRows(rows));
console.log(`${path}: ${rows.length} rows, ${rows.filter(({ label }) => label).length} labelled true`);
