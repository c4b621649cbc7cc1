import {
  ADAPTER_CONFIG_FILE,
  ADAPTER_WEIGHTS_FILE,
  AdapterFileError,
  parseAdapterConfig,
  readAdapterWeights,
  saveAdapter,
  type LoraAdapter,
  type PeftModel,
} from "@kto/lora";
import { openSafetensors } from "@kto/safetensors";
import { hasFile, textOf } from "./checkpoint-folder.js";
import { adapterDifferences, layoutDifferences } from "./differences.js";
import type { PolicyFiles } from "./policy.js";

/** What of a model its adapter is read from and written to. */
export interface AdapterOfModel extends Pick<PeftModel, "readAdapter" | "writeAdapter"> {
  readonly activeAdapter: Pick<LoraAdapter, "config" | "targets" | "embeddings">;
}

/** The adapter of a model in folders, as peft lays it out. */
export function adapterFiles(model: AdapterOfModel): PolicyFiles {
  return {
    async write(folder) {
      const { config, targets, embeddings } = model.activeAdapter;
      await saveAdapter(folder, { config, targets, embeddings, weights: await model.readAdapter() });
      return [ADAPTER_CONFIG_FILE, ADAPTER_WEIGHTS_FILE];
    },

    async read(checkpoint) {
      const { activeAdapter: adapter } = model;
      const { folder } = checkpoint;
      if (!(await hasFile(folder, ADAPTER_CONFIG_FILE)) && (await hasFile(folder, "config.json")))
        throw checkpoint.otherRun("every weight of a model was trained, and this run trains an adapter");
      const config = await checkpoint.read(ADAPTER_CONFIG_FILE, async (source) => parseAdapterConfig(await textOf(source)));
      const weights = await checkpoint.read(ADAPTER_WEIGHTS_FILE, async (source) => {
        const file = await openSafetensors(source);
        const brought = new Map(Array.from(adapter.embeddings, ([path, { shape }]) => [path, shape])); // frozen, and there already
        return readAdapterWeights(file, adapter.targets, brought).catch((cause: unknown) => {
          const differs = layoutDifferences(config, adapter.config);
          if (!(cause instanceof AdapterFileError) || differs.length === 0) throw cause;
          throw checkpoint.otherRun(`it is of another adapter: ${differs.join(", ")}`, cause);
        });
      });
      return {
        restore: () => model.writeAdapter(weights),
        differences: (args) => adapterDifferences(config, adapter.config, args),
      };
    },
  };
}
