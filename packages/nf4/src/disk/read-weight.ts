import { ShapeError, sizeOf, type Device, type Tensor, type TensorSpace } from "@kto/tensor";
import { Nf4FormatError } from "../errors.js";
import { nestedBlockSize } from "../host/scales.js";
import { Nf4Weight } from "../nf4-weight.js";
import type { QuantState } from "../quant-state.js";
import { tablesOf } from "../tables.js";
import { nf4TensorSizes } from "../tensor-sizes.js";
import { companionNames, type CompanionReader } from "./reader.js";
import { parseStateJson } from "./state-json.js";
import { streamInto } from "./stream-into.js";

/** A quant state is a few hundred bytes; what is longer is no quant state. */
const maxStateBytes = 65_536;

const statePrefix = ".quant_state.bitsandbytes__";

/** True if the checkpoint holds this weight in four bits. The file decides, weight by weight; the skip list of config.json only declares. */
export function isNf4Weight(reader: CompanionReader, weightName: string): boolean {
  return stateName(reader, weightName) !== undefined;
}

/** Reads and checks everything about a weight but its codes and scales. Throws Nf4FormatError naming the tensor that is wrong or missing. */
export async function readQuantState(reader: CompanionReader, weightName: string): Promise<QuantState> {
  const names = companionNames(weightName);
  const name = stateName(reader, weightName) ?? names.quantState;
  if (name !== names.quantState) {
    const type = name.slice(weightName.length + statePrefix.length);
    fail(name, `quant type is not supported; expected nf4, got ${type}; quantise the 16-bit model with bnb_4bit_quant_type "nf4"`);
  }
  const fp4 = `${weightName}${statePrefix}fp4`;
  if (reader.tensors.has(fp4)) fail(fp4, `contradicts ${name}; expected one quant state, got two; repair the checkpoint`);
  const info = find(reader, name, "U8");
  if (info.byteLength > maxStateBytes) fail(name, `expected at most ${maxStateBytes} bytes of JSON, got ${info.byteLength}`);
  const { blockSize, dtype, shape, nestedOffset } = parseStateJson((await reader.read(name)).data, name);
  const codes = await readTable(reader, names.quantMap, 16);
  const nested =
    nestedOffset === undefined
      ? undefined
      : { blockSize: nestedBlockSize, offset: nestedOffset, codes: await readTable(reader, names.nestedQuantMap, 256) };
  return { quantType: "nf4", blockSize, dtype, shape, isTransposed: isTransposed(reader, weightName, sizeOf(shape)), codes, nested };
}

/** Options of `loadNf4Weight`. */
export interface LoadNf4Options {
  device: Device;
  /** What the model expects; a file that says otherwise is refused. */
  shape?: readonly [outFeatures: number, inFeatures: number];
  /** Where the tensors get their memory; by default each has a buffer of its own. */
  slabs?: TensorSpace;
  signal?: AbortSignal;
  /** Called with the bytes of each piece that went to the device; the next is read when what it returns is done. */
  onBytes?(byteLength: number): void | Promise<void>;
}

/**
 * Loads a weight as bitsandbytes stored it; the codes are streamed, so the host never holds all of them. NaN among the scales comes through, as it does there.
 * Throws Nf4FormatError naming the companion that is missing or wrong, ShapeError if the file contradicts `shape`.
 */
export async function loadNf4Weight(
  reader: CompanionReader,
  weightName: string,
  { device, shape, slabs, signal, onBytes }: LoadNf4Options,
): Promise<Nf4Weight> {
  signal?.throwIfAborted();
  const state = await readQuantState(reader, weightName);
  const logical = state.isTransposed ? [state.shape[1], state.shape[0]] : [...state.shape];
  if (shape && (shape[0] !== logical[0] || shape[1] !== logical[1])) {
    throw new ShapeError(`loadNf4Weight: ${weightName} contradicts the model; expected [${shape.join(", ")}], got [${logical.join(", ")}]`);
  }
  const { absmax: absmaxName, nestedAbsmax: nestedName } = companionNames(weightName);
  const sizes = expectNf4Sizes(reader, weightName, state);

  const made: Tensor[] = [];
  const make = (size: number, dtype: "u32" | "f32", name: string): Tensor => {
    const tensor = slabs ? slabs.empty([size], dtype, name) : device.unscoped(() => device.empty([size], dtype, name));
    made.push(tensor);
    return tensor;
  };
  const load = async (size: number, dtype: "u32" | "f32", name: string): Promise<Tensor> => {
    const tensor = make(size, dtype, name);
    const { byteLength } = reader.tensors.get(name)!;
    let given = 0;
    for await (const bytes of streamInto(tensor, reader.stream(name))) {
      signal?.throwIfAborted();
      given += bytes;
      await onBytes?.(bytes);
    }
    return given === byteLength ? tensor : fail(name, `ended early; expected ${byteLength} bytes, got ${given}`);
  };
  try {
    const tables = make(sizes.tables, "f32", `${weightName} tables`);
    device.writeBytes(tables, tablesOf(state));
    const absmax = await load(sizes.absmax, state.nested ? "u32" : "f32", absmaxName);
    const nestedAbsmax = state.nested && (await load(sizes.nestedAbsmax, "f32", nestedName));
    const codes = await load(sizes.codes, "u32", weightName);
    return new Nf4Weight(device, state, { codes, absmax, nestedAbsmax, tables }, weightName);
  } catch (error) {
    for (const tensor of made) tensor.dispose();
    throw error;
  }
}

