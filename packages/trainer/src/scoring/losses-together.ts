import { add, backward, gatherRows, scale, view, type Device, type Tensor } from "@kto/tensor";
import type { BackwardPassTogether, NamedTensors, RecordedTensors } from "../loop/method.js";

/** What a forward pass gave for the rows of several micro-batches, and what is made of it. */
export interface LossesTogether<Row, Forward> {
  device: Device;
  microBatches: readonly (readonly Row[])[];
  /** Vectors, f32, in which the numbers of the micro-batches come one after another; may be on the tape. */
  forward: Forward;
  /** How many numbers of each vector belong to a micro-batch. */
  countOf(rows: readonly Row[]): number;
  /** The loss of a micro-batch, one number, f32, on the tape where it depends on what is trained, and what else is recorded of it. */
  lossOf(rows: readonly Row[], forward: Forward): RecordedTensors;
}

/** The loss of each micro-batch by its part of what a pass over all of them gave, and one backward pass for all. */
export function lossesTogether<Row, Forward extends NamedTensors>(
  { device, microBatches, forward, countOf, lossOf }: LossesTogether<Row, Forward>,
  { scales, sink }: BackwardPassTogether,
): RecordedTensors[] {
  let first = 0;
  const recorded = microBatches.map((rows) => {
    const count = countOf(rows);
    const part = partOf(device, forward, { first, count });
    first += count;
    return lossOf(rows, part);
  });
  const scaled = recorded.flatMap(({ loss }, index) => (loss.node ? [scale(loss, scales[index]!)] : []));
  if (scaled.length > 0)
    backward(
      scaled.reduce((sum, loss) => add(sum, loss)),
      { sink },
    ).dispose();
  return recorded.map((tensors) => ({ ...tensors, loss: tensors.loss.detach() }));
}

/** [count] of each vector, from number `first` on. */
function partOf<Forward extends NamedTensors>(
  device: Device,
  forward: Forward,
  { first, count }: { first: number; count: number },
): Forward {
  const indices = device.tensor(
    Array.from({ length: count }, (_, index) => first + index),
    [count],
    "u32",
    "numbers of a micro-batch",
  );
  const part = (vector: Tensor): Tensor => view(gatherRows(view(vector, [vector.size, 1]), indices), [count]); // [count]
  return Object.fromEntries(Object.entries(forward).map(([name, vector]) => [name, part(vector)])) as Forward;
}
