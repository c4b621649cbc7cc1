import { ADAPTER_CONFIG_FILE } from "@kto/lora";
import { openCheckpoint, type TensorReader } from "@kto/safetensors";
import { sameShape, type Tensor, type TrainableWeights } from "@kto/tensor";
import { hasFile } from "./checkpoint-folder.js";
import type { CheckpointFolder, PolicyFiles } from "./policy.js";

/** Every file that a model's config and weights are in. */
const modelFiles = /^(config\.json|model(-\d{5}-of-\d{5})?\.safetensors|model\.safetensors\.index\.json)$/;

/** What names the weights where they cannot be opened. */
const weightsFile = "model.safetensors";

/** All weights of a model in folders, as transformers lays it out: config.json and safetensors, in f32. */
export function fullFiles(weights: () => TrainableWeights): PolicyFiles {
  return {
    async write(folder) {
      await weights().save(folder);
      return (await folder.list()).map(({ name }) => name).filter((name) => modelFiles.test(name));
    },

    async read(checkpoint) {
      const { folder } = checkpoint;
      if (!(await hasFile(folder, "config.json")) && (await hasFile(folder, ADAPTER_CONFIG_FILE)))
        throw checkpoint.otherRun("an adapter was trained, and this run trains every weight");
      await checkpoint.read("config.json", () => Promise.resolve());
      const parameters = new Map(weights().buckets.flatMap((bucket) => [...bucket.parameters]));
      const read = await readWeights(checkpoint, parameters);
      return {
        restore() {
          for (const [name, bytes] of read) {
            const parameter = parameters.get(name)!;
            parameter.device.writeBytes(parameter, bytes);
          }
        },
        differences: () => [],
      };
    },
  };
}

/** The bytes of every parameter, from one file or several. */
function readWeights(checkpoint: CheckpointFolder, parameters: ReadonlyMap<string, Tensor>): Promise<Map<string, Uint8Array>> {
  return checkpoint.within(weightsFile, async () => {
    const file = await openCheckpoint(checkpoint.folder);
    try {
      const misfit = misfitOf(file, parameters);
      if (misfit !== undefined) throw checkpoint.otherRun(`it is of another model: ${misfit}`);
      const read = new Map<string, Uint8Array>();
      for (const name of parameters.keys()) read.set(name, (await file.read(name)).data);
      return read;
    } finally {
      await file.dispose();
    }
  });
}

/** What tells the weights of a file from those that are trained; undefined if nothing does. */
function misfitOf({ tensors }: Pick<TensorReader, "tensors">, parameters: ReadonlyMap<string, Tensor>): string | undefined {
  for (const [name, { shape }] of parameters) {
    const found = tensors.get(name);
    const expected = `F32 [${shape.join(", ")}]`;
    if (!found) return `expected ${name}, ${expected}, got none`;
    if (found.dtype !== "F32" || !sameShape(found.shape, shape))
      return `${name}: expected ${expected}, got ${found.dtype} [${found.shape.join(", ")}]`;
  }
  const extra = [...tensors.keys()].find((name) => !parameters.has(name));
  return extra === undefined ? undefined : `expected ${parameters.size} weights, got ${extra} too`;
}
