import { inspect } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cast, requestDevice, scale, type Device } from "./index.js";

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device.dispose());

describe("a tensor", () => {
  it("is printed in one line", () => {
    const x = device.tensor([1, 2, 3, 4, 5, 6], [2, 3], "f32", "weight");
    expect(inspect(x)).toBe("Tensor [2, 3] f32 (weight)");
    expect(inspect({ x })).toBe("{ x: Tensor [2, 3] f32 (weight) }");
    expect(String(scale(x, 2))).toBe("Tensor [2, 3] f32 (unary)");
    x.dispose();
    expect(String(x)).toBe("Tensor [2, 3] f32 (weight), disposed");
  });

  it("of a dtype that is not ours is refused, also by ops", () => {
    const message = "expected f32, f16, u32, i32, got float32; did you mean f32?";
    expect(() => device.tensor([1], [1], "float32" as never)).toThrow(`tensor: unknown dtype; ${message}`);
    expect(() => device.zeros([1], "float32" as never)).toThrow(`zeros: unknown dtype; ${message}`);
    expect(() => device.fromBytes(new Uint8Array(4), [1], "float32" as never)).toThrow(message);
    expect(() => cast(device.zeros([1], "f32"), "float32" as never)).toThrow(message);
  });

  it("cannot be read, written or copied once it was disposed", async () => {
    const [x, y] = [device.zeros([1], "f32", "x"), device.zeros([1], "f32")];
    x.dispose();
    const freed = /tensor #\d+ \(x\) was freed by dispose\(\)/;
    await expect(x.read()).rejects.toThrow(freed);
    expect(() => device.writeBytes(x, new Uint8Array(4))).toThrow(freed);
    expect(() => device.copyOf(x)).toThrow(freed);
    expect(() => device.copyInto(x, y)).toThrow(freed);
  });

  it("cannot be read or made once its device was disposed", async () => {
    const other = await requestDevice();
    const x = other.zeros([1], "f32");
    other.dispose();
    const expected = { name: "DisposedError", code: "DISPOSED" };
    await expect(x.read()).rejects.toMatchObject({ ...expected, message: "read: the device was disposed; do it before device.dispose()" });
    await expect(other.readAll([x])).rejects.toMatchObject(expected);
    await expect(other.sync()).rejects.toMatchObject(expected);
    expect(() => other.zeros([1], "f32")).toThrow("zeros: the device was disposed");
  });
});
