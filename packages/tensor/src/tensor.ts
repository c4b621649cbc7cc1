import type { Device } from "./device/device.js";
import { byteSize, type Dtype } from "./dtype.js";
import { DisposedError, ShapeError } from "./errors.js";
import type { Storage } from "./memory/storage.js";
import { sizeOf, type Shape } from "./shape.js";

let nextId = 1;

/** What a tensor, and the scope it was made in, know of the op that made it: see `GradNode`. */
export interface TapeNode {
  readonly inputs: readonly ({ readonly node?: TapeNode } | undefined)[];
  /** Frees what was saved for the backward pass. */
  release(): void;
}

/** Leading rows of a tensor. */
export interface GradientRows {
  /** How many. */
  readonly count: number;
  /** Rows to make room for in what is made for these alone: see `Device.rowsLike`. Undefined: as many as there are. */
  readonly capacity?: number | undefined;
}

/** What frees a tensor at its end: see `Arena`. */
export interface TensorOwner {
  readonly tensors: Set<Tensor>;
}

/** A shape and dtype over a storage. Views share the storage. Made by `device` and by ops, not by `new`. */
export class Tensor implements Disposable {
  readonly id: number = nextId++;
  readonly device: Device;
  readonly storage: Storage;
  readonly shape: Shape;
  readonly dtype: Dtype;
  /** Start of this tensor in its storage, a multiple of 256. */
  readonly byteOffset: number;
  /** Rows that it was given memory for, where batches of several lengths are to use the same buffers; results with these rows inherit it. */
  readonly rowCapacity: number | undefined;
  /** The op that made it, if a gradient can flow back through it. */
  node: TapeNode | undefined = undefined;
  /** Which of that op's outputs this is. */
  nodeOutput = 0;
  /** A leaf whose gradient `backward` returns. */
  requiresGrad = false;
  /** Its only rows through which a gradient flows, where that is not all of them: see `withGradientRows`. */
  gradientRows: GradientRows | undefined = undefined;
  /** For messages: a parameter's path or the op that made the tensor. */
  label: string;
  /** The scope that frees it; undefined when the caller owns it. */
  arena: TensorOwner | undefined = undefined;
  #disposed: string | undefined = undefined;
  #holds = 0;
  /** How it was freed while held. */
  #freedWhileHeld: string | undefined = undefined;

  constructor(device: Device, storage: Storage, shape: Shape, dtype: Dtype, label: string, byteOffset = 0, rowCapacity?: number) {
    this.device = device;
    this.storage = storage;
    this.shape = shape;
    this.dtype = dtype;
    this.label = label;
    this.byteOffset = byteOffset;
    this.rowCapacity = rowCapacity;
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }

  /** Bytes of the elements; the buffer behind them may be larger. */
  get byteLength(): number {
    return this.size * byteSize(this.dtype);
  }

  get isDisposed(): boolean {
    return this.#disposed !== undefined;
  }

  /** Throws DisposedError if the memory went back to the pool. */
  expectAlive(op: string): void {
    if (this.#disposed !== undefined) {
      throw new DisposedError(
        `${op}: tensor #${this.id} (${this.label}) was freed ${this.#disposed}; return it from the scope, or keep it until after its last use`,
      );
    }
  }

  /** Waits for the GPU and copies the elements to the host; f16 is widened. */
  async read(): Promise<Float32Array | Uint32Array | Int32Array> {
    return this.device.read(this);
  }

  /** The only element, as a number. Throws ShapeError unless there is exactly one. */
  async item(): Promise<number> {
    if (this.size !== 1) throw new ShapeError(`item: expected one element, got shape [${this.shape.join(", ")}]`);
    return (await this.read())[0]!;
  }

  /** The same elements under the same storage, cut from the tape. */
  detach(): Tensor {
    return this.device.viewOf(this, this.shape, this.byteOffset, this.label);
  }

  /** Used by the tape: the tensor stays as it is until the hold is disposed, whatever its scope or its owner do meanwhile. */
  hold(): Disposable {
    this.expectAlive("hold");
    this.#holds++;
    let isHeld = true;
    return {
      [Symbol.dispose]: () => {
        if (!isHeld) return;
        isHeld = false;
        if (--this.#holds === 0 && this.#freedWhileHeld !== undefined) this.#free(this.#freedWhileHeld);
      },
    };
  }

  dispose(): void {
    this.#free("by dispose()");
    this.arena?.tensors.delete(this);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** One line: `Tensor [2, 3] f32 (linear)`. */
  toString(): string {
    return `Tensor [${this.shape.join(", ")}] ${this.dtype} (${this.label})${this.isDisposed ? ", disposed" : ""}`;
  }

  static {
    // What `console.log` prints in Node, instead of the device and its buffers.
    const inspect = Symbol.for("nodejs.util.inspect.custom");
    Object.defineProperty(Tensor.prototype, inspect, { value: Tensor.prototype.toString });
  }

  /** Used by scopes only. */
  freeInScope(label: string): void {
    this.#free(`when its scope (${label}) ended`);
  }

  #free(how: string): void {
    if (this.#disposed !== undefined) return;
    if (this.#holds > 0) {
      this.#freedWhileHeld = how;
      return;
    }
    this.#disposed = how;
    this.storage.release();
  }
}
