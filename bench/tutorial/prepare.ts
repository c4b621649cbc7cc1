/**
 * Makes what must travel to the machine with the GPU: the tokenizer's files (compressed; write-checkpoint unpacks them), the data and the configuration.
 *
 *   npx tsx --conditions=@kto/source bench/tutorial/prepare.ts FOLDER [--rows 1000] [--seed 42]
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { conversations } from "./conversations.js";
import { encodeKtoRows } from "./dataset-file.js";
import { tutorialTokenizerFiles } from "./tokenizer-files.js";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { rows: { type: "string", default: "1000" }, seed: { type: "string", default: "42" } },
});
const [folder] = positionals;
if (!folder) throw new Error("prepare: no folder; expected the folder to make, e.g. .gpu/tutorial");

const tokenizerFolder = join(folder, "tokenizer");
mkdirSync(tokenizerFolder, { recursive: true });
const template = readFileSync(new URL("../../packages/testing/fixtures/templates/deepseek-r1-distill.jinja", import.meta.url), "utf8");
for (const [name, text] of tutorialTokenizerFiles(template)) writeFileSync(join(tokenizerFolder, `${name}.gz`), gzipSync(text));
writeFileSync(join(folder, "train.parquet"), encodeKtoRows(conversations(Number(values.rows), Number(values.seed))));
for (const name of ["kto.yaml", "check_transformers.py"]) copyFileSync(new URL(name, import.meta.url), join(folder, name));
console.log(`${folder}: tokenizer/, train.parquet (${values.rows} rows), kto.yaml, check_transformers.py`);
