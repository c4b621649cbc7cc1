import { HubError, type HubSource, type RepoFile } from "@kto/hub";
import { excerpt, FormatError, isKtoError } from "@kto/core";
import { readModelConfig } from "@kto/qwen2";
import { licenceNames } from "../models/belongings.js";
import { readJsonFile } from "../models/json-file.js";
import { otherThanAdapter, otherThanModel } from "../models/other-folder.js";

/** Files besides the weights that loading a model reads, and that go with it where it is merged. */
export const smallFiles: readonly string[] = [
  "config.json",
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "chat_template.jinja",
  ...licenceNames,
];

/** Files of an adapter as peft saves it. */
export const adapterFiles: readonly string[] = ["adapter_config.json", "adapter_model.safetensors"];

const weightsFile = "model.safetensors";
const indexFile = "model.safetensors.index.json";

/** Names of the files with a model's weights. The config is looked at first, before gigabytes are fetched. Throws FormatError for no model in Hugging Face layout. */
export async function weightFiles(source: HubSource): Promise<string[]> {
  const files = await source.list(); // throws where there are only pickle files
  await expectModel(source, files);
  readModelConfig(await readJson(source, "config.json"), `config.json of ${source.name}`);
  if (files.some(({ path }) => path === weightsFile)) return [weightsFile];
  return [indexFile, ...shardsOf(await readJson(source, indexFile), source.name)];
}

/** Throws FormatError for a repository that holds no adapter. */
export async function expectAdapter(source: HubSource): Promise<void> {
  const files = await source.list();
  const missing = adapterFiles.find((name) => !files.some(({ path }) => path === name));
  if (missing === undefined) return;
  const other = missing === "adapter_config.json" ? await otherThanAdapter({ directory: source, names: namesAtTop(files) }) : undefined;
  if (other)
    throw new FormatError(
      `adapter: ${source.name} ${other.is}; expected an adapter as peft saves it (${adapterFiles.join(", ")}); ${other.advice}`,
      {
        source: source.name,
      },
    );
  throw new FormatError(
    `adapter: ${source.name} has no ${missing}; expected an adapter as peft saves it (${adapterFiles.join(", ")}), got ${listed(files)}; check the name`,
    { source: source.name },
  );
}

async function readJson(source: HubSource, fileName: string): Promise<unknown> {
  const json = await readJsonFile(source, fileName, { where: `${fileName} of ${source.name}`, advice: "name another model" });
  if (json !== undefined) return json;
  throw new FormatError(`model: ${source.name} has no ${fileName}; expected the file that it lists; try again`, { source: source.name });
}

/** Throws FormatError for a repository that is no model in Hugging Face layout. */
async function expectModel(source: HubSource, files: readonly RepoFile[]): Promise<void> {
  const { name: id } = source;
  const has = (name: string): boolean => files.some(({ path }) => path === name);
  const missing = !has(weightsFile) && !has(indexFile) ? weightsFile : has("config.json") ? undefined : "config.json";
  if (missing === undefined) return;
  const gguf = files.find(({ path }) => /\.gguf$/i.test(path));
  const other = await otherThanModel({ directory: source, names: namesAtTop(files) });
  throw new FormatError(
    other && !gguf
      ? `model: ${id} ${other.is}; expected safetensors in Hugging Face layout; ${other.advice}`
      : gguf
        ? `model: ${id} holds GGUF files (${gguf.path}); expected safetensors in Hugging Face layout; GGUF is for inference: name the model that it was made from`
        : `model: ${id} has no ${missing}; expected a model in Hugging Face layout, got ${listed(files)}; check the name`,
    { source: id },
  );
}

/** Names of files and folders that lie in the repository itself. */
function namesAtTop(files: readonly RepoFile[]): string[] {
  return [...new Set(files.map(({ path }) => path.split("/", 1)[0]!))];
}

/** Names of the files that `model.safetensors.index.json` lists. */
function shardsOf(index: unknown, id: string): string[] {
  const map = (index as { weight_map?: unknown } | null)?.weight_map;
  const names = typeof map === "object" && map !== null ? [...new Set(Object.values(map))] : [];
  if (names.length > 0 && names.every((name) => typeof name === "string")) return names;
  throw new FormatError(
    `model: ${indexFile} of ${id} lists no files; expected a weight_map of names, got ${excerpt(map)}; tell its owner`,
    { source: id },
  );
}

/** A repository and revision from a name and a revision given apart. Throws HubError where both name one and they differ. */
export function withRevision(id: string, revision: string | undefined): string {
  if (revision === undefined || revision === "main") return id;
  const [repo, named] = id.split("@");
  if (named === undefined || named === revision) return `${repo}@${revision}`;
  throw new HubError(
    `revision: ${id} names a revision too; expected one of the two, got ${excerpt(revision)} and ${excerpt(named)}; remove one`,
    { reason: "revisionNotFound", repo },
  );
}

/** Adds to errors of a name that nothing is known by that there is no such file or folder either. */
export async function orNoFolder<Result>(given: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!isHubError(error) || !["repoNotFound", "notCached", "unreachable"].includes(error.reason)) throw error;
    const { reason, repo, file, status, message } = error;
    throw new HubError(`${message} (there is no file or folder ${given} either)`, {
      reason,
      repo,
      file,
      status,
      cause: error.cause ?? error,
    });
  }
}

function isHubError(error: unknown): error is HubError {
  return isKtoError(error) && error.code === "HUB";
}

function listed(files: readonly RepoFile[], most = 4): string {
  const names = files.slice(0, most).map(({ path }) => path);
  return names.length === 0 ? "no files" : `${names.join(", ")}${files.length > most ? ` and ${files.length - most} more` : ""}`;
}
