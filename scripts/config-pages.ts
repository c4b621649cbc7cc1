import {
  describedTable,
  describeFields,
  diskNames,
  fieldTable,
  otherFieldRows,
  snakeCase,
  type FieldDescription,
  type Fields,
} from "@kto/core/config";
import { layouts, speakers, supervisedLayouts, type Layout } from "@kto/datasets";
import { loraFields } from "@kto/lora";
import { describeDropKind, dropKinds } from "@kto/trainer";
import { fieldsByMethod, type MethodField } from "../packages/cli/src/config/fields-by-method.js";
import { ktoYamlSchema } from "../packages/cli/src/config/kto-yaml.js";
import { otherFields as foreignFields } from "../packages/cli/src/config/other-fields.js";
import { rowFields } from "../packages/cli/src/config/row-fields.js";
import { samplingFields } from "../packages/cli/src/config/sampling-fields.js";
import { serverFields } from "../packages/cli/src/config/serve-fields.js";
import { anyFields } from "../packages/cli/src/config/train-fields.js";
import { codeTable, explanationPages } from "../docs/site/explanations.js";
import { constantFields, otherFields } from "../packages/lora/src/other-fields.js";
import { commandTable, configTable, quantizationTable, trainingArgumentsTable } from "./trl-tables.js";

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
    { page: "docs/cli.md", name: "train", lines: [...trainTable(), "", ...otherNames()] },
    { page: "docs/cli.md", name: "sampling", lines: flagTable(samplingFields) },
    { page: "docs/cli.md", name: "serve", lines: flagTable(serverFields) },
    { page: "docs/data-and-files.md", name: "layouts", lines: layoutTable(layouts) },
    { page: "docs/data-and-files.md", name: "supervised layouts", lines: layoutTable(supervisedLayouts().layouts) },
    { page: "docs/data-and-files.md", name: "speakers", lines: speakerTable() },
    { page: "docs/data-and-files.md", name: "rows", lines: fieldTable(rowFields) },
    {
      page: "docs/data-and-files.md",
      name: "dropped",
      lines: [
        "| why | in `--json` |",
        "| --- | --- |",
        ...dropKinds.map((kind) => `| ${describeDropKind(kind, (field) => `\`${snakeCase(field)}\``)} | \`${kind}\` |`),
      ],
    },
    {
      page: "docs/lora-config.md",
      name: "lora",
      lines: [...fieldTable(loraFields), ...otherFieldRows(otherFields, constantFields)],
    },
    ...["kto", "dpo", "sft", "orpo", "cpo"].map((name) => ({ page: `docs/coming-from/${name}-config.md`, name, lines: configTable(name) })),
    { page: "docs/troubleshooting/index.md", name: "codes", lines: codeTable() },
    { page: "docs/coming-from/training-arguments.md", name: "training arguments", lines: trainingArgumentsTable() },
    { page: "docs/coming-from/model-config.md", name: "model config", lines: commandTable() },
    { page: "docs/coming-from/bits-and-bytes-config.md", name: "bits and bytes", lines: quantizationTable() },
  ];
}

/** Fields of `kto train`, with the methods that have them. */
function trainTable(): string[] {
  const method = { title: "method", cell: ({ isOfAll, methods }: MethodField) => (isOfAll ? "all" : methods.join(", ")) };
  return describedTable(fieldsByMethod(), method);
}

/** Flags with what they take and what they mean. */
function flagTable(fields: Fields): string[] {
  const row = ({ name, expected, help }: FieldDescription): string => `| \`--${name}\` | ${expected.replace(", or null", "")} | ${help} |`;
  return ["| flag | takes | what it means |", "| --- | --- | --- |", ...describeFields(fields).map(row)];
}

/** Layouts of rows, in the order in which they are told apart. */
function layoutTable(all: readonly Layout[]): string[] {
  const line = ({ title, columns, becomes, name, shape }: Layout): string =>
    `| ${title} | ${columns} | ${becomes} | \`${shape}\`${name === shape ? "" : `, \`${name}\``} |`;
  return [
    "| rows | columns, `[x]` may be absent | what becomes of them | type and layout |",
    "| --- | --- | --- | --- |",
    ...all.map(line),
  ];
}

/** What the speakers of turns are called, by the role that they have. */
function speakerTable(): string[] {
  const roles = [...new Set(speakers.values())];
  const namesOf = (role: string): string => [...speakers].flatMap(([name, its]) => (its === role ? [`\`${name}\``] : [])).join(", ");
  return ["| role | speakers |", "| --- | --- |", ...roles.map((role) => `| \`${role}\` | ${namesOf(role)} |`)];
}

/** Other spellings, and the fields of trl, peft and transformers that are none here. */
function otherNames(): string[] {
  const quoted = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(", ");
  const ofMethods = diskNames(anyFields);
  const aliases = describeFields(anyFields).flatMap(({ name, aliases }) =>
    aliases.length === 0 ? [] : [`${quoted(aliases)} for \`${name}\``],
  );
  const named = (fate: "refused" | "ignored"): string =>
    quoted(Object.keys(foreignFields).filter((name) => foreignFields[name]!.fate === fate && !ofMethods.has(name)));
  return [
    `Other spellings: ${aliases.join("; ")}. Two spellings of a field with different values are a mistake.`,
    "",
    `Refused unless they ask for nothing, since they ask for other numbers or another result: ${named("refused")}.`,
    "",
    `Accepted without effect, with a note: ${named("ignored")}.`,
  ];
}

/** Files that are made whole: the schema of kto.yaml, and a page for each code of an error. */
export function madeFiles(): { path: string; content: string }[] {
  return [schemaFile(), ...explanationPages()];
}

/** The file of the schema of kto.yaml, and what belongs in it. */
export function schemaFile(): { path: string; content: string } {
  return { path: "packages/trainer/kto.schema.json", content: `${JSON.stringify(ktoYamlSchema(), null, 2)}\n` };
}

/** The page with that part made anew. Throws where the page has no place for it. */
export function withPart(content: string, { page, name, lines }: PagePart): string {
  const [begin, end] = [`<!-- fields: ${name} -->\n`, `<!-- end of ${name} -->`];
  const [from, to] = [content.indexOf(begin), content.indexOf(end)];
  if (from < 0 || to < from)
    throw new Error(`${page}: expected a line "${begin.trim()}" and later "${end}", got none; put them where the table belongs`);
  return `${content.slice(0, from)}${begin}\n${lines.join("\n")}\n\n${content.slice(to)}`;
}
