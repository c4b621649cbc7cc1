import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { add, backward, DisposedError, full, mul, requestDevice, scale, sum, type Device, type Tensor } from "../index.js";

let device: Device;
let before = 0;

beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device?.dispose());
beforeEach(() => {
  before = device.memory.info().liveStorages;
});
afterEach(() => expect(device.memory.info().liveStorages).toBe(before));

const live = (): number => device.memory.info().liveStorages - before;

describe("a scope", () => {
  it("frees what it made, and keeps what it returns, also inside arrays, maps and objects", async () => {
    const kept = device.scope("step", () => {
      const x = full(device, [4], 2, "f32");
      const y = scale(x, 3);
      return { list: [y], map: new Map([["z", scale(y, 2)]]), number: 7 };
    });
    expect(live()).toBe(2);
    expect([...(await kept.list[0]!.read())]).toEqual([6, 6, 6, 6]);
    expect([...(await kept.map.get("z")!.read())]).toEqual([12, 12, 12, 12]);
    kept.list[0]!.dispose();
    kept.map.get("z")!.dispose();
  });

  it("gives what it returns to the scope around it", () => {
    let inner: Tensor | undefined;
    device.scope("outer", () => {
      inner = device.scope("inner", () => scale(full(device, [1], 1, "f32"), 2));
      expect(inner.isDisposed).toBe(false);
    });
    expect(inner!.isDisposed).toBe(true);
  });

  it("names itself, the tensor and the op when a freed tensor is used", () => {
    let leaked: Tensor | undefined;
    device.scope("layer 3", () => {
      leaked = scale(full(device, [2], 1, "f32"), 2);
    });
    expect(() => add(leaked!, leaked!)).toThrow(DisposedError);
    expect(() => add(leaked!, leaked!)).toThrow(
      `add: tensor #${leaked!.id} (unary) was freed when its scope (layer 3) ended; return it from the scope, or keep it until after its last use`,
    );
  });

  it("frees everything when its body throws", () => {
    expect(() =>
      device.scope(() => {
        full(device, [1000], 1, "f32");
        throw new Error("stop");
      }),
    ).toThrow("stop");
    expect(live()).toBe(0);
  });

  it("leaves alone what was made unscoped", () => {
    let made: Tensor | undefined;
    device.scope(() => {
      made = device.unscoped(() => device.zeros([3], "f32"));
    });
    expect(made!.isDisposed).toBe(false);
    made!.dispose();
  });
});

describe("what the tape saved", () => {
  it("lives as long as a returned tensor can be run backward, and no longer", async () => {
    const w = device.tensor([1, 2, 3], [3], "f32");
    w.requiresGrad = true;
    const loss = device.scope("forward", () => sum(mul(mul(w, w), w)));
    expect(live()).toBe(3); // w, its squares, which mul saved, and the loss
    const gradients = backward(loss);
    expect([...(await gradients.get(w)!.read())]).toEqual([3, 12, 27]);
    loss.dispose();
    gradients.dispose();
    w.dispose();
  });

  it("is freed with a scope that returns nothing", () => {
    const w = device.tensor([1, 2], [2], "f32");
    w.requiresGrad = true;
    device.scope(() => sum(mul(mul(w, w), w)) && undefined);
    expect(live()).toBe(1);
    w.dispose();
  });
});

it("dispose() twice does no harm, and `using` disposes", () => {
  {
    using tensor = device.zeros([5], "f32");
    tensor.dispose();
    expect(() => tensor.expectAlive("mul")).toThrow(/was freed by dispose\(\)/);
  }
  expect(live()).toBe(0);
});

it("a view shares the storage and keeps it alive", async () => {
  const x = device.tensor([1, 2, 3, 4], [4], "f32");
  const part = device.viewOf(x, [2, 2], 0, "view");
  x.dispose();
  expect(live()).toBe(1);
  expect([...(await part.read())]).toEqual([1, 2, 3, 4]);
  part.dispose();
});
