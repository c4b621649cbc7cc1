import { FormatError } from "@kto/core";
import { isNf4Weight, openNf4Values, readQuantState, type Nf4Values, type QuantState } from "@kto/nf4";
import { settleCheckpoint, type DecoderConfig, type WeightSpec } from "@kto/qwen2";
import { byteSizeOf, toFloat32, weightRows, type Checkpoint, type RowRange, type TensorReader, type WeightInfo } from "@kto/safetensors";
import { Recent } from "./recent.js";

/** A model's weights as they lie on disk, open, with its config. */
export interface ModelOnDisk {
  readonly checkpoint: Checkpoint;
  readonly config: DecoderConfig;
}

/** The weights of a model, those in four bits dequantised as they are read. */
export interface BaseWeights {
  /** `tieWordEmbeddings` as the weights say it. */
  readonly config: DecoderConfig;
  readonly specs: readonly WeightSpec[];
  readonly tensors: ReadonlyMap<string, WeightInfo>;
  /** Quantised layers, by path. */
  readonly quantized: ReadonlyMap<string, QuantState>;
  read(name: string, rows?: RowRange): Promise<Float32Array>;
}

/** Weights whose scales are held at a time. */
const mostHeld = 4;

/** Opens a model's weights, all checked against its config by shape. Throws as `settleCheckpoint`; Nf4FormatError, ShapeError for those in four bits. */
export async function openBaseWeights({ checkpoint, config: configured }: ModelOnDisk, signal?: AbortSignal): Promise<BaseWeights> {
  const { reader, config, specs } = await settleCheckpoint(checkpoint, configured, signal);
  const quantized = new Map<string, QuantState>();
  const tensors = new Map<string, WeightInfo>();
  for (const { name, shape, linear } of specs) {
    const isQuantized = linear !== undefined && isNf4Weight(reader, name);
    if (isQuantized) {
      const state = await readQuantState(reader, name);
      await openNf4Values(reader, name, { shape: shape as [number, number] }); // what is wrong with it is known before anything is written
      quantized.set(linear, state);
    }
    tensors.set(name, { shape, dtype: isQuantized ? "F32" : plainDtype(reader, name) });
  }
  const held = new Recent<Nf4Values>(mostHeld);
  return {
    config,
    specs,
    tensors,
    quantized,
    async read(name, rows) {
      const { from, to, rowSize } = weightRows(tensors, name, rows);
      if (isNf4Weight(reader, name)) return (await held.get(name, () => openNf4Values(reader, name))).readRows(from, to);
      const { dtype } = reader.tensors.get(name)!;
      const bytesPerRow = rowSize * byteSizeOf(dtype);
      const { values, overflow } = toFloat32(await reader.readRange(name, from * bytesPerRow, to * bytesPerRow), dtype);
      if (!overflow) return values;
      throw new FormatError(
        `read: ${name}: element ${from * rowSize + overflow.index} does not fit f32; expected at most 3.4e38 in magnitude, got ${overflow.value}`,
        { tensor: name },
      );
    },
  };
}

/** F64, which is rounded as it is read, counts as F32. */
function plainDtype(reader: TensorReader, name: string): WeightInfo["dtype"] {
  const { dtype } = reader.tensors.get(name)!;
  return dtype === "F16" || dtype === "BF16" ? dtype : "F32";
}
