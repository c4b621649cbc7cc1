import type { GradientSink } from "../autograd/gradients.js";
import type { Device } from "../device/device.js";
import { ShapeError } from "../errors.js";
import { addInPlace } from "../autograd/untaped.js";
import { sizeOf, type Shape } from "../shape.js";
import type { Tensor } from "../tensor.js";

/** Elements between the starts of two parameters are a multiple of this, so that each is a binding of its own. */
const alignment = 64;

/** Name and shape of a parameter. */
export interface ParameterShape {
  name: string;
  shape: Shape;
}

/** Elements that a parameter of this shape takes in a bucket, with the gap behind it. */
export function bucketShare(shape: Shape): number {
  return Math.ceil(sizeOf(shape) / alignment) * alignment;
}

/** How optimizers treat the parameters of a bucket: what torch says by its parameter groups. */
export interface ParameterTreatment {
  /** False for biases and the weights of norms, which transformers keeps out of weight decay; default true. */
  decays?: boolean | undefined;
  /** An embedding, whose moments bitsandbytes keeps in 32 bits under an 8-bit optimizer; default false. */
  isEmbedding?: boolean | undefined;
}

/**
 * Trainable f32 parameters in one flat tensor, so that an optimizer step, a norm or a copy is one dispatch. Each parameter is a view; the gaps
 * between them hold zeros. Owned by the caller.
 */
export class ParameterBucket implements Disposable {
  readonly device: Device;
  /** [n] f32 with all parameters in it. */
  readonly flat: Tensor;
  readonly parameters: ReadonlyMap<string, Tensor>;
  /** Weight decay applies to them. */
  readonly decays: boolean;
  /** An embedding: its moments stay in 32 bits. */
  readonly isEmbedding: boolean;

  constructor(
    device: Device,
    shapes: readonly ParameterShape[],
    label = "parameters",
    { decays = true, isEmbedding = false }: ParameterTreatment = {},
  ) {
    this.device = device;
    this.decays = decays;
    this.isEmbedding = isEmbedding;
    let size = 0;
    const offsets = shapes.map(({ shape }) => {
      const offset = size;
      size += bucketShare(shape);
      return offset;
    });
    this.flat = device.unscoped(() => device.zeros([Math.max(size, 1)], "f32", label));
    this.parameters = new Map(
      shapes.map(({ name, shape }, index) => [name, device.unscoped(() => device.viewOf(this.flat, shape, offsets[index]! * 4, name))]),
    );
    if (this.parameters.size !== shapes.length) throw new ShapeError(`parameters: ${label}: a name occurs twice`);
  }

  /** The parameter of that name; throws ShapeError if there is none. */
  get(name: string): Tensor {
    const parameter = this.parameters.get(name);
    if (!parameter) throw new ShapeError(`parameters: there is no parameter "${name}"`);
    return parameter;
  }

  /** Number of trainable elements, without the gaps. */
  get numElements(): number {
    return [...this.parameters.values()].reduce((total, parameter) => total + parameter.size, 0);
  }

  /** Whether gradients flow to all of them. */
  get requiresGrad(): boolean {
    return [...this.parameters.values()].every(({ requiresGrad }) => requiresGrad);
  }

  set requiresGrad(value: boolean) {
    for (const parameter of this.parameters.values()) parameter.requiresGrad = value;
  }

  /** A bucket of the same layout, filled with zeros: for gradients or moments. */
  like(label: string): ParameterBucket {
    return new ParameterBucket(
      this.device,
      [...this.parameters].map(([name, { shape }]) => ({ name, shape })),
      label,
      this,
    );
  }

  /** For `backward`: adds `scale` times each gradient of a parameter of `of`, which has this bucket's layout, to this bucket as it comes. */
  sink(of: ParameterBucket, scale = 1): GradientSink {
    const targets = new Map([...of.parameters].map(([name, parameter]) => [parameter, this.get(name)]));
    return {
      take: (leaf, gradient) => {
        const target = targets.get(leaf);
        if (target) addInPlace(target, gradient, scale);
        return target !== undefined;
      },
      sumOf: (leaf) => {
        const tensor = targets.get(leaf);
        return tensor && { tensor, scale };
      },
    };
  }

  /** Sets everything to zero. */
  clear(): void {
    this.device.recorder.clear({ buffer: this.flat.storage.buffer, offset: 0, size: this.flat.byteLength });
  }

  dispose(): void {
    for (const parameter of this.parameters.values()) parameter.dispose();
    this.flat.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
