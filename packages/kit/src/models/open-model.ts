import { nameOfPath, openPlace } from "#platform";
import { foreignText, FormatError, SourceError, type ByteDirectory } from "@kto/core";
import { readAdapterConfig } from "@kto/lora";
import { readModelConfig, type DecoderConfig } from "@kto/qwen2";
import { openCheckpoint } from "@kto/safetensors";
import { loadTokenizer } from "@kto/tokenizer";
import type { OpenPlace, PlaceKind, PlaceOptions } from "../platform/types.js";
import { readGenerationConfig } from "./generation-config.js";
import { readJsonFile } from "./json-file.js";
import type { AdapterFiles, ModelFiles } from "./model-files.js";
import { otherThanAdapter, otherThanModel, type LookedAt } from "./other-folder.js";

/**
 * Finds a model, fetches what loading it needs and looks at its configs, the headers of its weights and its tokenizer, without a device: what is wrong
 * with it is known before gigabytes are read.
 *
 * @param place  a folder, an address (browser), a name on the hub `owner/name[@revision]`, or a directory of files
 * @throws SourceError for a place that is none, FormatError for unusable contents, HubError
 */
export async function openModel(place: string | ByteDirectory, options: PlaceOptions = {}): Promise<ModelFiles> {
  const { directory, names, hub } = await found(place, "model", options);
  const config = await configOf({ directory, names });
  await expectWeights({ directory, names });
  const generationConfig = await readGenerationConfig(directory);
  const tokenizer = await tokenizerOf(directory);
  return { ...named(place, hub, options), directory, config, generationConfig, tokenizer, hub };
}

/** The tokenizer of a model, without its weights; undefined when it has none. Throws as {@link openModel}, TokenizerError. */
export async function openTokenizer(place: string | ByteDirectory, options: PlaceOptions = {}): Promise<ModelFiles["tokenizer"]> {
  return tokenizerOf((await found(place, "tokenizer", options)).directory);
}

/** Finds an adapter as peft saves it, fetches its files and reads its config. Throws as {@link openModel}, LoraConfigError. */
export async function openAdapter(
  place: string | ByteDirectory,
  { adapterName, ...options }: PlaceOptions & { adapterName?: string | undefined } = {},
): Promise<AdapterFiles> {
  const { directory, names, hub } = await found(place, "adapter", options);
  const config = await readAdapterConfig(directory, adapterName).catch(async (error: unknown) => {
    if (!(error instanceof SourceError && error.reason === "ENOENT")) throw error;
    const other = await otherThanAdapter({ directory, names });
    if (!other) throw error;
    const text = `adapter: ${directory.name} ${other.is}; expected the folder of an adapter as peft saves it; ${other.advice}`;
    throw new SourceError(text, { source: error.source, reason: error.reason, cause: error });
  });
  return { name: nameOf(place), directory, config, hub };
}

/** Name and revision as an adapter's config records its base. */
function named(place: string | ByteDirectory, hub: OpenPlace["hub"], { revision }: PlaceOptions): Pick<ModelFiles, "name" | "revision"> {
  if (typeof place !== "string") return { name: place.name, revision: undefined };
  if (!hub) return { name: nameOfPath(place), revision: undefined };
  const [name, written] = place.split("@");
  return { name: name!, revision: written ?? (revision === "main" ? undefined : revision) };
}

const nameOf = (place: string | ByteDirectory): string => (typeof place === "string" ? place : place.name);

function found(place: string | ByteDirectory, kind: PlaceKind, options: PlaceOptions): Promise<OpenPlace> {
  return typeof place === "string" ? openPlace(place, kind, options) : Promise.resolve({ directory: place, hub: undefined });
}

async function configOf({ directory, names }: LookedAt): Promise<DecoderConfig> {
  const json = await readJsonFile(directory, "config.json", { where: `${directory.name}/config.json`, advice: "copy it again" });
  if (json === undefined) {
    const found = await otherThanModel({ directory, names });
    const other = found ?? { is: "has no config.json", advice: "check the path" };
    throw new SourceError(
      `model: ${directory.name} ${other.is}; expected ${found ? "*.safetensors" : "a model"} in Hugging Face layout; ${other.advice}`,
      { source: directory.name, reason: "ENOENT" },
    );
  }
  return readModelConfig(json, `${directory.name}/config.json`);
}

/** Looks at the headers of the weights. Throws FormatError for a folder whose weights are there only in formats that are not read. */
async function expectWeights({ directory, names }: LookedAt): Promise<void> {
  if (names && !names.some((name) => name.endsWith(".safetensors") || name === "model.safetensors.index.json")) {
    const other = await otherThanModel({ directory, names });
    if (other)
      throw new FormatError(`model: ${directory.name} ${other.is}; expected *.safetensors in Hugging Face layout; ${other.advice}`, {
        source: directory.name,
      });
  }
  await (await openCheckpoint(directory)).dispose();
}

async function tokenizerOf(directory: ByteDirectory): Promise<ModelFiles["tokenizer"]> {
  const file = await directory.open("tokenizer.json");
  if (!file) return undefined;
  const start = new TextDecoder().decode(await file.slice(0, Math.min(file.byteLength, 200)));
  await file.dispose?.();
  const got = foreignText(start);
  if (got === undefined) return loadTokenizer(directory);
  throw new FormatError(`tokenizer: ${directory.name}/tokenizer.json cannot be read; expected JSON, got ${got}`, {
    source: directory.name,
  });
}
