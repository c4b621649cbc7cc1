import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { endInOneLine } from "./terminal.js";

endInOneLine();

/** Each is a flag, `--rows 100`, or a variable, `TUTORIAL_ROWS=100`; without either it is what the notebook has. */
const settings = {
  model: ["unsloth/DeepSeek-R1-Distill-Qwen-1.5B-unsloth-bnb-4bit", "the model: a name on the hub, or a folder"],
  dataset: ["trl-lib/kto-mix-14k", "the data set: a name on the hub, or a folder"],
  rows: ["1000", "rows to train on"],
  folder: [
    relative(".", fileURLToPath(new URL("../out", import.meta.url))),
    "where everything is written, in a folder of the model's name",
  ],
  repo: ["", "your_name/model: pushes what was made to the hub (needs HF_TOKEN)"],
  "max-new-tokens": ["1024", "tokens of an answer, at most"],
} as const;

type Name = keyof typeof settings;
const names = Object.keys(settings) as Name[];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    help: { type: "boolean", short: "h" },
    ...(Object.fromEntries(names.map((name) => [name, { type: "string" }])) as Record<Name, { type: "string" }>),
  },
});

if (values.help) {
  const rows = names.map((name) => `  --${name}\n      ${settings[name][1]}${settings[name][0] && `\n      (${settings[name][0]})`}`);
  console.log(
    ["npm run tutorial -- [STEP …] [--FLAG VALUE …]", "", "STEP is 1-load, 2-data, …; without any, all run in order.", "", ...rows].join(
      "\n",
    ),
  );
  process.exit();
}

const text = (name: Name): string =>
  values[name] ?? process.env[`TUTORIAL_${name.toUpperCase().replaceAll("-", "_")}`] ?? settings[name][0];

function count(name: Name): number {
  const value = Number(text(name));
  if (Number.isInteger(value) && value > 0) return value;
  throw new RangeError(`--${name}: not a count; expected an integer above 0, got ${JSON.stringify(text(name))}`);
}

export const modelName = text("model");
export const datasetName = text("dataset");
export const numRows = count("rows");
/** Of this model: what one model learned is not put on another. */
export const folder = `${text("folder")}/${modelName.split(/[\\/]/).findLast(Boolean)}`;
/** Empty: nothing is pushed. */
export const repo = text("repo");
if (repo && !repo.includes("/")) throw new RangeError(`--repo: has no owner; expected your_name/model, got ${JSON.stringify(repo)}`);
export const maxNewTokens = count("max-new-tokens");
/** Steps that were asked for by name. */
export const askedSteps = positionals;
