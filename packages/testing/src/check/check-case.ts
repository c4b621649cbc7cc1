import type { Device } from "@kto/tensor";
import { expectClose, expectSmallError, gemmTolerance, gradientFactor, toleranceOf } from "../tolerances.js";
import { gradientOf, usesF16, valuesOf, type Arrays, type OracleCase } from "./case.js";
import { otherWays, possibleVariants, recordChoices, runCase, type CaseResult, type Choices } from "./run-case.js";

/**
 * Runs a case on a device and throws unless outputs and gradients agree with float64 within the tolerances, in the chosen ways and variants and in each
 * that the device has the features for; unless a second run gives the same bits; and unless all memory was given back.
 *
 * @param seen  ways and variants that other cases were run with: leaves those out that it did not choose, and adds those that it ran
 * @returns names of the kernels that ran; none if the case needs f16 and the device has none
 */
export async function checkCase(device: Device, oracle: OracleCase, seen?: Set<string>): Promise<string[]> {
  const { variants } = device.recorder;
  const isEmulated = usesF16(oracle) && !device.capabilities.shaderF16;
  if (isEmulated) {
    if (!oracle.emulated) return []; // other kernels on f16 tensors need the feature; the run on a GPU has it
    for (const [name, variant] of Object.entries(oracle.emulated)) variants.set(name, variant);
  }
  const values = valuesOf(oracle);
  const outputs = oracle.forward(values);
  const expected = { outputs, gradients: oracle.vjp?.(values, gradientOf(outputs["y"]!)) ?? {} };
  const liveBefore = device.memory.info().liveStorages;

  const { first, choices } = await checkVariants(device, oracle, expected, "chosen ways", seen);
  const differing = differingValues(await runCase(device, oracle, outputs["y"]), first);
  if (differing.length > 0) throw new Error(`${oracle.name}: a second run gave other bits in ${differing.join(", ")}`);

  const kernels = new Set(choices.kernels.keys());
  for (const [op, problems] of isEmulated ? [] : choices.ways) {
    for (const way of otherWays(op, problems, device.capabilities)) {
      if (!isNew(seen, `way ${op} ${way}`)) continue;
      variants.set(op, way);
      const other = await checkVariants(device, oracle, expected, `${op} ${way}`, seen);
      for (const kernel of other.choices.kernels.keys()) kernels.add(kernel);
    }
    variants.delete(op);
  }

  const left = device.memory.info().liveStorages - liveBefore;
  if (left !== 0) throw new Error(`${oracle.name}: ${left} storages were not given back`);
  return [...kernels];
}

/** Checks a case as ways and variants are now, and then in each variant of each kernel that ran. Gives the first result, and what was chosen for it. */
async function checkVariants(
  device: Device,
  oracle: OracleCase,
  { outputs, gradients }: { outputs: Arrays; gradients: Arrays },
  label: string,
  seen?: Set<string>,
): Promise<{ first: CaseResult; choices: Choices }> {
  const { variants } = device.recorder;
  let first: CaseResult | undefined;
  const choices = await recordChoices(async () => {
    first = await runCase(device, oracle, outputs["y"]);
  });
  expectAgreement(oracle, first!, outputs, gradients, label);
  const manyVariants = !(oracle.manyGroups && device.capabilities.software);
  for (const [kernel, specs] of manyVariants ? choices.kernels : []) {
    const names = possibleVariants(kernel, specs, device.capabilities);
    if (names.length < 2) continue;
    const forcedBefore = variants.get(kernel);
    for (const name of names) {
      if (!isNew(seen, `variant ${kernel} ${name}`)) continue;
      variants.set(kernel, name);
      expectAgreement(oracle, await runCase(device, oracle, outputs["y"]), outputs, gradients, `${label}, ${kernel} ${name}`);
    }
    if (forcedBefore === undefined) variants.delete(kernel);
    else variants.set(kernel, forcedBefore);
  }
  return { first: first!, choices };
}

/** Adds a key to `seen`; false if it was there. */
function isNew(seen: Set<string> | undefined, key: string): boolean {
  const isThere = seen?.has(key) ?? false;
  seen?.add(key);
  return !isThere;
}

/** Names of results that are not the same in both runs. */
function differingValues(a: CaseResult, b: CaseResult): string[] {
  const same = (x: ArrayLike<number>, y: ArrayLike<number>): boolean =>
    x.length === y.length && Array.prototype.every.call(x, (value, i) => Object.is(value, y[i]));
  return (["outputs", "gradients"] as const).flatMap((kind) =>
    Object.keys(b[kind]).filter((name) => !same(a[kind][name]!, b[kind][name]!)),
  );
}

function expectAgreement(oracle: OracleCase, result: CaseResult, outputs: Arrays, gradients: Arrays, variant: string): void {
  for (const [name, expected] of Object.entries(outputs))
    compare(result.outputs[name]!, expected, oracle, "forward", `${oracle.name}: ${name} (${variant})`);
  for (const [name, gradient] of Object.entries(result.gradients)) {
    const label = `${oracle.name}: gradient of ${name} (${variant})`;
    const places = oracle.gradientsAt?.[name];
    if (places && gradient.length !== gradients[name]!.length)
      throw new Error(`${label}: expected ${gradients[name]!.length} values, got ${gradient.length}`);
    const at = (values: ArrayLike<number>): ArrayLike<number> => (places ? places.map((place) => values[place]!) : values);
    compare(at(gradient), at(gradients[name]!), oracle, "gradient", label);
  }
}

function compare(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  oracle: OracleCase,
  direction: "forward" | "gradient",
  label: string,
): void {
  const storage = (direction === "forward" ? oracle.storage : oracle.gradientStorage) ?? "f32";
  const factor = direction === "gradient" ? gradientFactor : 1;
  const { errorClass } = oracle;
  if (errorClass === "gemm") expectSmallError(actual, expected, { limit: gemmTolerance[storage] * factor, label });
  else if (errorClass === "exact") expectClose(actual, expected, { rtol: 0, atol: 0, label });
  else if (typeof errorClass === "object")
    expectClose(actual, expected, { rtol: errorClass.rtol * factor, atol: errorClass.atol * factor, label });
  else expectClose(actual, expected, { ...toleranceOf(errorClass, storage, direction), label });
}
