import { type ByteDirectory, readText } from "@kto/core";
import type { GgufAdapter, GgufModel } from "@kto/gguf-export";
import { ADAPTER_CONFIG_FILE } from "@kto/lora";
import { mergedWeights, type MergedWeights } from "@kto/merge";
import { openCheckpoint } from "@kto/safetensors";
import { CORE_SCHEMA, load } from "js-yaml";
import { openAdapterWeights } from "./adapter-file.js";
import { answerEnds } from "./answer-ends.js";
import { readJsonFile } from "./json-file.js";
import type { AdapterFiles, ModelFiles } from "./model-files.js";

/** A model as `exportGguf` of `@kto/gguf-export` takes it, with its files open. */
export interface OpenGgufModel extends GgufModel {
  readonly config: Readonly<Record<string, unknown>>;
  /** Plain weights, or dequantised ones. */
  readonly base: MergedWeights["base"];
  /** What one should know of the files before they are used. */
  readonly notes: readonly string[];
  /** Closes the files. */
  dispose(): Promise<void>;
}

/**
 * Opens a model to be written as GGUF: its weights, those in four bits dequantised and an adapter merged as they are read, and all that the file says of it. No device is needed.
 *
 * @throws FormatError for files that cannot be read, and as `mergedWeights`
 */
export async function openGgufModel(
  files: ModelFiles,
  { adapter, signal }: { adapter?: AdapterFiles | undefined; signal?: AbortSignal | undefined } = {},
): Promise<OpenGgufModel> {
  const { directory } = files;
  const json = (fileName: string): Promise<unknown> => readJson(directory, fileName);
  const config = (await json("config.json")) as Record<string, unknown>;
  const tokenizer = {
    tokenizerJson: await json("tokenizer.json"),
    tokenizerConfig: await json("tokenizer_config.json"),
    chatTemplateJinja: await readText(directory, "chat_template.jinja"),
    chatTemplateJson: await json("chat_template.json"),
  };
  const card = await readCard(directory);
  const open: { dispose(): Promise<void> }[] = [];
  const dispose = async (): Promise<void> => void (await Promise.all(open.map((file) => file.dispose())));
  try {
    const checkpoint = await openCheckpoint(directory);
    open.push(checkpoint);
    const tensors = adapter && (await openAdapterWeights(adapter.directory));
    if (tensors) open.push(tensors);
    const adapters = adapter && tensors ? [{ config: adapter.config, tensors, name: adapter.name }] : [];
    const weights = await mergedWeights({ checkpoint, config: files.config }, { adapters, signal });
    return {
      name: files.hub ? files.name : lastPart(files.name),
      weights,
      config: { ...config, tie_word_embeddings: weights.config.tieWordEmbeddings },
      tokenizer,
      generationConfig: files.generationConfig,
      card,
      base: weights.base,
      notes: files.tokenizer ? [answerEnds(files.tokenizer).note].filter((note) => note !== undefined) : [],
      dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** Opens an adapter to be written as a GGUF file of its own, as `exportGgufAdapter` takes it, with the config of the model that it acts on. */
export async function openGgufAdapter(adapter: AdapterFiles, model: ModelFiles): Promise<GgufAdapter & { dispose(): Promise<void> }> {
  const config = await readJson(adapter.directory, ADAPTER_CONFIG_FILE);
  const baseConfig = await readJson(model.directory, "config.json");
  const tensors = await openAdapterWeights(adapter.directory);
  return { config, baseConfig, tensors, name: lastPart(adapter.name), dispose: () => tensors.dispose() };
}

function readJson(directory: ByteDirectory, fileName: string): Promise<unknown> {
  return readJsonFile(directory, fileName, { where: `${directory.name}/${fileName}`, advice: "copy it again" });
}

/** The header of README.md; nothing where there is none, or none that can be read: a card is no reason to fail. */
async function readCard(directory: ByteDirectory): Promise<unknown> {
  const text = await readText(directory, "README.md");
  const [, header] = /^---\r?\n(.*?)\r?\n---(\r?\n|$)/s.exec(text ?? "") ?? [];
  try {
    return header === undefined ? undefined : load(header, { schema: CORE_SCHEMA });
  } catch {
    return undefined;
  }
}

function lastPart(path: string): string {
  return path.split(/[\\/]/).findLast((part) => part !== "" && part !== ".") ?? "model";
}
