import { backward, kernelRegistry, mul, sum, type Capabilities, type Device, type Tensor } from "@kto/tensor";
import { gradientOf, type OracleCase } from "./case.js";

/** What a case gave on a device: outputs and gradients by name. */
export interface CaseResult {
  outputs: Record<string, ArrayLike<number>>;
  gradients: Record<string, ArrayLike<number>>;
}

/** Runs a case forward, and backward if it has a vjp, inside validation and out-of-memory error scopes; frees everything it made. Throws what the scopes caught. */
export async function runCase(device: Device, oracle: OracleCase, y: Float64Array | undefined): Promise<CaseResult> {
  const { gpuDevice } = device;
  gpuDevice.pushErrorScope("validation");
  gpuDevice.pushErrorScope("out-of-memory");
  const made = device.scope(oracle.name, () => {
    const inputs = Object.fromEntries(
      Object.entries(oracle.inputs).map(([name, { data, shape, dtype }]) => [name, device.tensor(data, shape, dtype, name)]),
    );
    for (const [name, { needsGradient }] of Object.entries(oracle.inputs))
      inputs[name]!.requiresGrad = needsGradient && oracle.vjp !== undefined;
    const outputs = oracle.run(inputs);
    if (!oracle.vjp) return { outputs, gradients: {} };
    const dy = device.tensor(gradientOf(y!), outputs["y"]!.shape, "f32", "dy");
    const gradients = backward(sum(mul(outputs["y"]!, dy)));
    const wanted = Object.entries(inputs).filter(([, tensor]) => tensor.requiresGrad);
    return { outputs, gradients: Object.fromEntries(wanted.map(([name, tensor]) => [name, gradients.take(tensor)!])) };
  });
  const result = { outputs: await readAll(made.outputs), gradients: await readAll(made.gradients) };
  for (const tensor of [...Object.values(made.outputs), ...Object.values(made.gradients)]) tensor?.dispose();
  const errors = [await gpuDevice.popErrorScope(), await gpuDevice.popErrorScope()];
  for (const error of errors) if (error) throw new Error(`runCase: ${oracle.name}: the GPU reported: ${error.message}`);
  return result;
}

async function readAll(tensors: Record<string, Tensor | undefined>): Promise<Record<string, ArrayLike<number>>> {
  const values: Record<string, ArrayLike<number>> = {};
  for (const [name, tensor] of Object.entries(tensors)) {
    if (!tensor) throw new Error(`runCase: no gradient for ${name}`);
    values[name] = await tensor.read();
  }
  return values;
}

/** Specs with which each kernel was run while `body` ran, by kernel name. */
export async function recordKernels(body: () => Promise<void>): Promise<Map<string, object[]>> {
  const used = new Map<string, object[]>();
  const kernels = [...kernelRegistry.values()];
  const originals = kernels.map((kernel) => kernel.run);
  kernels.forEach((kernel, index) => {
    kernel.run = (device, bindings, params, spec) => {
      const specs = used.get(kernel.name);
      if (specs) specs.push(spec);
      else used.set(kernel.name, [spec]);
      originals[index]!(device, bindings, params, spec);
    };
  });
  try {
    await body();
  } finally {
    kernels.forEach((kernel, index) => (kernel.run = originals[index]!));
  }
  return used;
}

/** Variants of a kernel that the device has the features for with all of these specs, also those it would not choose. */
export function possibleVariants(name: string, specs: readonly object[], capabilities: Capabilities): string[] {
  const kernel = kernelRegistry.get(name)!;
  const views = [capabilities, { ...capabilities, software: !capabilities.software }];
  return kernel.variants
    .filter((variant) =>
      views.some((view) =>
        specs.every((spec) => variant.when(view, Object.assign<object, object, object>({}, variant.spec, spec) as never)),
      ),
    )
    .map((variant) => variant.name);
}
