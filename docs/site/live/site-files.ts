import { blobDirectory, SourceError, type ListedDirectory } from "@kto/core";
import train from "../../../examples/quickstart/data/train.jsonl?url";
import config from "../../../examples/quickstart/model/config.json?url";
import generationConfig from "../../../examples/quickstart/model/generation_config.json?url";
import weights from "../../../examples/quickstart/model/model.safetensors?url";
import specialTokens from "../../../examples/quickstart/model/special_tokens_map.json?url";
import tokenizer from "../../../examples/quickstart/model/tokenizer.json?url";
import tokenizerConfig from "../../../examples/quickstart/model/tokenizer_config.json?url";

// The quickstart's model and data as files of the site: its build copies them beside the scripts, under names that change with their contents.

const modelFiles: Readonly<Record<string, string>> = {
  "config.json": config,
  "generation_config.json": generationConfig,
  "model.safetensors": weights,
  "special_tokens_map.json": specialTokens,
  "tokenizer.json": tokenizer,
  "tokenizer_config.json": tokenizerConfig,
};

/** The model's files, whole in memory: 0.4 MB. Throws SourceError where the site does not give one. */
export async function fetchModel(signal?: AbortSignal): Promise<File[]> {
  return Promise.all(Object.entries(modelFiles).map(([name, address]) => fetchFile(name, address, signal)));
}

/** The model as a directory; adapters name it as their base. */
export function modelDirectory(files: readonly File[]): ListedDirectory {
  return blobDirectory(files, "model");
}

/** The demo's 2,048 marked answers. Throws as {@link fetchModel}. */
export function fetchSample(signal?: AbortSignal): Promise<File> {
  return fetchFile("train.jsonl", train, signal);
}

async function fetchFile(name: string, address: string, signal: AbortSignal | undefined): Promise<File> {
  const problem = (got: string, cause?: unknown): SourceError =>
    new SourceError(`fetch: ${name} of this site did not come; expected status 200, got ${got}; look at the connection and try again`, {
      source: name,
      cause,
    });
  const response = await fetch(address, { signal: signal ?? null }).catch((error: unknown) => {
    throw signal?.aborted ? signal.reason : problem(String(error), error);
  });
  if (!response.ok) throw problem(`status ${response.status}`);
  return new File([await response.blob()], name);
}
