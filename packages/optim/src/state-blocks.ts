import type { Device, ParameterBucket, Shape, Tensor } from "@kto/tensor";
import { stateBytes, type StateTensor } from "./optimizer.js";
import type { StatePlace } from "./state-pieces.js";

/** Elements of a block; a block never spans two parameters, and the last of a parameter may be short. */
const blockSize = 256;

/** A parameter and its blocks. */
interface PlacedParameter {
  name: string;
  shape: Shape;
  size: number;
  firstBlock: number;
  numBlocks: number;
}

/** What is kept for both moments of every block: under these keys, so many bytes a block. */
interface BlockPart {
  tensor: Tensor;
  keys: readonly [first: string, second: string];
  dtype: StateTensor["dtype"];
  bytesPerBlock: number;
  shapeOf(parameter: PlacedParameter): Shape;
}

/**
 * Moments of some parameters of a bucket, in blocks of 256 elements: codes and scales, or f32. On the device every part is [2, numBlocks, …], the
 * first moments, then the second; elements that a short block lacks are zero. Owns its tensors.
 */
export class StateBlocks implements Disposable {
  readonly bucket: ParameterBucket;
  readonly numBlocks: number;
  /** [numBlocks, 2] u32, where each block starts in the bucket and its number of elements. */
  readonly blocks: Tensor;
  readonly #parameters: PlacedParameter[] = [];
  readonly #parts: BlockPart[] = [];

  constructor(bucket: ParameterBucket, isMember: (parameter: Tensor) => boolean) {
    this.bucket = bucket;
    const bounds: number[] = [];
    for (const [name, parameter] of bucket.parameters) {
      if (!isMember(parameter)) continue;
      const { shape, size, byteOffset } = parameter;
      const firstBlock = bounds.length / 2;
      for (let start = 0; start < size; start += blockSize) bounds.push(byteOffset / 4 + start, Math.min(blockSize, size - start));
      this.#parameters.push({ name, shape, size, firstBlock, numBlocks: bounds.length / 2 - firstBlock });
    }
    this.numBlocks = bounds.length / 2;
    this.blocks = bucket.device.unscoped(() => bucket.device.tensor(bounds, [this.numBlocks, 2], "u32", "state blocks"));
  }

  /** Codes of both moments, [2, numBlocks, 64] u32, zero. */
  addCodes(): Tensor {
    const tensor = this.#zeros([2, this.numBlocks, blockSize / 4], "u32", "8-bit moments");
    this.#parts.push({ tensor, keys: ["state1", "state2"], dtype: "U8", bytesPerBlock: blockSize, shapeOf: ({ shape }) => shape });
    return tensor;
  }

  /** Scales of both moments' codes, [2, numBlocks] f32, zero. */
  addScales(): Tensor {
    const tensor = this.#zeros([2, this.numBlocks], "f32", "scales of moments");
    this.#parts.push({ tensor, keys: ["absmax1", "absmax2"], dtype: "F32", bytesPerBlock: 4, shapeOf: ({ numBlocks }) => [numBlocks] });
    return tensor;
  }

  /** Both moments in f32, [2, numBlocks, 256], zero. */
  addMoments(): Tensor {
    const tensor = this.#zeros([2, this.numBlocks, blockSize], "f32", "f32 moments");
    this.#parts.push({ tensor, keys: ["state1", "state2"], dtype: "F32", bytesPerBlock: 4 * blockSize, shapeOf: ({ shape }) => shape });
    return tensor;
  }

  stateTensors(): StateTensor[] {
    return this.#slices().map(({ key, dtype, shape }) => ({ key, dtype, shape }));
  }

  /** Where each of them lies, by key. */
  statePlaces(): [key: string, place: StatePlace][] {
    return this.#slices().map(({ key, part, start, end }) => [key, { tensor: part.tensor, start, end }]);
  }

  /** Throws ShapeError, and leaves everything as it was, if a tensor is missing or has another length. */
  writeState(state: ReadonlyMap<string, Uint8Array>): void {
    const bytes = new Map(this.#parts.map((part) => [part, new Uint8Array(part.tensor.byteLength)]));
    for (const { key, part, start, end } of this.#slices()) bytes.get(part)!.set(stateBytes(state, key, end - start), start);
    for (const [part, data] of bytes) this.#device.writeBytes(part.tensor, data);
  }

  dispose(): void {
    this.blocks.dispose();
    for (const { tensor } of this.#parts) tensor.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  get #device(): Device {
    return this.bucket.device;
  }

  #zeros(shape: Shape, dtype: "f32" | "u32", label: string): Tensor {
    return this.#device.unscoped(() => this.#device.zeros(shape, dtype, label));
  }

  /** Where the parts of each parameter lie in the bytes of their tensors. */
  #slices(): (StateTensor & { part: BlockPart; start: number; end: number })[] {
    return this.#parameters.flatMap((parameter) =>
      this.#parts.flatMap((part) =>
        part.keys.map((name, half) => {
          const { dtype, bytesPerBlock } = part;
          const shape = part.shapeOf(parameter);
          const start = (half * this.numBlocks + parameter.firstBlock) * bytesPerBlock;
          const byteLength = shape.reduce((product, size) => product * size, dtype === "F32" ? 4 : 1);
          return { key: `${parameter.name}.${name}`, dtype, shape, part, start, end: start + byteLength };
        }),
      ),
    );
  }
}
