import { decodeWeights, type WeightDtype } from "../weight-dtype.js";

/** A matrix that bitsandbytes quantised. */
export interface MatrixFixture {
  dtype: WeightDtype;
  shape: readonly [number, number];
  /** The weights as they are on disk, and as f32. */
  bytes: Uint8Array;
  values: Float32Array;
  packed: Uint8Array;
  absmax: Float32Array;
  nested: { codes: Uint8Array; absmax: Float32Array; offset: number } | undefined;
  dequantized: Float32Array;
}

const dtypes: Record<string, WeightDtype> = { F32: "float32", F16: "float16", BF16: "bfloat16" };

/** What it needs of an open safetensors file. */
interface OpenFile extends AsyncDisposable {
  tensors: { has(name: string): boolean };
  read(name: string): Promise<{ dtype: string; shape: readonly number[]; data: Uint8Array }>;
}

/** Reads a file of fixtures/nf4/matrices and closes it. */
export async function readMatrix(opened: Promise<OpenFile>): Promise<MatrixFixture> {
  await using file = await opened;
  const bytes = async (name: string): Promise<Uint8Array> => (await file.read(name)).data.slice();
  const floats = async (name: string): Promise<Float32Array> => decodeWeights(await bytes(name), "float32");
  const weight = await file.read("weight");
  const dtype = dtypes[weight.dtype]!;
  return {
    dtype,
    shape: weight.shape as [number, number],
    bytes: weight.data.slice(),
    values: decodeWeights(weight.data, dtype),
    packed: await bytes("packed"),
    absmax: await floats("absmax"),
    nested: file.tensors.has("absmax_codes")
      ? { codes: await bytes("absmax_codes"), absmax: await floats("nested_absmax"), offset: (await floats("nested_offset"))[0]! }
      : undefined,
    dequantized: decodeWeights(await bytes("dequantized"), dtype),
  };
}
