import { DtypeError } from "@kto/core";
import { isNf4Weight, isSkipped, loadNf4Weight, quantizeNf4, type Nf4Weight, type WeightDtype } from "@kto/nf4";
import { type TensorReader } from "@kto/safetensors";
import {
  nothingOverflowed,
  type Device,
  type FloatDtype,
  type ParameterBucket,
  type Tensor,
  type TensorSpace,
  type Uploads,
} from "@kto/tensor";
import { expectWeights } from "./expect-weights.js";
import { overflowError, writeConverted } from "./write-converted.js";
import { bucketSpace } from "./weight-buckets.js";
import { WeightSpace, type WeightForm } from "./weight-space.js";
import type { WeightSpec } from "./weight-specs.js";

/** How much of a model is on the device. */
export interface LoadProgress {
  loadedBytes: number;
  totalBytes: number;
  name: string;
}

/** How linear layers that a checkpoint holds in 16 or 32 bits are quantised while they load; names as in transformers' `BitsAndBytesConfig`. */
export interface QuantizeOnLoad {
  loadIn4bit: true;
  /** The only type there is. */
  bnb4bitQuantType?: "nf4";
  /** Quantise the scales too; default false. */
  bnb4bitUseDoubleQuant?: boolean;
  /** Modules that stay as they are, by path or the end of one; default: the output head. */
  llmInt8SkipModules?: readonly string[] | null;
}

/** Options of `loadWeights`. */
export interface LoadWeightsOptions {
  device: Device;
  dtype: FloatDtype;
  quantization?: QuantizeOnLoad | undefined;
  /** Where all weights go, in f32, to be trained; default: memory of their own. The caller's to dispose, also after an error. */
  buckets?: readonly ParameterBucket[] | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: LoadProgress) => void) | undefined;
}

/** The weights of a model by the names they have on disk. */
export interface LoadedWeights {
  weights: Map<string, Tensor>;
  /** Linear layers in four bits. */
  quantized: Map<string, Nf4Weight>;
}

/** Tensors on their way at a time: while one waits for the file, another is converted and a third goes to the device. */
const concurrentTensors = 3;

/** Bytes of a tensor that are read at a time. With what is on its way to the device they are most of what a load takes of the host's memory. */
const chunkBytes = 4 * 2 ** 20;

/**
 * Streams the weights that a model needs (`weightSpecs(config)`) to the device in pieces, converting on the way, so that no second copy of the model exists in memory. Rounds to nearest even.
 * A linear layer that the file holds in four bits stays so. If it holds none so, they are quantised as `quantization` says; if it holds some, the
 * others were left out on purpose.
 *
 * Throws FormatError for a missing tensor, ShapeError where the file contradicts `config.json`, DtypeError naming a tensor with a value that f16 cannot
 * hold, Nf4FormatError for a four-bit weight whose companions are wrong.
 */
export async function loadWeights(reader: TensorReader, specs: readonly WeightSpec[], options: LoadWeightsOptions): Promise<LoadedWeights> {
  expectWeights(reader, specs);
  const isFourBit = specs.some(({ name }) => isNf4Weight(reader, name));
  const quantization = isFourBit ? undefined : options.quantization;
  const failed = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, failed.signal]) : failed.signal;
  const load = new WeightLoad(reader, specs, { ...options, quantization, signal });
  const queue = [...specs.entries()];
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next && !signal.aborted; next = queue.shift()) {
      await load.load(...next).catch((error: unknown) => failed.abort(error)); // the first error stops the others
    }
  };
  try {
    await Promise.all(Array.from({ length: concurrentTensors }, work));
    signal.throwIfAborted();
    return await load.finish();
  } catch (error) {
    load.dispose();
    throw error;
  } finally {
    load.disposeWork();
  }
}

const quantizable: Readonly<Record<string, WeightDtype>> = { F32: "float32", F16: "float16", BF16: "bfloat16" };

class WeightLoad {
  readonly #reader: TensorReader;
  readonly #specs: readonly WeightSpec[];
  readonly #options: LoadWeightsOptions;
  readonly #weights = new Map<string, Tensor>();
  readonly #quantized = new Map<string, Nf4Weight>();
  readonly #totalBytes: number;
  readonly #space: { of(name: string): TensorSpace; dispose(): void };
  /** An element a spec; see `writeBfloat16`. */
  readonly #firstOverflow: Tensor;
  readonly #uploads: Uploads;
  #loadedBytes = 0;

