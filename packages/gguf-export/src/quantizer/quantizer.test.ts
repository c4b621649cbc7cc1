import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { GGML_TYPES } from "../ggml-types.js";
import { quantize, QUANTIZED_TYPES, type QuantizedType } from "../quantize.js";
import { conformance, generator, hex, inputs, sha256 } from "../testing/conformance.js";
import { openQuantizer } from "./quantizer.js";

const packageDir = fileURLToPath(new URL("../../", import.meta.url));
const V5 = inputs["V5"]!; // 4 pieces of 2^18 values

/** The message of the error that something ends with. */
async function messageOf(run: () => unknown): Promise<string> {
  try {
    await run();
  } catch (error) {
    return (error as Error).message;
  }
  return "no error";
}

const quantizers = new Map(await Promise.all([0, 1, 3].map(async (threads) => [threads, await openQuantizer({ threads })] as const)));
afterAll(() => {
  for (const quantizer of quantizers.values()) quantizer.dispose();
});
afterEach(() => vi.unstubAllGlobals());

describe.each([...quantizers])("with %d threads", (threads, quantizer) => {
  it("has them", () => {
    expect(quantizer.threads).toBe(threads);
  });

  it("gives the reference's bytes of every type, in calls that overlap", async () => {
    const types = QUANTIZED_TYPES.filter((type) => GGML_TYPES[type].blockValues > 1);
    const made = await Promise.all(types.map(async (type) => [type, sha256(await quantizer.quantize(type, V5, { rowSize: 2048 }))]));
    expect(Object.fromEntries(made)).toEqual(Object.fromEntries(types.map((type) => [type, conformance.blocks[type]!.sha256["V5"]])));
    expect(sha256(await quantizer.quantize("F16", V5, { rowSize: 1 }))).toBe(conformance.halves.F16);
    expect(sha256(await quantizer.quantize("BF16", V5, { rowSize: 2 ** 20 }))).toBe(conformance.halves.BF16);
    expect(hex(await quantizer.quantize("F32", V5.subarray(3, 99), { rowSize: 32 }))).toBe(hex(quantize(V5.subarray(3, 99), "F32")));
  });

  it("gives the reference's bytes with importance, which may be a view", async () => {
    const columns = Float32Array.from({ length: 300 }, (_, column) => 1 + 0.25 * (column % 5));
    for (const [type, expected] of Object.entries(conformance.withImportance)) {
      const importance = columns.subarray(5, 261); // the same numbers
      expect(sha256(await quantizer.quantize(type as QuantizedType, V5, { rowSize: 256, importance }))).toBe(expected);
    }
  });

  it("leaves the values to the caller", async () => {
    const values = generator(3)(4096);
    await quantizer.quantize("Q4_K", values, { rowSize: 4096 });
    expect(values).toEqual(generator(3)(4096));
  });

  it("refuses what the plain code refuses, with its words", async () => {
    const withValues = (...places: [number, number][]): Float32Array => {
      const values = V5.slice();
      for (const [place, value] of places) values[place] = value;
      return values;
    };
    const cases: [QuantizedType, Float32Array][] = [
      ["Q4_K", withValues([1_000_000, NaN])],
      ["Q8_0", withValues([300, 2e9], [700_000, Infinity])],
      ["Q8_0", withValues([600_000, -1e10], [900_000, 1e9])],
      ["Q4_0", withValues([530_000, 1e9], [900_000, 1e9])],
      ["F16", withValues([900_000, 65520], [530_001, -1e30])],
      ["BF16", withValues([900_000, 3.4e38])],
      ["F32", withValues([900_000, NaN])],
    ];
    for (const [type, values] of cases) {
      const expected = await messageOf(() => quantize(values, type));
      expect(expected).toMatch(/^quantize: value \d+ /);
      expect(await messageOf(() => quantizer.quantize(type, values, { rowSize: 1024 }))).toBe(expected);
    }
    expect(sha256(await quantizer.quantize("Q8_0", V5, { rowSize: 1024 }))).toBe(conformance.blocks["Q8_0"]!.sha256["V5"]); // and goes on
  });

  it("ends when it is told to, and goes on afterwards", async () => {
    const controller = new AbortController();
    const stopped = messageOf(() => quantizer.quantize("Q2_K", V5, { rowSize: 256, signal: controller.signal }));
    const other = quantizer.quantize("Q4_K", V5.subarray(0, 2 ** 18), { rowSize: 256 });
    controller.abort(new Error("enough"));
    expect(await stopped).toBe("enough");
    expect(await messageOf(() => quantizer.quantize("Q2_K", V5, { rowSize: 256, signal: controller.signal }))).toBe("enough");
    expect(sha256(await other)).toBe(sha256(quantize(V5.subarray(0, 2 ** 18), "Q4_K")));
  });
});

it("refuses what are no rows, and a type that it does not know", async () => {
  const quantizer = quantizers.get(1)!;
  const messages = (type: QuantizedType, length: number, rowSize: number, columns?: number): Promise<string> =>
    messageOf(() =>
      quantizer.quantize(type, new Float32Array(length), {
        rowSize,
        importance: columns === undefined ? undefined : new Float32Array(columns),
      }),
    );
  expect(await messages("Q4_K", 512, 768)).toBe("quantize: these are no whole rows; expected a size of a row that divides 512, got 768");
  expect(await messages("Q4_K", 512, 0)).toContain("got 0");
  expect(await messages("Q4_K", 512, 128)).toBe(
    "quantize: these are no whole blocks of Q4_K; expected a multiple of 256 values a row, got 128",
  );
  expect(await messages("Q4_K", 512, 256, 512)).toBe(
    "quantize: importance and rows do not fit together; expected one number for each of 256 columns, got 512",
  );
  expect(await messages("IQ2_XXS" as QuantizedType, 512, 256)).toContain("got IQ2_XXS");
  expect(await messageOf(() => openQuantizer({ threads: 1.5 }))).toBe(
    "openQuantizer: this is no number of threads; expected a whole number from 0 to 256, got 1.5",
  );
});

it("ends what is under way when it is disposed, and refuses what comes after", async () => {
  for (const threads of [0, 2]) {
    using quantizer = await openQuantizer({ threads });
    const running = messageOf(() => quantizer.quantize("Q2_K", V5, { rowSize: 256 }));
    quantizer.dispose();
    expect(await running).toBe("quantize: the quantizer was disposed; open another");
    expect(await messageOf(() => quantizer.quantize("F32", V5, { rowSize: 256 }))).toBe(
      "quantize: the quantizer was disposed; open another",
    );
  }
});

it("has the plain code's bytes where there is no WebAssembly", async () => {
  vi.stubGlobal("WebAssembly", undefined);
  using quantizer = await openQuantizer({ threads: 2 });
  expect(quantizer.threads).toBe(0);
  const values = V5.subarray(0, 4096);
  expect(hex(await quantizer.quantize("Q4_K", values, { rowSize: 2048 }))).toBe(hex(quantize(values, "Q4_K")));
});

it("lets the process end while it waits, disposed or not", async () => {
  const program = `
    import { openQuantizer } from "./src/quantizer/quantizer.ts";
    const quantizer = await openQuantizer({ threads: 2 });
    console.log((await quantizer.quantize("Q8_0", new Float32Array(2 ** 20), { rowSize: 1024 })).length);
  `;
  const node = ["--import", "tsx", "--conditions=@kto/source", "--input-type=module", "--eval", program];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, node, { cwd: packageDir, timeout: 50_000 });
  expect({ stdout, stderr }).toEqual({ stdout: `${34 * 2 ** 15}\n`, stderr: "" });
});
