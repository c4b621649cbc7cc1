import { checksum, type Device, type FloatDtype, type Tensor } from "@kto/tensor";
import type { Nf4Weight } from "@kto/nf4";
import type { DecoderConfig } from "./config.js";

/** A model as far as its fingerprint needs it. */
interface Fingerprinted {
  readonly device: Device;
  readonly config: DecoderConfig;
  readonly dtype: FloatDtype;
  readonly weights: ReadonlyMap<string, Tensor>;
  readonly quantizedWeights: ReadonlyMap<string, Nf4Weight>;
}

/** Config, names, forms and contents of a model's weights as bytes; 128 KiB are read from the device. */
export async function fingerprintOf({ device, config, dtype, weights, quantizedWeights }: Fingerprinted): Promise<Uint8Array> {
  const byName = <T>(map: ReadonlyMap<string, T>): [string, T][] => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
  const plain = byName(weights);
  const quantized = byName(quantizedWeights);
  const tensors = [
    ...plain.map(([, weight]) => weight),
    ...quantized.flatMap(([, { tensors: of }]) =>
      [of.codes, of.absmax, of.nestedAbsmax, of.tables].filter((tensor) => tensor !== undefined),
    ),
  ];
  const forms = {
    config,
    dtype,
    plain: plain.map(([name, weight]) => [name, weight.shape, weight.dtype]),
    quantized: quantized.map(([name, { state }]) => [
      name,
      { ...state, codes: [...state.codes], nested: state.nested && { ...state.nested, codes: [...state.nested.codes] } },
    ]),
  };
  using sums = device.unscoped(() => device.scope(() => checksum(device, tensors)));
  const contents = await device.readBytes(sums);
  const text = new TextEncoder().encode(JSON.stringify(forms));
  const bytes = new Uint8Array(contents.byteLength + text.byteLength);
  bytes.set(contents);
  bytes.set(text, contents.byteLength);
  return bytes;
}
