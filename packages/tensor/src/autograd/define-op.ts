import type { Device } from "../device/device.js";
import { DeviceLostError, ShapeError } from "../errors.js";
import { sizeOf, type Rows } from "../shape.js";
import { Tensor, type GradientRows } from "../tensor.js";
import { gradientRowsOfResult, leadingRows, shapeOfLeading } from "./gradient-rows.js";
import type { Gradients, GradientSum } from "./gradients.js";
import { edgeOf, GradNode, type Saved } from "./node.js";
import { defineWays, type Way } from "./ways.js";

type Inputs = Record<string, Tensor | undefined>;
type Needs<I> = { readonly [K in keyof I]: boolean };

/** What an op's functions get besides their inputs. */
export interface OpContext<P = never, R = never> {
  readonly device: Device;
  /** What records the kernels of the way that is forced, or of the first that fits. Throws CapabilityError if it cannot compute this. */
  way(problem: P): R;
}

/** What an op gives: a tensor, or several, each with a gradient of its own. */
export type Output = Tensor | readonly Tensor[];

/** Gradients of an op's output: of several those that came, of which there is one at least. */
export type OutputGradient<O extends Output> = O extends Tensor ? Tensor : readonly (Tensor | undefined)[];

/** An op in one place: forward, what it keeps, its vjp. */
export interface OpDefinition<I extends Inputs, A, S extends Saved, E, P = never, R = never, O extends Output = Tensor> {
  /** Sets of kernels between which each call chooses, most demanding first; `device.recorder.variants` forces one by the op's name. */
  ways?: readonly Way<P, R>[];
  /** Output, or several with the same rows, what the vjp needs of the forward pass, and outputs through which no gradient flows. */
  forward(context: OpContext<P, R>, inputs: I, attributes: A): { output: O; saved: S; extra?: E };
  /**
   * Inputs and saved tensors, by name, that have a row for each row of the output, of which none depends on a later one. Where only the first rows take
   * gradients (`withGradientRows`) the vjp sees these alone, of `saved` and of `dy`. An op that does not say so is given all rows.
   */
  rows?: readonly NoInfer<keyof I | keyof S>[];
  /** The vjp takes a `dy` in f16 too, as GEMM operands may be; otherwise it is f32. */
  acceptsHalfGradient?: boolean;
  /** Gradients of the inputs that `needs` names, given that of the output: f32, or f16 from ops whose inputs are f16. */
  vjp(
    context: OpContext<P, R> & {
      gradients: Gradients;
      /** By input: the f32 sum of what other ops gave, which the vjp may add to in place and return instead of a tensor of its own. */
      partial: { readonly [K in keyof I]?: Tensor | undefined };
      /** By input: whether its gradient may be f16 as it is; elsewhere such a gradient is converted. */
      takesHalf: { readonly [K in keyof I]?: boolean };
      /** Where the gradient of an input that is a leaf is added up, if an op may do so itself: the vjp then returns none for it. */
      sumOf(name: keyof I): GradientSum | undefined;
      /** By input: the shape of its gradient. */
      shapes: { readonly [K in keyof I]: Rows };
    },
    saved: S,
    dy: OutputGradient<O>,
    needs: Needs<I>,
    attributes: A,
  ): { [K in keyof I]?: Tensor | false | undefined };
}

/** A recorded op: its output, on the tape if any input needs a gradient, and its other results. */
export interface OpResult<E, O extends Output = Tensor> {
  output: O;
  extra: E;
}

/** An op ready to be called. */
export type Op<I extends Inputs, A, E, O extends Output = Tensor> = (inputs: I, attributes: A) => OpResult<E, O>;

/**
 * Makes an op of a forward function and its vjp. Calling it records kernels at once; it is put on the tape only if an input needs a gradient and
 * the device is not inside `noGrad`. Everything made inside either function but not returned or saved is freed when the function ends.
 */