/** Throws Nf4FormatError for scales of the wrong number or dtype; gives the sizes that the parts of the weight have on a device. */
export function expectNf4Sizes(reader: CompanionReader, weightName: string, state: QuantState): ReturnType<typeof nf4TensorSizes> {
  const { absmax, nestedAbsmax } = companionNames(weightName);
  const sizes = nf4TensorSizes(sizeOf(state.shape), { blockSize: state.blockSize, isNested: state.nested !== undefined });
  expectBytes(reader, absmax, state.nested ? "U8" : "F32", (state.nested ? 1 : 4) * sizes.numBlocks);
  if (state.nested) expectBytes(reader, nestedAbsmax, "F32", 4 * sizes.nestedAbsmax);
  return sizes;
}

function stateName(reader: CompanionReader, weightName: string): string | undefined {
  const nf4 = companionNames(weightName).quantState;
  if (reader.tensors.has(nf4)) return nf4;
  const other = `${weightName}${statePrefix}fp4`;
  return reader.tensors.has(other) ? other : undefined;
}

/** True for the row [1, n / 2] of very old files. Whatever dtype they go by, the codes are ceil(n / 2) bytes in one row or column. */
function isTransposed(reader: CompanionReader, weightName: string, numElements: number): boolean {
  const info = find(reader, weightName);
  const expected = Math.ceil(numElements / 2);
  if (info.byteLength !== expected)
    fail(
      weightName,
      `expected ${expected} bytes for ${numElements} codes, got ${info.byteLength} as ${info.dtype} [${info.shape.join(", ")}]`,
    );
  const longSides = info.shape.filter((size) => size !== 1).length;
  if (info.shape.length > 2 || longSides > 1)
    fail(weightName, `expected one column of packed codes, got ${info.dtype} [${info.shape.join(", ")}]`);
  return info.shape.length === 2 && info.shape[0] === 1 && info.shape[1]! > 1;
}

async function readTable(reader: CompanionReader, name: string, count: number): Promise<Float32Array> {
  expectBytes(reader, name, "F32", 4 * count);
  const { data } = await reader.read(name);
  const table = new Float32Array(data.slice().buffer);
  const wrong = table.findIndex((value, index) => !Number.isFinite(value) || (index > 0 && value <= table[index - 1]!));
  if (wrong >= 0) fail(name, `entry ${wrong} is wrong; expected finite values in ascending order, got ${table[wrong]}`);
  return table;
}

function expectBytes(reader: CompanionReader, name: string, dtype: string, byteLength: number): void {
  const info = find(reader, name, dtype);
  if (info.byteLength !== byteLength)
    fail(name, `has the wrong length; expected ${byteLength} bytes of ${dtype}, got ${info.byteLength} as [${info.shape.join(", ")}]`);
}

function find(reader: CompanionReader, name: string, dtype?: string): { dtype: string; shape: readonly number[]; byteLength: number } {
  const info = reader.tensors.get(name) ?? fail(name, "is missing from the checkpoint; expected it beside the packed codes");
  if (dtype !== undefined && info.dtype !== dtype) fail(name, `has the wrong dtype; expected ${dtype}, got ${info.dtype}`);
  return info;
}

function fail(tensor: string, what: string): never {
  throw new Nf4FormatError(`nf4: ${tensor}: ${what}`, { tensor });
}
