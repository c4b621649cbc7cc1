import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { CapabilityError, defineOp, full, requestDevice, type Device, type Tensor, type Way } from "../index.js";
import { wayRegistry } from "./ways.js";

let device: Device;
beforeAll(async () => {
  device = await requestDevice({ nullBackend: true });
});
afterEach(() => device.recorder.variants.clear());
afterAll(() => {
  wayRegistry.delete("halved");
  device.dispose();
});

const taken: string[] = [];
/** A way for x of `least` elements or more, which can do `most` at most and notes that it was taken. */
const way = (name: string, most: number, least = 0): Way<number, () => void> => ({
  name,
  lacks: (_capabilities, size) => (size > most ? `expected at most ${most} elements, got ${size}` : undefined),
  when: (_capabilities, size) => size >= least,
  record: () => taken.push(name),
});
const halved = defineOp("halved", {
  ways: [way("large", 100, 8), way("small", 10)],
  forward({ device: on, way }, { x }: { x: Tensor }, _options: object) {
    way(x.size)();
    return { output: on.empty(x.shape, "f32"), saved: {} };
  },
  vjp({ way }, _saved, dy) {
    way(dy.size)();
    return { x: dy };
  },
});
const run = (size: number): void => halved({ x: full(device, [size], 1, "f32") }, {}).output.dispose();

describe("an op with ways", () => {
  it("takes the first that fits, or the forced one", () => {
    taken.length = 0;
    for (const size of [8, 3]) run(size);
    device.recorder.variants.set("halved", "large");
    run(3);
    device.recorder.variants.set("halved", "small");
    run(8);
    expect(taken).toEqual(["large", "small", "large", "small"]);
  });

  it("throws where the forced way cannot compute it, and where none can", () => {
    expect(() => run(101)).toThrow(CapabilityError);
    expect(() => run(101)).toThrow(
      /^halved: no way to compute this on ".*"; large: expected at most 100 elements, got 101; small: expected at most 10 elements, got 101$/,
    );
    device.recorder.variants.set("halved", "small");
    expect(() => run(11)).toThrow(
      "halved: the way that variants forces cannot compute this; small: expected at most 10 elements, got 11; force another, or none",
    );
  });
});

describe("what is forced must exist", () => {
  it.each([
    ["halve", "small", 'variants.set: no kernel with variants or op with ways is called "halve"; did you mean "halved"?'],
    ["halved", "tiny", 'variants.set: halved has no way "tiny"; there are large, small'],
    ["rmsNorm", "fast", 'variants.set: rmsNorm has no variant "fast"; there are rowPerLane, subgroup, plain'],
    ["causalAttention", "emulated", 'variants.set: causalAttention has no way "emulated"; there are matrix, vector'],
  ])("%s %s", (name, variant, message) => {
    expect(() => device.recorder.variants.set(name, variant)).toThrow(message);
    expect(device.recorder.variants.size).toBe(0);
  });

  it("lists what there is where no name is near", () => {
    expect(() => device.recorder.variants.set("convolution", "plain")).toThrow(/is called "convolution"; there are .*causalAttention/);
  });

  it("an op with ways does not share its name with a kernel", () => {
    expect(() =>
      defineOp("matmul", { ways: [way("large", 1)], forward: () => ({ output: full(device, [1], 0, "f32"), saved: {} }), vjp: () => ({}) }),
    ).toThrow("matmul: kernel and op of one name; expected two names");
  });
});
