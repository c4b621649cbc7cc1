import { defineOp } from "../autograd/define-op.js";
import type { FloatDtype } from "../dtype.js";
import { whereKernel } from "../kernels/elementwise.wgsl.js";
import { packingOf } from "../kernels/lib/vector.js";
import { expectDtype, type Shape } from "../shape.js";
import type { Tensor } from "../tensor.js";
import type { ElementwiseOptions } from "./add.js";
import { repeatedShape, unrepeat } from "./repeat.js";

/**
 * a where `condition` is not 0, else b, element by element. Operands repeat as in `add`. What is not chosen gets a gradient of 0, whatever it holds.
 *
 * @param condition  any dtype and shape; no gradient flows to it
 * @param a, b       f32 | f16, any shape
 * @returns          shape of the largest; f32 unless `dtype` says f16. Throws ShapeError if the others do not repeat into it, DtypeError
 */
export function where(condition: Tensor, a: Tensor, b: Tensor, { dtype = "f32" }: ElementwiseOptions = {}): Tensor {
  expectDtype("where", "a", a, "f32", "f16");
  expectDtype("where", "b", b, "f32", "f16");
  const shape = repeatedShape("where", condition, a, b);
  return whereOp({ condition, a, b }, { shape, dtype, aShape: a.shape, bShape: b.shape }).output;
}

/** Shapes are kept instead of tensors: the gradients need no values. */
interface Attributes {
  shape: Shape;
  dtype: FloatDtype;
  aShape: Shape;
  bShape: Shape;
}

const whereOp = defineOp("where", {
  forward(_context, { condition, a, b }: { condition: Tensor; a: Tensor; b: Tensor }, { shape, dtype }: Attributes) {
    return { output: choose(condition, a, b, shape, dtype), saved: { condition } };
  },
  // da = dy where the condition holds, else 0; db the other way round; each summed over its repetitions
  vjp({ device }, { condition }, dy, needs, { shape, aShape, bShape }) {
    const zero = device.zeros([], "f32");
    return {
      a: needs.a && unrepeat(choose(condition, dy, zero, shape, "f32"), aShape),
      b: needs.b && unrepeat(choose(condition, zero, dy, shape, "f32"), bShape),
    };
  },
});

function choose(condition: Tensor, a: Tensor, b: Tensor, shape: Shape, dtype: FloatDtype): Tensor {
  const largest = [condition, a, b].reduce((x, next) => (next.size > x.size ? next : x));
  const y = condition.device.rowsLike(largest, shape, dtype, "where");
  const { count, lanes, of } = packingOf(y.size, condition.size, a.size, b.size);
  whereKernel.run(
    y.device,
    { condition, a, b, y },
    { count, conditionCount: condition.size / lanes, aCount: a.size / lanes, bCount: b.size / lanes },
    {
      conditionType: lanes === 4 ? `vec4<${condition.dtype}>` : condition.dtype,
      aType: of(a.dtype as FloatDtype),
      bType: of(b.dtype as FloatDtype),
      dtype: of(dtype),
    },
  );
  return y;
}
