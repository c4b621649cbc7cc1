import { FormatError } from "@kto/core";

import { mutateBytes } from "../mutate-bytes.js";
import type { FuzzTarget } from "../target.js";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const faulty = (name: string, read: FuzzTarget["read"]): FuzzTarget => ({
  name,
  seeds: () => [bytes("a good file"), bytes("bad")],
  mutate: mutateBytes,
  read: (input) => (new TextDecoder().decode(input) === "bad" ? read(input) : undefined),
});
const held: unknown[] = [];

/** A reader for each way to fail, and one that does not: all go wrong at their second seed. */
export const targets: readonly FuzzTarget[] = [
  faulty("sound", () => {
    throw new FormatError("read: not a file of this kind; expected another, got this");
  }),
  faulty("untyped", () => {
    throw new TypeError("x is undefined");
  }),
  faulty("slow", () => {
    const { user } = process.cpuUsage();
    let sum = 0;
    while (process.cpuUsage().user - user < 1_300_000) for (let i = 0; i < 1e6; i++) sum += i;
    return sum;
  }),
  faulty("large", () => held.push(new Uint8Array(400 * 2 ** 20).fill(1))),
  faulty("fatal", () => process.exit(133)),
];
