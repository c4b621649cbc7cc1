import {
  backward,
  kernelRegistry,
  mul,
  sum,
  wayRegistry,
  type Capabilities,
  type Device,
  type Tensor,
  type Variant,
  type Way,
} from "@kto/tensor";
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
  const errors: (GPUError | null)[] = [];
  let result: CaseResult;
  try {
    result = await recordAndRead(device, oracle, y);
  } finally {
    errors.push(await gpuDevice.popErrorScope(), await gpuDevice.popErrorScope());
  }
  for (const error of errors) if (error) throw new Error(`runCase: ${oracle.name}: the GPU reported: ${error.message}`);
  return result;
}

/** Records a case, reads what it gave, and frees it. */
async function recordAndRead(device: Device, oracle: OracleCase, y: Float64Array | undefined): Promise<CaseResult> {
  const made = device.scope(oracle.name, () => {
    const inputs = Object.fromEntries(
      Object.entries(oracle.inputs).map(([name, { data, shape, dtype }]) => [name, device.tensor(data, shape, dtype, name)]),
    );
    for (const [name, { needsGradient }] of Object.entries(oracle.inputs))
      inputs[name]!.requiresGrad = needsGradient && oracle.vjp !== undefined;
    const outputs = oracle.run(inputs);
    if (!oracle.vjp) return { outputs, gradients: {} };
    if (outputs["y"]!.size !== y!.length)
      throw new Error(`runCase: ${oracle.name}: the reference gives ${y!.length} values; expected ${outputs["y"]!.size}, as the op does`);
    const dy = device.tensor(gradientOf(y!), outputs["y"]!.shape, "f32", "dy");
    const gradients = backward(sum(mul(outputs["y"]!, dy)));
    const wanted = Object.entries(inputs).filter(([, tensor]) => tensor.requiresGrad);
    return { outputs, gradients: Object.fromEntries(wanted.map(([name, tensor]) => [name, gradients.take(tensor)!])) };
  });
  try {
    return { outputs: await readAll(made.outputs), gradients: await readAll(made.gradients) };
  } finally {
    for (const tensor of [...Object.values(made.outputs), ...Object.values(made.gradients)]) tensor?.dispose();
  }
}

async function readAll(tensors: Record<string, Tensor | undefined>): Promise<Record<string, ArrayLike<number>>> {
  const values: Record<string, ArrayLike<number>> = {};
  for (const [name, tensor] of Object.entries(tensors)) {
    if (!tensor) throw new Error(`runCase: the op gives no gradient for ${name}; if it has none, set needsGradient: false`);
    values[name] = await tensor.read();
  }
  return values;
}

/** What was chosen while something ran. */
export interface Choices {
  /** Specs with which each kernel was run, by kernel name. */
  kernels: Map<string, object[]>;
  /** Problems for which each op chose between its ways, with the way it took, by op name. */
  ways: Map<string, { problem: unknown; way: string }[]>;
}

/** Which kernels run while `body` does, and which ways ops take. */
export async function recordChoices(body: () => Promise<void>): Promise<Choices> {
  const choices: Choices = { kernels: new Map(), ways: new Map() };
  const kernels = [...kernelRegistry.values()];
  const ops = [...wayRegistry.values()];
  const runs = kernels.map((kernel) => kernel.run);
  const chooses = ops.map((op) => op.choose);
  kernels.forEach((kernel, index) => {
    kernel.run = (device, bindings, params, spec) => {
      append(choices.kernels, kernel.name, spec);
      runs[index]!(device, bindings, params, spec);
    };
  });
  ops.forEach((op, index) => {
    op.choose = (device, problem) => {
      const way = chooses[index]!(device, problem);
      append(choices.ways, op.op, { problem, way: way.name });
      return way;
    };
  });
  try {
    await body();
  } finally {
    kernels.forEach((kernel, index) => (kernel.run = runs[index]!));
    ops.forEach((op, index) => (op.choose = chooses[index]!));
  }
  return choices;
}

function append<T>(lists: Map<string, T[]>, name: string, item: T): void {
  const list = lists.get(name);
  if (list) list.push(item);
  else lists.set(name, [item]);
}

/** Variants of a kernel that the device has the features for with all of these specs, also those it would not choose. */
export function possibleVariants(name: string, specs: readonly object[], capabilities: Capabilities): string[] {
  const fits = (view: Capabilities, variant: Variant<never>, spec: object): boolean =>
    variant.when(view, Object.assign<object, object, object>({}, variant.spec, spec) as never);
  return kernelRegistry
    .get(name)!
    .variants.filter((variant) => viewsOf(capabilities).some((view) => specs.every((spec) => fits(view, variant, spec))))
    .map((variant) => variant.name);
}

/** Ways of an op that the device has the features for with all of these problems, apart from one that it took for all of them. */
export function otherWays(name: string, choices: readonly { problem: unknown; way: string }[], capabilities: Capabilities): string[] {
  const fits = (view: Capabilities, way: Way<never, unknown>, problem: unknown): boolean =>
    !way.lacks?.(view, problem as never) && way.when(view, problem as never);
  return wayRegistry
    .get(name)!
    .ways.filter((way) => choices.some((choice) => choice.way !== way.name))
    .filter((way) => viewsOf(capabilities).some((view) => choices.every(({ problem }) => fits(view, way, problem))))
    .map((way) => way.name);
}

/** The device as it is, and as a GPU or a software adapter, whichever it is not. */
function viewsOf(capabilities: Capabilities): Capabilities[] {
  return [capabilities, { ...capabilities, software: !capabilities.software }];
}
