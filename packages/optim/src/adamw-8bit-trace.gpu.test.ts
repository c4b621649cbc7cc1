import { readFileSync } from "node:fs";
import { dynamicMap, dynamicMapMidpoints, ParameterBucket, requestDevice, type Device } from "@kto/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AdamW8bit } from "./index.js";

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device?.dispose());

/** The tensors of a safetensors file; optim itself has no reader. */
function readTensors(url: URL): Map<string, Uint8Array<ArrayBuffer>> {
  const bytes = readFileSync(url);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString("utf8", 8, start)) as Record<string, { data_offsets?: [number, number] }>;
  return new Map(
    Object.entries(header).flatMap(([name, { data_offsets: range }]) =>
      range ? [[name, Uint8Array.from(bytes.subarray(start + range[0], start + range[1]))] as const] : [],
    ),
  );
}

const floats = (bytes: Uint8Array): Float32Array => new Float32Array(Uint8Array.from(bytes).buffer);
const largest = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => Math.max(a, Math.abs(b)), 0);
const differences = (a: ArrayLike<number>, b: ArrayLike<number>): number[] => Array.from(a, (value, i) => value - b[i]!);

function write(bucket: ParameterBucket, name: string, values: Float32Array): void {
  device.writeBytes(bucket.get(name), new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
}

describe("a trace of bitsandbytes on an H100", () => {
  const trace = readTensors(new URL("../../testing/fixtures/adamw8bit/gpu-trace.safetensors", import.meta.url));
  const sizes = { p0: 4096, p1: 4359, p2: 100 };
  const names = Object.keys(sizes) as (keyof typeof sizes)[];
  const shapes = names.map((name) => ({ name, shape: [sizes[name]] }));
  const settings = { learningRate: 1e-3 };

  /** Row `step` of a [20, n] tensor; parameters before the first step are `init`. */
  const row = (name: keyof typeof sizes, what: "grads" | "params", step: number): Float32Array =>
    step === 0
      ? floats(trace.get(`${name}.init`)!)
      : floats(trace.get(`${name}.${what}`)!).subarray((step - 1) * sizes[name], step * sizes[name]);
  const stateOf = (step: number): Map<string, Uint8Array> => {
    const prefix = new RegExp(`^(p\\d)\\.s${String(step).padStart(2, "0")}\\.`);
    return new Map([...trace].filter(([key]) => prefix.test(key)).map(([key, bytes]) => [key.replace(prefix, "$1."), bytes]));
  };

  class Run implements Disposable {
    readonly parameters = new ParameterBucket(device, shapes);
    readonly gradients = this.parameters.like("gradients");
    readonly optimizer = new AdamW8bit([this.parameters], { weightDecay: 0.01 });

    /** Begins after `step` steps, from what the trace has there. */
    constructor(step: number) {
      for (const name of names) write(this.parameters, name, row(name, "params", step));
      if (step > 0) this.optimizer.writeState(stateOf(step));
      this.optimizer.step = step;
    }

    async step(): Promise<void> {
      for (const name of names) write(this.gradients, name, row(name, "grads", this.optimizer.step + 1));
      device.scope(() => void this.optimizer.apply([this.gradients], settings));
      await device.sync();
    }

    [Symbol.dispose](): void {
      for (const owned of [this.optimizer, this.gradients, this.parameters]) owned.dispose();
    }
  }

  it("has our maps", () => {
    expect(floats(trace.get("qmap1")!)).toEqual(dynamicMap("signed"));
    expect(floats(trace.get("qmap2")!)).toEqual(dynamicMap("unsigned"));
  });

  it.each([0, 1, 10])("step %i + 1 from the stored state: parameters to 1e-6", async (step) => {
    using run = new Run(step);
    await run.step();
    for (const name of names) {
      const got = (await run.parameters.get(name).read()) as Float32Array;
      expect(largest(differences(got, row(name, "params", step + 1))), name).toBeLessThan(1e-6);
    }
  });

  it("the first step: scales to round-off; codes the same, or of two entries that are equally near", async () => {
    using run = new Run(0);
    await run.step();
    const got = await run.optimizer.readState();
    const expected = stateOf(1);
    expect([...got.keys()].sort()).toEqual([...expected.keys()].sort());
    for (const name of names) {
      if (sizes[name] < 4096) {
        for (const key of ["state1", "state2"].map((part) => `${name}.${part}`))
          expect(largest(differences(floats(got.get(key)!), floats(expected.get(key)!))), key).toBeLessThan(1e-9);
        continue;
      }
      for (const [moment, midpoints] of [
        [1, dynamicMapMidpoints(dynamicMap("signed"))],
        [2, dynamicMapMidpoints(dynamicMap("unsigned"))],
      ] as const) {
        const scales = floats(got.get(`${name}.absmax${moment}`)!);
        floats(expected.get(`${name}.absmax${moment}`)!).forEach((scale, block) =>
          expect(Math.abs(scales[block]! / scale - 1)).toBeLessThan(1e-6),
        );
        const codes = got.get(`${name}.state${moment}`)!;
        expected.get(`${name}.state${moment}`)!.forEach((code, i) => {
          if (code === codes[i]) return;
          const g = row(name, "grads", 1)[i]!;
          const ratio = (moment === 1 ? 0.1 * g : 0.001 * g * g) / scales[Math.floor(i / 256)]!;
          const between = midpoints[Math.min(code, codes[i]!)]!;
          expect(Math.abs(ratio - between), `${name}.state${moment}[${i}]: ${code} and ${codes[i]}`).toBeLessThan(1e-6 * Math.abs(between));
        });
      }
    }
  });

  it("twenty steps: parameters to 1e-3, codes ±1", async () => {
    using run = new Run(0);
    for (let step = 1; step <= 20; step++) {
      await run.step();
      if (step !== 10 && step !== 20) continue;
      const got = await run.optimizer.readState();
      for (const name of names) {
        const params = (await run.parameters.get(name).read()) as Float32Array;
        expect(largest(differences(params, row(name, "params", step))), name).toBeLessThan(1e-3);
        if (sizes[name] < 4096) continue;
        for (const part of ["state1", "state2"])
          expect(
            largest(differences(got.get(`${name}.${part}`)!, stateOf(step).get(`${name}.${part}`)!)),
            `${name}.${part}`,
          ).toBeLessThanOrEqual(1);
      }
    }
  });
});