export function defineOp<I extends Inputs, A, S extends Saved, E = undefined, P = never, R = never, O extends Output = Tensor>(
  name: string,
  definition: OpDefinition<I, A, S, E, P, R, O>,
): Op<I, A, E, O> {
  const ways = definition.ways && defineWays(name, definition.ways);
  return (inputs, attributes) => {
    const device = deviceOf(name, inputs);
    const result = device.scope(name, () => {
      const way = (problem: P): R => ways!.choose(device, problem).record; // without ways nobody has a problem to call it with
      const { output, saved, extra } = definition.forward({ device, way }, inputs, attributes);
      const isSingle = output instanceof Tensor;
      const outputs: readonly Tensor[] = isSingle ? [output] : output;
      for (const each of outputs) each.label = name;
      const names = Object.keys(inputs);
      const edges = device.isRecordingGradients ? names.map((key) => edgeOf(inputs[key])) : [];
      const rows = definition.rows && gradientRowsOfResult(definition.rows.map((key) => inputs[key as string]));
      for (const each of outputs) each.gradientRows = rows;
      if (edges.some((edge) => edge !== undefined)) {
        const rowsOf = (key: string): GradientRows | undefined => (definition.rows?.includes(key) ? rows : undefined);
        const kept = hold(device, saved, rowsOf);
        const shapes = Object.fromEntries(names.map((key) => [key, inputs[key] && shapeOfLeading(inputs[key], rowsOf(key))])) as {
          [K in keyof I]: Rows;
        };
        const needs = Object.fromEntries(names.map((key, index) => [key, edges[index] !== undefined])) as Needs<I>;
        const takesHalf = Object.fromEntries(names.map((key, index) => [key, edges[index]?.node?.acceptsHalf])) as Needs<I>;
        const node = device.register(
          new GradNode(
            name,
            edges,
            kept.held,
            (dys, gradients, sums) => {
              const dy = (isSingle ? dys[0]! : dys) as OutputGradient<O>;
              const partial = Object.fromEntries(names.map((key, index) => [key, sumOfShape(sums[index], shapes[key])])) as {
                [K in keyof I]?: Tensor;
              };
              const sumOf = (key: keyof I): GradientSum | undefined => {
                const leaf = edges[names.indexOf(key as string)]?.leaf;
                return leaf && gradients.sumOf(leaf);
              };
              const byName = definition.vjp(
                { device, way, gradients, partial, takesHalf, sumOf, shapes },
                kept.saved,
                dy,
                needs,
                attributes,
              );
              return names.map((key) => byName[key] || undefined);
            },
            definition.acceptsHalfGradient,
          ),
        );
        outputs.forEach((each, index) => Object.assign(each, { node, nodeOutput: index }));
      }
      return { output, extra: extra as E };
    });
    return result;
  };
}

/** What other ops gave, unless it has other rows than what this one gives. */
function sumOfShape(sum: Tensor | undefined, rows: Rows | undefined): Tensor | undefined {
  return sum && rows && sum.size === sizeOf(rows.shape) ? sum : undefined;
}

/**
 * Aliases of the saved tensors that no scope frees; the node owns them. An alias of an input keeps its place on the tape out of it.
 *
 * @param rowsOf  the rows of a saved tensor that are needed; undefined: all
 */
function hold<S extends Saved>(device: Device, saved: S, rowsOf: (name: string) => GradientRows | undefined): { saved: S; held: Tensor[] } {
  const held: Tensor[] = [];
  const aliases = Object.fromEntries(
    Object.entries(saved).map(([key, value]) => {
      if (!(value instanceof Tensor)) return [key, value];
      const alias = device.unscoped(() => leadingRows(value, rowsOf(key)));
      held.push(alias);
      return [key, alias];
    }),
  );
  return { saved: aliases as S, held };
}

function deviceOf(op: string, inputs: Inputs): Device {
  let device: Device | undefined;
  for (const [name, tensor] of Object.entries(inputs)) {
    if (!tensor) continue;
    tensor.expectAlive(op);
    if (device && tensor.device !== device) throw new ShapeError(`${op}: ${name} lives on another device; move all inputs to one device`);
    device = tensor.device;
  }
  if (!device) throw new ShapeError(`${op}: needs at least one tensor`);
  if (device.isDisposed) throw new DeviceLostError(`${op}: the device was disposed`);
  return device;
}
