import { defineOp } from "../autograd/define-op.js";
import type { FloatDtype } from "../dtype.js";
import { packingOf } from "../kernels/lib/vector.js";
import { swiGluBackwardKernel, swiGluKernel } from "../kernels/swi-glu.wgsl.js";
import { expectDtype, expectShape } from "../shape.js";
import type { Tensor } from "../tensor.js";

/**
 * Gated activation of the decoder's MLP.
 *
 *   y = silu(gate) · up,  silu(g) = g / (1 + e^(−g))
 *
 * @param gate, up  same shape, f32 | f16; computed in f32
 * @returns         their shape in `dtype` (default f32); throws ShapeError if shapes differ
 */
export function swiGlu(gate: Tensor, up: Tensor, { dtype = "f32" }: { dtype?: FloatDtype } = {}): Tensor {
  return swiGluOp({ gate, up }, { dtype }).output;
}

const swiGluOp = defineOp("swiGlu", {
  rows: ["gate", "up"],
  acceptsHalfGradient: true,
  forward({ device }, { gate, up }: { gate: Tensor; up: Tensor }, { dtype }: { dtype: FloatDtype }) {
    expectDtype("swiGlu", "gate", gate, "f32", "f16");
    expectDtype("swiGlu", "up", up, "f32", "f16");
    expectShape("swiGlu", "up", up, gate.shape);
    const y = device.rowsLike(gate, gate.shape, dtype, "swiGlu");
    const { count, of } = packingOf(y.size);
    swiGluKernel.run(
      device,
      { gate, up, y },
      { count },
      { gateType: of(gate.dtype as FloatDtype), upType: of(up.dtype as FloatDtype), dtype: of(dtype) },
    );
    return { output: y, saved: { gate, up } };
  },
  // In the types of gate and up: dGate = dy · up · s · (1 + gate · (1 − s));  dUp = dy · gate · s;  s = sigmoid(gate)
  vjp({ device }, { gate, up }, dy) {
    // These are the widest tensors of a decoder, and this is where they meet: each gradient takes the place of its input.
    const [dGate, dUp] = [gate, up].map((input) => (input.storage.isShared ? device.copyOf(input) : input.detach())) as [Tensor, Tensor];
    const { count, of } = packingOf(dy.size);
    swiGluBackwardKernel.run(
      device,
      { gate: dGate, up: dUp, dy },
      { count },
      { gateType: of(gate.dtype as FloatDtype), upType: of(up.dtype as FloatDtype), dyType: of(dy.dtype as FloatDtype) },
    );
    return { gate: dGate, up: dUp };
  },
});
