import { causalAttention, requestDevice, segmentBounds, type Device } from "@kto/tensor";
import { afterAll, beforeAll, expect, it } from "vitest";

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device.dispose());

it.each(["plain", "subgroup"])("a NaN among the keys or values comes out in every token that sees it: %s", async (variant) => {
  if (variant === "subgroup" && !device.capabilities.subgroups) throw new Error("this device has no subgroups");
  device.recorder.variants.set("attention", variant);
  const [numTokens, headDim] = [4, 16];
  const ones = new Float32Array(numTokens * headDim).fill(0.5);
  for (const broken of ["k", "v"]) {
    const values = ones.slice();
    values[2 * headDim + 3] = Number.NaN;
    const tensors = Object.fromEntries(
      ["q", "k", "v"].map((name) => [name, device.tensor(name === broken ? values : ones, [numTokens, headDim], "f32")]),
    );
    const out = await causalAttention(tensors.q!, tensors.k!, tensors.v!, {
      numHeads: 1,
      numKeyValueHeads: 1,
      headDim,
      ...segmentBounds(device, [numTokens]),
    }).read();
    const isBroken = Array.from({ length: numTokens }, (_, token) =>
      out.slice(token * headDim, (token + 1) * headDim).some((value) => Number.isNaN(value)),
    );
    // The tiles of the fast variant multiply hidden values by 0, so there a NaN may show in earlier tokens too.
    expect(isBroken.slice(variant === "plain" ? 0 : 2), `NaN in ${broken}`).toEqual(
      variant === "plain" ? [false, false, true, true] : [true, true],
    );
  }
  device.recorder.variants.clear();
});
