import { sealCard } from "@kto/lora";
import { dump } from "js-yaml";
import { lossCurve } from "./loss-curve.js";
import { code, numberText, plain, table } from "./markdown.js";
import { isOnHub, type RunFacts } from "./run-facts.js";
import { usage } from "./usage.js";

/** The file of the curve that a card shows. */
export const CURVE_FILE = "loss-curve.svg";

/** What a card says besides what the run's files tell. */
export interface CardOptions {
  /** Where the model will be: `"owner/name"`. */
  repo: string;
  /** An identifier of the hub, such as `apache-2.0`. */
  license?: string | undefined;
  /** The model that this one was made from, where the files do not tell it. */
  baseModel?: string | undefined;
}

/** A card and the files that it refers to, by name. */
export type CardFiles = Record<string, string>;

/** How a method is called in a sentence. */
const METHODS: Readonly<Record<string, string>> = {
  kto: "[KTO](https://arxiv.org/abs/2402.01306)",
  dpo: "[DPO](https://arxiv.org/abs/2305.18290)",
  orpo: "[ORPO](https://arxiv.org/abs/2403.07691)",
  cpo: "[CPO](https://arxiv.org/abs/2401.08417)",
  sft: "supervised fine-tuning",
};
const KINDS = { adapter: "A LoRA adapter", model: "A model", gguf: "GGUF files", files: "Files" } as const;

/**
 * README.md for the hub, and the loss curve it shows: the header that the hub reads, the data, the fields that differ from the defaults, the last
 * metrics, and how to load it. There is no `model-index`: numbers of a run's own training are no benchmark.
 */
export function modelCard(facts: RunFacts, options: CardOptions): CardFiles {
  const base = facts.base ?? options.baseModel;
  const told = { ...facts, base };
  const curve = lossCurve(facts.training, facts.evaluations);
  const parts = [
    "---",
    dump(header(told, options), { lineWidth: -1, noRefs: true }).trimEnd(),
    "---",
    "",
    `# ${plain(options.repo.split("/").at(-1)!)}`,
    "",
    sentence(told),
    "",
    ...(curve === undefined ? [] : [`![${altText(facts)}](${CURVE_FILE})`, ""]),
    ...section("Metrics", ["metric", "value"], facts.metrics.map(([name, value]) => [code(name), numberText(value)] as const)), // prettier-ignore
    ...section("Adapter", ["setting", "value"], facts.adapter.map(([name, value]) => [code(name), code(value)] as const)), // prettier-ignore
    ...section("Fields that differ from the defaults", ["field", "value"], facts.settings.map(([name, value]) => [code(name), code(value)] as const)), // prettier-ignore
    ...usage(told, options.repo),
  ];
  return { "README.md": sealCard(parts.join("\n")), ...(curve !== undefined && { [CURVE_FILE]: curve }) };
}

/** What the hub reads: "Model Cards" of its documentation. */
function header({ kind, base, method, dataset }: RunFacts, { license }: CardOptions): Record<string, unknown> {
  const onHub = isOnHub(base);
  const relation = { adapter: "adapter", model: "finetune", gguf: "quantized", files: undefined }[kind];
  const tags = [
    ...(kind === "adapter" ? ["lora", "transformers", ...(onHub ? [`base_model:adapter:${base}`] : [])] : []),
    ...(kind === "gguf" ? ["gguf"] : []),
    ...(method === undefined ? [] : [method]),
  ];
  const library = { adapter: "peft", model: "transformers", gguf: undefined, files: undefined }[kind];
  return {
    ...(onHub && { base_model: base, ...(relation !== undefined && { base_model_relation: relation }) }),
    ...(isOnHub(dataset) && { datasets: [dataset] }),
    ...(library !== undefined && { library_name: library }),
    ...(license !== undefined && { license }),
    ...(kind !== "files" && { pipeline_tag: "text-generation" }),
    tags: [...new Set(tags)].sort(),
  };
}

/** What it is, in one sentence. Of a path only its last part is told: the rest is the business of the machine it lies on. */
function sentence({ kind, base, method, dataset }: RunFacts): string {
  const of = base === undefined ? "" : kind === "gguf" || kind === "model" ? ` made from ${link(base)}` : ` for ${link(base)}`;
  const by = method === undefined ? "" : ` trained with ${Object.hasOwn(METHODS, method) ? METHODS[method]! : plain(method)}`;
  const on = dataset === undefined ? "" : ` on ${link(dataset, "datasets/")}`;
  return `${KINDS[kind]}${of}${by === "" ? "" : `,${by}${on}`}. Made with [kto](https://github.com/kto-js/kto).`;
}

function link(name: string, folder = ""): string {
  const onHub: boolean = isOnHub(name);
  if (onHub) return `[${plain(name)}](https://huggingface.co/${folder}${name})`;
  return code(name.split(/[\\/]/).findLast((part) => part !== "") ?? name);
}

function altText({ training }: RunFacts): string {
  const [first, last] = [training[0]!, training.at(-1)!];
  return `Training loss, from ${numberText(first.loss)} at update ${first.step} to ${numberText(last.loss)} at update ${last.step}`;
}

function section(title: string, head: readonly [string, string], rows: readonly (readonly [string, string])[]): string[] {
  return rows.length === 0 ? [] : [`## ${title}`, "", ...table(head, rows)];
}
