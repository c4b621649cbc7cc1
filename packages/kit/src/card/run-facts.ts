import { readText, type ListedDirectory, type ByteDirectory } from "@kto/core";
import { diskName, type Fields } from "@kto/core/config";
import { isRepoId } from "@kto/hub";
import { cpoFields, dpoFields, ktoFields, orpoFields, sftFields } from "@kto/trainer";
import { CORE_SCHEMA, load } from "js-yaml";
import type { LossPoint } from "./loss-curve.js";

/** What a folder holds, for its card. */
export type ResultKind = "adapter" | "model" | "gguf" | "files";

/** What is known of a model that was trained, from the files of its run. Everything in them may be missing, and nothing in them is trusted. */
export interface RunFacts {
  kind: ResultKind;
  /** The model that was trained, as it was named; a name on the hub or a path. */
  base: string | undefined;
  /** `kto`, `dpo`, …; undefined where no run is told of. */
  method: string | undefined;
  /** The data set, as it was named. */
  dataset: string | undefined;
  /** peft's settings of an adapter, by their names in its config. */
  adapter: readonly (readonly [string, string])[];
  /** Fields of the run that differ from their defaults, as files spell them. */
  settings: readonly (readonly [string, string])[];
  /** What the run came to: its results, and the last that was logged of each metric. */
  metrics: readonly (readonly [string, number])[];
  training: readonly LossPoint[];
  evaluations: readonly LossPoint[];
  /** GGUF files by name. */
  ggufs: readonly string[];
}

type Json = Readonly<Record<string, unknown>>;

/** What a model's and an adapter's config say that a reader of the card wants to know. */
const ADAPTER_SETTINGS = ["r", "lora_alpha", "lora_dropout", "target_modules", "use_rslora", "use_dora"];
/** Arguments of a trainer that say where and how it ran, not what it trained. */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set(["gradientCheckpointing", "loggingSteps", "saveSteps", "saveStrategy", "saveTotalLimit", "loggingStrategy", "loggingFirstStep"]); // prettier-ignore
/** Numbers of a log record that are no result of training. */
const NO_METRIC: ReadonlySet<string> = new Set(["step", "epoch", "loss", "learning_rate", "total_flos", "step_time_ms", "tokens_per_second", "samples_per_second", "gpu_memory_bytes", "peak_gpu_memory_bytes", "planned_gpu_memory_bytes"]); // prettier-ignore

/** Reads what the card of a folder can tell; `names` are the files in it. */
export async function readRunFacts(directory: ByteDirectory | ListedDirectory, names: readonly string[]): Promise<RunFacts> {
  const has = (name: string): boolean => names.includes(name);
  const json = async (name: string): Promise<Json | undefined> =>
    has(name) ? parse(await readText(directory, name), JSON.parse) : undefined;
  const adapter = await json("adapter_config.json");
  const config = await json("config.json");
  const state = await json("trainer_state.json");
  const run = has("resolved_config.yaml")
    ? parse(await readText(directory, "resolved_config.yaml"), (text) => load(text, { schema: CORE_SCHEMA }))
    : undefined;
  const own = state?.["kto"] as Json | undefined;
  const method = word(run?.["method"]) ?? (own === undefined ? undefined : (word(own["method"]) ?? "kto"));
  const history = recordsOf(state?.["log_history"]);
  const ggufs = names.filter((name) => /\.gguf$/i.test(name)).sort();
  return {
    kind: adapter ? "adapter" : config ? "model" : ggufs.length > 0 ? "gguf" : "files",
    base: text(run?.["model_name_or_path"]) ?? text(adapter?.["base_model_name_or_path"]),
    method,
    dataset: text(run?.["dataset_name"]) ?? text(run?.["train_file"]),
    adapter: ADAPTER_SETTINGS.flatMap((name) => (adapter && isSaid(adapter[name]) ? [[name, said(adapter[name])] as const] : [])),
    settings: [...quantization(run), ...differing(own?.["arguments"], method)],
    metrics: metricsOf(await json("train_results.json"), history),
    training: pointsOf(history, "loss"),
    evaluations: pointsOf(history, "eval_loss"),
    ggufs,
  };
}

/** True for what is a name on the hub by its spelling; a path that looks like one is told apart by who has the disk. */
export function isOnHub(name: string | undefined): name is string {
  return name !== undefined && isRepoId(name) && name.includes("/");
}

/** Fields of each method's trainer. */
const FIELDS = new Map<string | undefined, Fields>([
  ["kto", ktoFields],
  ["dpo", dpoFields],
  ["orpo", orpoFields],
  ["cpo", cpoFields],
  ["sft", sftFields],
]);

/** Arguments of the trainer that are not its defaults. */
function differing(args: unknown, method: string | undefined): (readonly [string, string])[] {
  if (typeof args !== "object" || args === null) return [];
  return Object.entries(FIELDS.get(method) ?? {}).flatMap(([name, field]) => {
    const onDisk = diskName(name, field);
    const value = (args as Json)[name];
    if (onDisk === undefined || value === undefined || WITHOUT_EFFECT.has(name)) return [];
    return JSON.stringify(value) === JSON.stringify(field.initial) ? [] : [[onDisk, said(value)] as const];
  });
}

/** How the base was held while it was trained. */
function quantization(run: Json | undefined): (readonly [string, string])[] {
  return run?.["load_in_4bit"] === true ? [["load_in_4bit", "true"]] : [];
}

/** The results of a run, and the newest value of each metric that was logged. */
function metricsOf(results: Json | undefined, history: readonly Json[]): (readonly [string, number])[] {
  const found = new Map<string, number>();
  const keep = (record: Json): void => {
    for (const [name, value] of Object.entries(record)) if (typeof value === "number" && Number.isFinite(value)) found.set(name, value);
  };
  const epoch = results?.["epoch"] ?? history.at(-1)?.["epoch"];
  const updates = results?.["global_step"] ?? history.at(-1)?.["step"];
  for (const record of history) keep(record);
  const lastLoss = found.get("loss");
  for (const name of NO_METRIC) found.delete(name);
  for (const name of found.keys()) if (/^train_|runtime$|per_second$/.test(name)) found.delete(name);
  const head: Json = { updates, epoch, train_loss: results?.["train_loss"], "loss (last logged)": lastLoss };
  const entries = [...Object.entries(head), ...found];
  return entries.filter((entry): entry is [string, number] => typeof entry[1] === "number" && Number.isFinite(entry[1]));
}

function pointsOf(history: readonly Json[], name: string): LossPoint[] {
  return history.flatMap(({ step, [name]: loss }) =>
    typeof step === "number" && typeof loss === "number" && Number.isFinite(step) && Number.isFinite(loss) ? [{ step, loss }] : [],
  );
}

function recordsOf(value: unknown): Json[] {
  return Array.isArray(value) ? value.filter((record): record is Json => typeof record === "object" && record !== null) : [];
}

/** An object in a text; a text that is none is passed over: then the card does not speak of it. */
function parse(given: string | undefined, read: (text: string) => unknown): Json | undefined {
  if (given === undefined) return undefined;
  try {
    const value = read(given);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
  } catch {
    return undefined;
  }
}

const text = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined);
const word = (value: unknown): string | undefined => (typeof value === "string" && /^[\w-]{1,32}$/.test(value) ? value : undefined);
const isSaid = (value: unknown): boolean => value !== undefined && value !== null && value !== false && value !== 0;
const said = (value: unknown): string => (typeof value === "string" ? value : Array.isArray(value) ? value.map(String).sort().join(", ") : JSON.stringify(value)); // prettier-ignore