  constructor(reader: TensorReader, specs: readonly WeightSpec[], options: LoadWeightsOptions) {
    this.#reader = reader;
    this.#specs = specs;
    this.#options = options;
    this.#totalBytes = specs.reduce((total, { name }) => total + reader.tensors.get(name)!.byteLength, 0);
    const { device, dtype, buckets } = options;
    this.#uploads = device.uploads();
    this.#space = buckets ? bucketSpace(buckets) : new WeightSpace(device, specs, { dtype, formOf: (spec) => this.#formOf(spec) });
    this.#firstOverflow = device.unscoped(() =>
      device.tensor(
        specs.map(() => nothingOverflowed),
        [specs.length],
        "u32",
        "overflow of weights",
      ),
    );
  }

  async load(index: number, spec: WeightSpec): Promise<void> {
    const { name, shape, kind, linear } = spec;
    const { device, dtype, quantization, signal } = this.#options;
    signal?.throwIfAborted();
    const slabs = this.#space.of(name);
    if (linear !== undefined && isNf4Weight(this.#reader, name)) {
      const matrix = { shape: shape as readonly [number, number], ...(signal ? { signal } : {}) };
      this.#quantized.set(
        name,
        await loadNf4Weight(this.#reader, name, { device, slabs, ...matrix, onBytes: (bytes) => this.#counted(name, bytes) }),
      );
    } else if (quantization && this.#formOf(spec) !== "full") {
      this.#quantized.set(name, await this.#quantize(spec, quantization));
    } else {
      const target = slabs.empty(shape, kind === "matrix" ? dtype : "f32", name);
      this.#weights.set(name, target);
      await this.#stream(index, target);
    }
  }

  /** The weights in the model's order, once the device has them all. */
  async finish(): Promise<LoadedWeights> {
    await this.#expectNoOverflow();
    const inOrder = <T>(found: ReadonlyMap<string, T>): Map<string, T> =>
      new Map(this.#specs.flatMap(({ name }) => (found.has(name) ? [[name, found.get(name)!] as const] : [])));
    return { weights: inOrder(this.#weights), quantized: inOrder(this.#quantized) };
  }

  dispose(): void {
    for (const weight of [...this.#weights.values(), ...this.#quantized.values()]) weight.dispose();
  }

  disposeWork(): void {
    this.#uploads.dispose();
    this.#space.dispose();
    this.#firstOverflow.dispose();
  }

  #formOf({ name, linear }: WeightSpec): WeightForm {
    const { quantization } = this.#options;
    if (linear === undefined) return "full";
    if (isNf4Weight(this.#reader, name)) return this.#reader.tensors.has(`${name}.nested_absmax`) ? "fourBitNested" : "fourBit";
    if (!quantization || isSkipped(linear, quantization.llmInt8SkipModules ?? null)) return "full";
    return quantization.bnb4bitUseDoubleQuant ? "fourBitNested" : "fourBit";
  }

  async #stream(index: number, target: Tensor): Promise<void> {
    const { signal } = this.#options;
    const { dtype } = this.#reader.tensors.get(target.label)!;
    let element = 0;
    for await (const chunk of this.#reader.stream(target.label, chunkBytes)) {
      signal?.throwIfAborted();
      element += writeConverted(chunk, dtype, { target, first: element, firstOverflow: this.#firstOverflow, slot: index });
      await this.#counted(target.label, chunk.byteLength);
    }
  }

  async #quantize({ name, shape }: WeightSpec, { bnb4bitUseDoubleQuant: doubleQuant = false }: QuantizeOnLoad): Promise<Nf4Weight> {
    const { device, signal } = this.#options;
    const { dtype } = this.#reader.tensors.get(name)!;
    const source = quantizable[dtype];
    if (!source) {
      throw new DtypeError(`load: ${name} cannot be quantised; expected F32, F16 or BF16, got ${dtype}; load it without quantization`, {
        dtype,
      });
    }
    const matrix = { shape: shape as readonly [number, number], dtype: source, label: name, slabs: this.#space.of(name) };
    return quantizeNf4(device, { ...matrix, doubleQuant, chunks: this.#chunksOf(name), ...(signal ? { signal } : {}) });
  }

  async *#chunksOf(name: string): AsyncGenerator<Uint8Array> {
    for await (const chunk of this.#reader.stream(name, chunkBytes)) {
      yield chunk;
      await this.#counted(name, chunk.byteLength);
    }
  }

  /** Notes a piece that went to the device, and waits until there is room for the next: a fast disk would fill the driver's memory with pieces on their way. */
  async #counted(name: string, byteLength: number): Promise<void> {
    this.#loadedBytes = Math.min(this.#loadedBytes + byteLength, this.#totalBytes); // companions of four-bit weights are not in the total
    this.#options.onProgress?.({ loadedBytes: this.#loadedBytes, totalBytes: this.#totalBytes, name });
    await this.#uploads.room();
  }

  async #expectNoOverflow(): Promise<void> {
    const found = await this.#firstOverflow.read();
    const index = found.findIndex((element) => element !== nothingOverflowed);
    if (index < 0) return;
    const { name } = this.#specs[index]!;
    const bits = await this.#reader.readRange(name, 2 * found[index]!, 2 * found[index]! + 2);
    const value = new Float32Array(new Uint32Array([((bits[1]! << 8) | bits[0]!) << 16]).buffer)[0]!;
    throw overflowError(name, found[index]!, "f16", value);
  }
}
