import { FormatError } from "@kto/core";
import { HubError, parseRepoId, type HubSource, type RepoFile } from "@kto/hub";
import { hub, resolveFourBit, snapshotDownload, type CacheOptions } from "@kto/hub/node";
import { readModelConfig } from "@kto/qwen2";
import { ConfigError, isHubError } from "../errors.js";
import type { Console } from "../render/console.js";
import { downloading, type HubAccess } from "./hub-access.js";
import { isHubId } from "./place.js";

/** Files besides the weights that loading a model reads. */
const smallFiles = [
  "config.json",
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "chat_template.jinja",
];
const weightsFile = "model.safetensors";
const indexFile = "model.safetensors.index.json";
const adapterFiles = ["adapter_config.json", "adapter_model.safetensors"];

/** How a model of the hub is chosen. */
export interface ModelChoice {
  /** `model_revision`; the id may name one instead. */
  revision?: string;
  /** Take the checkpoint in four bits that the hub has of this model. */
  preferFourBit?: boolean;
}

/**
 * The folder of a model: the path given where there is one, else, for an id of the hub, its snapshot in the cache, with what loading needs.
 * Throws HubError, and as `readModelConfig` before any weight is fetched; ConfigError for two revisions.
 */
export async function modelPath(given: string, access: HubAccess, console: Console, choice: ModelChoice = {}): Promise<string> {
  if (!isHubId(given)) {
    if (choice.preferFourBit) console.line(`note: prefer_4bit_checkpoint has no effect on a folder`);
    return given;
  }
  return downloading(access, () =>
    orNoFolder(given, async () => {
      const id = await chooseRepo(revised(given, choice.revision), access, console, choice.preferFourBit ?? false);
      const { path, commit } = await fetchModel(id, access.options);
      access.commits.set(id, commit);
      return path;
    }),
  );
}

/** A folder with a model's tokenizer, as {@link modelPath} but without its weights. */
export async function tokenizerPath(given: string, access: HubAccess): Promise<string> {
  if (!isHubId(given)) return given;
  return downloading(access, () =>
    orNoFolder(given, async () => (await snapshotDownload(given, { ...access.options, include: smallFiles })).path),
  );
}

/** The folder of an adapter, as {@link modelPath}. */
export async function adapterPath(given: string, access: HubAccess): Promise<string> {
  if (!isHubId(given)) return given;
  return downloading(access, () =>
    orNoFolder(given, async () => {
      const files = await hub(given, access.options).list();
      const missing = adapterFiles.find((name) => !files.some(({ path }) => path === name));
      if (missing !== undefined) {
        throw new FormatError(
          `adapter: ${given} has no ${missing}; expected an adapter as peft saves it (${adapterFiles.join(", ")}), got ${listed(files)}; check the name`,
          { source: given },
        );
      }
      const { path, commit } = await snapshotDownload(given, { ...access.options, include: adapterFiles });
      access.commits.set(given, commit);
      return path;
    }),
  );
}

/** `owner/name@revision` of a model's name and `model_revision`. */
function revised(given: string, revision = "main"): string {
  if (revision === "main") return given;
  const { repo, revision: named } = parseRepoId(given);
  if (named === undefined || named === revision) return `${repo}@${revision}`;
  throw new ConfigError([
    `model_revision: ${given} names a revision too; expected one of the two, got ${JSON.stringify(revision)} and ${JSON.stringify(named)}; remove one`,
  ]);
}

/** The repository to read: the one named, or its four-bit checkpoint where that was asked for; says which. */
async function chooseRepo(id: string, { options }: HubAccess, console: Console, preferFourBit: boolean): Promise<string> {
  if (!preferFourBit) return id;
  const found = await resolveFourBit(id, options);
  if (found.mapped) console.line(`model: ${found.id} (four-bit checkpoint of ${id})`);
  else console.line(`note: the hub has no four-bit checkpoint of ${id}; taking ${id} itself`);
  return found.id;
}

async function fetchModel(id: string, options: CacheOptions): Promise<{ path: string; commit: string }> {
  const source = hub(id, options);
  const files = await source.list(); // throws where there are only pickle files
  expectModel(id, files);
  readModelConfig(await readJson(source, "config.json"), `config.json of ${id}`); // before gigabytes are fetched
  const isSingle = files.some(({ path }) => path === weightsFile);
  const weights = isSingle ? [weightsFile] : [indexFile, ...shardsOf(await readJson(source, indexFile), id)];
  const { commit } = await source.resolve();
  return snapshotDownload(id, { ...options, revision: commit, include: [...smallFiles, ...weights.map(literalPattern)] });
}

async function readJson(source: HubSource, fileName: string): Promise<unknown> {
  const file = await source.open(fileName);
  if (!file)
    throw new FormatError(`model: ${source.name} has no ${fileName}; expected the file that it lists; try again`, { source: source.name });
  try {
    return JSON.parse(new TextDecoder().decode(await file.slice(0, file.byteLength))) as unknown;
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new FormatError(
      `model: ${fileName} of ${source.name} cannot be read; expected JSON, got "${cause.message}"; name another model`,
      {
        source: source.name,
        cause,
      },
    );
  } finally {
    await file.dispose?.();
  }
}

/** Throws FormatError for a repository that is no model in Hugging Face layout. */
function expectModel(id: string, files: readonly RepoFile[]): void {
  const has = (name: string): boolean => files.some(({ path }) => path === name);
  const ggufs = files.filter(({ path }) => /\.gguf$/i.test(path));
  const fail = (missing: string): never => {
    throw new FormatError(
      ggufs.length > 0
        ? `model: ${id} holds GGUF files (${ggufs[0]!.path}); expected safetensors in Hugging Face layout; GGUF is for inference: name the model that it was made from`
        : `model: ${id} has no ${missing}; expected a model in Hugging Face layout, got ${listed(files)}; check the name`,
      { source: id },
    );
  };
  if (!has(weightsFile) && !has(indexFile)) fail(weightsFile);
  if (!has("config.json")) fail("config.json");
}

/** Names of the files that `model.safetensors.index.json` lists. */
function shardsOf(index: unknown, id: string): string[] {
  const map = (index as { weight_map?: unknown } | null)?.weight_map;
  const names = typeof map === "object" && map !== null ? [...new Set(Object.values(map))] : [];
  if (names.length > 0 && names.every((name) => typeof name === "string")) return names;
  throw new FormatError(
    `model: ${indexFile} of ${id} lists no files; expected a weight_map of names, got ${JSON.stringify(map)?.slice(0, 60)}; tell its owner`,
    { source: id },
  );
}

/** A pattern that matches just this name. */
function literalPattern(name: string): string {
  return name.replace(/[*?[]/g, "[$&]");
}

/** Adds to errors of a name that nothing is known by that there is no such folder either. */
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

function listed(files: readonly RepoFile[], most = 4): string {
  const names = files.slice(0, most).map(({ path }) => path);
  return names.length === 0 ? "no files" : `${names.join(", ")}${files.length > most ? ` and ${files.length - most} more` : ""}`;
}
