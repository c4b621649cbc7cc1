import type { Device, FloatDtype, Tensor } from "@kto/tensor";

/** A tensor of numbers of one size with random signs and digits, which keep a GPU as busy as real ones: zeros take less power. */
export function randomTensor(device: Device, shape: readonly number[], dtype: FloatDtype): Tensor {
  const size = shape.reduce((product, length) => product * length, 1);
  const words = new Uint32Array(1 << 16);
  for (let i = 0; i < words.length; i++) {
    const random = Math.imul(i + 1, 0x9e3779b1) ^ Math.imul(i + 7, 0x85ebca77);
    words[i] = dtype === "f16" ? (random & 0x83ff83ff) | 0x2c002c00 : (random & 0x807fffff) | 0x3c000000;
  }
  const bytes = new Uint8Array(size * (dtype === "f16" ? 2 : 4));
  for (let at = 0; at < bytes.length; at += words.byteLength)
    bytes.set(new Uint8Array(words.buffer, 0, Math.min(words.byteLength, bytes.length - at)), at);
  return device.fromBytes(bytes, [...shape], dtype);
}

/** 10¹² operations a second. */
export const tflopsOf = (operations: number, milliseconds: number): number => operations / milliseconds / 1e9;

/** 10⁹ bytes a second. */
export const gigabytesOf = (bytes: number, milliseconds: number): number => bytes / milliseconds / 1e6;
