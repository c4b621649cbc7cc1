import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { folderStore } from "@kto/core/node";
import { exportGguf, type ExportGgufOptions, type GgufFileType } from "@kto/gguf-export";
import { parseRepoId } from "@kto/hub";
import { checkPush, type PushResult } from "@kto/hub/node";
import type { PeftModel } from "@kto/lora";
import { openGgufModel } from "../models/gguf-model.js";
import { mergeModel, type MergeModelOptions, type WeightedAdapter } from "../models/merge-model.js";
import type { AdapterFiles, ModelFiles } from "../models/model-files.js";
import { writeModelfile } from "../models/modelfile.js";
import { savePretrainedMerged, type SaveMergedOptions } from "../models/save-merged.js";
import { expandHome } from "../platform/node-places.js";
import { pushToHub, type PushToHubOptions } from "./push-to-hub.js";

/** Where what is made for a push lies meanwhile. */
interface MadeFolder {
  /** A folder that stays, new or empty; default a temporary one, which goes when the push is over, however it ends. */
  folder?: string | undefined;
}

/** Options of {@link pushToHubMerged}. */
export interface PushMergedOptions extends PushToHubOptions, MadeFolder {
  /** How it is merged; `saveMethod` and `dtype` as of `savePretrainedMerged`. */
  merge?: Omit<MergeModelOptions & SaveMergedOptions, "dtype" | "saveMethod" | "signal">;
  saveMethod?: "merged_16bit" | "merged_4bit_forced" | undefined;
  dtype?: "f32" | "f16" | "bf16" | undefined;
}

/** Options of {@link pushToHubGguf}. */
export interface PushGgufOptions extends PushToHubOptions, MadeFolder {
  /** Merged on the way. */
  adapter?: AdapterFiles | undefined;
  /** Kinds of files; default `["Q4_K_M"]`. */
  types?: readonly GgufFileType[] | undefined;
  /** How they are written. */
  gguf?: Pick<ExportGgufOptions, "importance" | "splitMaxSize" | "quantizer" | "onProgress">;
}

/** A model with adapters, as files: nothing of it need be on a device. */
export interface FilesToMerge {
  model: ModelFiles;
  adapters: readonly WeightedAdapter[];
}

/**
 * Merges a model with its adapters and pushes the result as a model of its own, as Unsloth's `push_to_hub_merged`. Whether the push will be allowed is found
 * out first. The same model merged again has the same bytes, so that a push that broke off goes on.
 *
 * @param source  a model with adapters on it, or the files of both
 * @throws as `savePretrainedMerged`, `mergeModel` and {@link pushToHub}
 */
export async function pushToHubMerged(source: PeftModel | FilesToMerge, options: PushMergedOptions): Promise<PushResult> {
  const { folder, merge = {}, saveMethod = "merged_16bit", dtype, ...push } = options;
  const { signal } = push;
  const base = "activeAdapter" in source ? source.activeAdapter.config.baseModelNameOrPath : nameOf(source.model);
  return made(push, folder, base, async (place) => {
    const store = folderStore(place);
    if ("activeAdapter" in source) await savePretrainedMerged(source, store, { ...merge, saveMethod, dtype, signal });
    else {
      const chosen = saveMethod === "merged_4bit_forced" ? "nf4" : dtype;
      await mergeModel(source.model, source.adapters, store, { ...merge, dtype: chosen, signal });
    }
  });
}

/**
 * Writes a model, an adapter merged on the way, as GGUF files with a Modelfile and pushes them, as Unsloth's `push_to_hub_gguf`: `ollama run hf.co/owner/name` then runs it.
 * Whether the push will be allowed is found out first.
 *
 * @throws as `openGgufModel`, `exportGguf` of `@kto/gguf-export` and {@link pushToHub}
 */
export async function pushToHubGguf(model: ModelFiles, options: PushGgufOptions): Promise<PushResult> {
  const { folder, adapter, types = ["Q4_K_M"], gguf, ...push } = options;
  const { signal } = push;
  const name = parseRepoId(push.repo).repo.split("/").at(-1)!;
  return made(push, folder, nameOf(model), async (place) => {
    const opened = await openGgufModel(model, { adapter, signal });
    try {
      for (const note of opened.notes) push.onNote?.(note);
      const isOne = types.length === 1;
      const at = isOne ? { store: folderStore(place), out: `${name}-${types[0]}.gguf` } : { store: folderStore(dirname(place)), out: basename(place) }; // prettier-ignore
      const { files } = await exportGguf(opened, { ...gguf, ...at, types, signal });
      const { note } = await writeModelfile(files, { files: model, model: opened, store: at.store });
      if (note !== undefined) push.onNote?.(note);
    } finally {
      await opened.dispose();
    }
  });
}

/** Pushes what `make` writes into a folder. */
async function made(
  options: PushToHubOptions,
  folder: string | undefined,
  base: string | null | undefined,
  make: (place: string) => Promise<void>,
): Promise<PushResult> {
  if (options.createPr !== true) await checkPush(options); // before minutes of work
  const place = folder === undefined ? await mkdtemp(join(tmpdir(), "kto-made-")) : resolve(expandHome(folder));
  try {
    await mkdir(place, { recursive: true });
    await make(place);
    return await pushToHub(place, { ...options, baseModel: options.baseModel ?? base ?? undefined });
  } finally {
    if (folder === undefined) await rm(place, { recursive: true, force: true });
  }
}

/** What a model is called: its name on the hub, else its folder. */
function nameOf({ name, hub }: ModelFiles): string {
  return hub?.id.split("@")[0] ?? name;
}
