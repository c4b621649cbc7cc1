import { transform } from "esbuild";
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { CapabilityError, describeError, FormatError, isKtoError, KtoError, WriteError } from "./errors.js";

const snakeCase = (field: string): string => field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

it("makes its sentence from parts, in the library's spelling and in another", () => {
  const error = new KtoError("OUT_OF_MEMORY", {
    operation: "memory",
    problem: "the run does not fit",
    expected: "at most 10 MiB",
    got: "12 MiB for {rows}",
    advice: "lower {maxLength} or {perDeviceTrainBatchSize}",
    fields: ["maxLength", "perDeviceTrainBatchSize"],
  });
  const sentence = (first: string, second: string): string =>
    `memory: the run does not fit; expected at most 10 MiB, got 12 MiB for {rows}; lower ${first} or ${second}`;
  expect(error.message).toBe(sentence("maxLength", "perDeviceTrainBatchSize"));
  expect(describeError(error, (field) => `--${snakeCase(field)}`)).toBe(sentence("--max_length", "--per_device_train_batch_size"));
  expect(error.parts?.fields).toEqual(["maxLength", "perDeviceTrainBatchSize"]);
  const { expected: _, got: __, ...bare } = error.parts!;
  expect(new FormatError(bare).message).toBe("memory: the run does not fit; lower maxLength or perDeviceTrainBatchSize");
});

it("gives a message that was given whole as it is, and that of an error of another kind", () => {
  expect(describeError(new FormatError("read: {maxLength}"), snakeCase)).toBe("read: {maxLength}");
  expect(describeError(new TypeError("x is undefined"), snakeCase)).toBe("x is undefined");
});

it("keeps code, facts and cause, and is known to other copies of the package", () => {
  const cause = new Error("ENOSPC");
  const error = new WriteError("write: full", { path: "x", reason: "ENOSPC", cause });
  expect(error).toMatchObject({ name: "WriteError", code: "WRITE", path: "x", reason: "ENOSPC", cause });
  expect(new CapabilityError("no GPU", { missing: "adapter" })).toMatchObject({ missing: "adapter" });
  expect("cause" in new CapabilityError("no GPU")).toBe(false);
  expect(isKtoError({ [Symbol.for("@kto/error")]: true })).toBe(true);
  expect([isKtoError(cause), isKtoError(null), isKtoError("WRITE")]).toEqual([false, false, false]);
});

it("keeps its name when a bundler renames classes", async () => {
  const source = readFileSync(new URL("./errors.ts", import.meta.url), "utf8");
  const { code } = await transform(`${source}\nexport const made = new DtypeError("x");`, { loader: "ts", minify: true, format: "esm" });
  const bundle = (await import(/* @vite-ignore */ `data:text/javascript,${encodeURIComponent(code)}`)) as { made: Error };
  expect(bundle.made.name).toBe("DtypeError");
  expect(bundle.made.constructor.name).not.toBe("DtypeError");
});
