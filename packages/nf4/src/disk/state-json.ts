import { excerpt } from "@kto/core";
import { Nf4FormatError } from "../errors.js";
import { nestedBlockSize } from "../host/scales.js";
import type { QuantState } from "../quant-state.js";
import { weightDtypes, type WeightDtype } from "../weight-dtype.js";

/** What the JSON of a quant state says. */
export interface StateJson {
  blockSize: number;
  dtype: WeightDtype;
  shape: [number, number];
  nestedOffset: number | undefined;
}

/** A matrix has at most this many elements: shaders count them in u32, with room for a grid's last step. */
const maxElements = 2 ** 31;

/** Parses and checks the JSON of a quant state; `tensor` is the name it lies under. Throws Nf4FormatError. */
export function parseStateJson(bytes: Uint8Array, tensor: string): StateJson {
  const fail = (what: string, cause?: unknown): never => {
    throw new Nf4FormatError(`readQuantState: ${tensor}: ${what}`, { tensor, cause });
  };
  let json: unknown;
  try {
    json = JSON.parse(quoteNonFinite(new TextDecoder("utf-8", { fatal: true }).decode(bytes)));
  } catch (cause) {
    fail(`is not JSON in UTF-8; expected an object, got ${bytes.byteLength} bytes`, cause);
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) fail(`expected a JSON object, got ${excerpt(json)}`);
  const fields = json as Record<string, unknown>;
  const expectField = (name: string, isRight: (value: unknown) => boolean, expected: string): void => {
    if (!isRight(fields[name]))
      fail(`${name} is wrong; expected ${expected}, got ${fields[name] === undefined ? "nothing" : excerpt(fields[name])}`);
  };
  const isSize = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) > 0;

  expectField("quant_type", (value) => value === "nf4", '"nf4"');
  expectField("blocksize", isBlockSize, "a power of two from 32 to 4096");
  const dtype = typeof fields["dtype"] === "string" ? fields["dtype"].replace(/^torch\./, "") : fields["dtype"];
  expectField("dtype", () => weightDtypes.includes(dtype as WeightDtype), weightDtypes.join(", "));
  expectField("shape", (value) => Array.isArray(value) && value.length === 2 && value.every(isSize), "two positive sizes");
  const shape = fields["shape"] as [number, number];
  if (shape[0] * shape[1] > maxElements) fail(`shape is too large; expected at most ${maxElements} elements, got [${shape.join(", ")}]`);
  let nestedOffset: number | undefined;
  if ("nested_offset" in fields || "nested_blocksize" in fields || "nested_dtype" in fields) {
    expectField("nested_blocksize", (value) => value === nestedBlockSize, String(nestedBlockSize));
    expectField("nested_dtype", (value) => typeof value === "string" && /^(torch\.)?float32$/.test(value), '"float32"');
    expectField("nested_offset", isOffset, "a number that f32 holds");
    nestedOffset = Math.fround(Number(fields["nested_offset"]));
  }
  return { blockSize: fields["blocksize"] as number, dtype: dtype as WeightDtype, shape: [shape[0], shape[1]], nestedOffset };
}

/** A weight with a NaN has a mean scale of NaN, which Python writes as it is though JSON has no word for it; what it stands for is read all the same. */
function quoteNonFinite(json: string): string {
  return json.replace(/("nested_offset"\s*:\s*)(NaN|-?Infinity)/, '$1"$2"');
}

function isOffset(value: unknown): boolean {
  if (typeof value === "string") return /^(NaN|-?Infinity)$/.test(value);
  return typeof value === "number" && Number.isFinite(Math.fround(value));
}

/** The block sizes that bitsandbytes takes. */
export function isBlockSize(value: unknown): value is number {
  return typeof value === "number" && value >= 32 && value <= 4096 && Number.isInteger(Math.log2(value));
}

/** The JSON of a quant state with the keys, the order and the spelling of bitsandbytes. */
export function formatStateJson({ quantType, blockSize, dtype, shape, nested }: QuantState): string {
  const nestedFields = nested
    ? `, "nested_blocksize": ${nested.blockSize}, "nested_dtype": "float32", "nested_offset": ${pythonFloat(nested.offset)}`
    : "";
  return `{"quant_type": "${quantType}", "blocksize": ${blockSize}, "dtype": "${dtype}", "shape": [${shape.join(", ")}]${nestedFields}}`;
}

/** A number as Python spells a float: `1.0`, `0.0001`, `1e-05`, `1e+16`, `NaN`. */
export function pythonFloat(value: number): string {
  if (Object.is(value, -0)) return "-0.0";
  if (!Number.isFinite(value)) return String(value);
  const [, digits, exponent] = /^(.*)e([+-]\d+)$/.exec(value.toExponential())!;
  if (Number(exponent) >= -4 && Number(exponent) < 16) {
    const plain = String(value);
    return plain.includes(".") ? plain : `${plain}.0`;
  }
  return `${digits}e${exponent![0]}${exponent!.slice(1).padStart(2, "0")}`;
}
