import { expect, it } from "vitest";
import { requestDevice } from "../device/request-device.js";
import { hasSubgroupMatrix } from "../kernels/lib/subgroup-matrix.js";
import type { Tensor } from "../tensor.js";
import { gemm } from "./gemm.js";

/** More than 64 tiles of 128 × 192, which is what goes on with the next tile. */
const [m, n, k] = [8, 12_296, 64];

it("a product that is first recorded in a rehearsal, or in a capture, counts its tiles when it runs", async () => {
  for (const first of ["rehearsal", "capture"] as const) {
    const device = await requestDevice();
    device.recorder.variants.set("pipelinedMatmul", hasSubgroupMatrix(device.capabilities) ? "subgroup" : "emulated");
    const ones = device.fromBytes(new Uint8Array(new Uint16Array(m * k).fill(0x3c00).buffer), [m, k], "f16");
    const columns = device.fromBytes(new Uint8Array(new Uint16Array(n * k).fill(0x3c00).buffer), [n, k], "f16");
    const c = device.zeros([m, n], "f32");
    const product = (): void => gemm({ a: ones, b: columns, c, m, n, k, transposeB: true });
    if (first === "rehearsal") {
      device.memory.rehearse(product);
      product();
    } else {
      const capture = device.capture(product);
      for (let time = 0; time < 2; time++) capture.run();
      capture.dispose();
    }
    const expectAll = async (tensor: Tensor): Promise<void> => {
      const values = (await tensor.read()) as Float32Array;
      expect(
        values.every((value) => value === k),
        first,
      ).toBe(true);
    };
    await expectAll(c);
    device.dispose();
  }
});
