import { excerpt, readText, type ByteDirectory } from "@kto/core";

/** What a folder is instead of what was wanted, as `is …` or `holds …`, and what to do, for a message. */
export interface OtherFolder {
  is: string;
  advice: string;
}

/** Checkpoints and named adapters that are looked into at most. */
const mostLooks = 20;

/** A folder as it is looked at: its files and folders by name, where they are known. */
export interface LookedAt {
  directory: ByteDirectory;
  /** Names of what lies in it, not of what lies in folders inside. */
  names: readonly string[] | undefined;
}

/** What lies where a model was expected and its config.json or weights are missing: an adapter, a run's folder, another library's or format's model. */
export async function otherThanModel({ directory, names = [] }: LookedAt): Promise<OtherFolder | undefined> {
  const { name } = directory;
  const base = await baseOf(directory, "");
  if (base !== undefined) return asAdapter(name, "", base);
  const checkpoint = await newestCheckpoint(directory, names);
  if (checkpoint) return asAdapter(name, checkpoint.name, checkpoint.base);
  const has = (file: string): boolean => names.includes(file);
  const first = (pattern: RegExp): string | undefined => names.find((file) => pattern.test(file));
  const gguf = first(/\.gguf$/i);
  if (gguf !== undefined)
    return {
      is: `holds a GGUF file (${gguf})`,
      advice: "GGUF is for inference: give the model that it was made from, in Hugging Face layout",
    };
  if (has("model_index.json"))
    return { is: "is a pipeline of diffusers (model_index.json)", advice: "only language models are trained here" };
  if (has("modules.json") || has("config_sentence_transformers.json"))
    return {
      is: "is a model of sentence-transformers",
      advice: "only language models with a head are trained here; give the model that it was made from",
    };
  const pickle = first(/^(pytorch_model.*\.bin|consolidated.*\.pth|.*\.pt|.*\.ckpt)$/);
  if (pickle !== undefined) return { is: `holds only pickle weights (${pickle})`, advice: howToConvert(name) };
  const other = first(/^(tf_model\.h5|flax_model\.msgpack|.*\.onnx|weights\.npz)$/);
  if (other !== undefined) return { is: `holds weights of another framework (${other})`, advice: "take the model's safetensors files" };
  if (has("snapshots") && has("refs"))
    return {
      is: "is a folder of the hub's cache",
      advice: "give the name of the model on the hub (owner/name), or the folder below snapshots",
    };
  return undefined;
}

/** What lies where an adapter was expected and its config is missing. */
export async function otherThanAdapter({ directory, names = [] }: LookedAt): Promise<OtherFolder | undefined> {
  const { name } = directory;
  if (await has(directory, "config.json"))
    return {
      is: "is the folder of a model",
      advice: `give it as the model (--model ${name}, or loadModel) and leave the adapter out, or give the folder of an adapter of it`,
    };
  const checkpoint = await newestCheckpoint(directory, names);
  if (checkpoint) return { is: "is the folder of a run that has checkpoints alone", advice: `give the newest: ${name}/${checkpoint.name}` };
  for (const inside of names.filter((file) => !file.includes(".")).slice(0, mostLooks)) {
    if ((await baseOf(directory, `${inside}/`)) !== undefined)
      return { is: `holds an adapter named ${inside}`, advice: `give ${name}/${inside}, or the name of the adapter` };
  }
  return undefined;
}

/** How weights in a pickle become safetensors. */
export function howToConvert(path: string): string {
  return `a pickle can run any code: if you trust it, write it anew with transformers: AutoModelForCausalLM.from_pretrained("${path}").save_pretrained("new-folder"), and AutoTokenizer alike`;
}

function asAdapter(folder: string, checkpoint: string, base: string | null): OtherFolder {
  const path = checkpoint === "" ? folder : `${folder}/${checkpoint}`;
  const model = base ?? "BASE";
  const what =
    checkpoint === "" ? "the folder of an adapter" : `the folder of a run, whose newest checkpoint (${checkpoint}) is an adapter`;
  return {
    is: `is ${what} of ${base === null ? "a base model that its config does not name" : model}`,
    advice: `give the base as the model and this as its adapter: --model ${model} --adapter ${path} (loadModel, then loadAdapter)`,
  };
}

/** `base_model_name_or_path` of an adapter's config, null where it names none; undefined where there is no adapter. */
async function baseOf(directory: ByteDirectory, inside: string): Promise<string | null | undefined> {
  const text = await readText(directory, `${inside}adapter_config.json`);
  if (text === undefined) return undefined;
  try {
    const base = (JSON.parse(text) as { base_model_name_or_path?: unknown } | null)?.base_model_name_or_path;
    return typeof base === "string" && base !== "" ? (base.length <= 200 ? base : excerpt(base)) : null;
  } catch {
    return null;
  }
}

async function newestCheckpoint(
  directory: ByteDirectory,
  names: readonly string[],
): Promise<{ name: string; base: string | null } | undefined> {
  const step = (name: string): number => Number(name.slice("checkpoint-".length));
  const newestFirst = names.filter((name) => /^checkpoint-\d{1,15}$/.test(name)).toSorted((a, b) => step(b) - step(a));
  for (const name of newestFirst.slice(0, mostLooks)) {
    const base = await baseOf(directory, `${name}/`);
    if (base !== undefined) return { name, base };
  }
  return undefined;
}

async function has(directory: ByteDirectory, fileName: string): Promise<boolean> {
  const source = await directory.open(fileName);
  await source?.dispose?.();
  return source !== undefined;
}
