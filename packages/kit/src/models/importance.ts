import { ArgumentError } from "@kto/core";
import { ggufTensorName, type ImportanceEntry } from "@kto/gguf-export";
import type { DecoderForCausalLM } from "@kto/qwen2";
import { addInPlace, cast, mul, sumColumns, type FloatDtype, type LinearAdapter, type LinearModule, type Tensor } from "@kto/tensor";

/** Options of {@link collectImportance}. */
export interface CollectImportanceOptions {
  signal?: AbortSignal | undefined;
  onProgress?(progress: { doneRows: number; totalRows: number; tokens: number }): void;
}

/**
 * Runs text through a model and gathers how large the inputs of each of its linear layers are, as `writeImportanceMatrix` of `@kto/gguf-export` takes it:
 *
 *   sumSquares[column] = sum over all tokens of x[column]²,  x the input of the layer in f32
 *
 * The head has no entry, as in llama.cpp's tool. Adapters on the model act as they are set.
 *
 * @param rows  token ids, each row run by itself
 * @throws ArgumentError without a token; ShapeError for a row past the model's positions; the signal's reason
 */
export async function collectImportance(
  model: Pick<DecoderForCausalLM, "device" | "linearLayers" | "packRows" | "hiddenStates">,
  rows: readonly ArrayLike<number>[],
  { signal, onProgress }: CollectImportanceOptions = {},
): Promise<Map<string, ImportanceEntry>> {
  const { device, linearLayers } = model;
  const filled = rows.filter(({ length }) => length > 0);
  if (filled.length === 0)
    throw new ArgumentError({
      operation: "collectImportance",
      problem: "there is no text",
      expected: "at least one row with a token",
      got: `${rows.length} rows without`,
    });
  const collectors = new Map(Array.from(linearLayers, ([path, layer]) => [path, new InputCollector(layer, device)]));
  try {
    let tokens = 0;
    for (const [index, row] of filled.entries()) {
      signal?.throwIfAborted();
      device.scope("importance", () => {
        device.noGrad(() => model.hiddenStates(model.packRows([row])));
      });
      await device.sync();
      tokens += row.length;
      onProgress?.({ doneRows: index + 1, totalRows: filled.length, tokens });
    }
    const sums = await device.readAll([...collectors.values()].map((collector) => collector.sumSquares));
    return new Map(
      Array.from(collectors.keys(), (path, index) => [
        ggufTensorName(`${path}.weight`)!,
        { sumSquares: sums[index] as Float32Array, count: tokens },
      ]),
    );
  } finally {
    for (const collector of collectors.values()) collector.dispose();
  }
}

/** Stands in the place of a layer's adapter, sees what the layer is given, and lets the adapter act. */
class InputCollector implements LinearAdapter {
  readonly isActive = true;
  readonly sumSquares: Tensor;
  readonly #layer: LinearModule;
  readonly #adapter: LinearAdapter | undefined;

  constructor(layer: LinearModule, device: Tensor["device"]) {
    this.#layer = layer;
    this.#adapter = layer.adapter;
    this.sumSquares = device.zeros([layer.inFeatures], "f32", "importance");
    layer.adapter = this;
  }

  apply(base: Tensor, x: Tensor, options: { dtype: FloatDtype }): Tensor {
    const input = cast(x.detach(), "f32");
    addInPlace(this.sumSquares, sumColumns(mul(input, input), this.#layer.inFeatures, [this.#layer.inFeatures]));
    return this.#adapter?.isActive ? this.#adapter.apply(base, x, options) : cast(base, options.dtype);
  }

  dispose(): void {
    this.#layer.adapter = this.#adapter;
    this.sumSquares.dispose();
  }
}
