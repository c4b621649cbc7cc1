import type { Capabilities } from "../device/capabilities.js";
import { bindingOf } from "../device/buffer-range.js";
import type { Device } from "../device/device.js";
import { declareVariants } from "../device/forced-variants.js";
import type { CompiledKernel, KernelSource } from "../device/pipeline-cache.js";
import { KernelError } from "../errors.js";
import type { Tensor } from "../tensor.js";

/** Constants a kernel is specialised on. Numbers and booleans become UPPER_SNAKE constants in its WGSL; `dtype` becomes `alias Dtype`. */
export type Spec = Record<string, string | number | boolean>;

type ParamType = "u32" | "i32" | "f32";

/** A storage binding: an element type, or the name of the spec field that holds it. */
export interface Binding {
  access: "read" | "read_write";
  type: string;
}

/** A read-only binding. `type` is a WGSL element type ("f32", "vec4<u32>", "atomic<u32>") or the name of a spec field that holds one. */
export const read = (type: string): Binding => ({ access: "read", type });

/** A binding that is written, or read and written. */
export const write = (type: string): Binding => ({ access: "read_write", type });

/** One way to run a kernel. `spec` completes what the caller gave. */
export interface Variant<S> {
  name: string;
  when(capabilities: Capabilities, spec: S): boolean;
  spec: Partial<S>;
}

/** Floating-point operations and bytes of one dispatch, for benches. */
export interface Cost {
  bytes: number;
  flops: number;
}

/** The five parts of a kernel; the formula stands above it. */
export interface KernelDefinition<S extends Spec, B extends string, P extends string> {
  name: string;
  bindings: Record<B, Binding>;
  params: Record<P, ParamType>;
  /** Most demanding first; the first that fits runs. */
  variants: Variant<S>[];
  cost?(params: Record<P, number>, spec: S): Cost;
  grid(params: Record<P, number>, spec: S): readonly [number, number, number];
  /** Bindings that a spec has no use for: they are neither declared nor bound, since each costs the host time at every dispatch. */
  unused?(spec: S): readonly NoInfer<B>[];
  enables?(spec: S): string[];
  /** Canonical specs for printing, snapshots and compile tests. */
  examples: Partial<S>[];
  wgsl(spec: S): string;
}

/** A kernel that can be run, printed and listed. */
export interface Kernel<S extends Spec, B extends string, P extends string> extends KernelDefinition<S, B, P> {
  /** Records one dispatch. Every binding gets a tensor whose size the caller has checked. */
  run(device: Device, bindings: Record<B, Tensor>, params: Record<P, number>, spec: Partial<S>): void;
  /** Chooses a variant. Throws KernelError if none fits or the forced one does not. */
  choose(capabilities: Capabilities, spec: Partial<S>, forced?: string): { variant: Variant<S>; spec: S };
  source(variant: Variant<S>, spec: S): KernelSource;
  /** The whole spec with which `run` records this one on a device; throws as `choose` does. */
  specOn(device: Device, spec: Partial<S>): S;
}

/** Every kernel that has been defined, for the catalogue and the compile test. */
export const kernelRegistry: Map<string, Kernel<never, string, string>> = new Map();

/** For a variant that runs anywhere. */
export const always = (): boolean => true;

/** A kernel for one device and spec. */
interface Prepared<S> {
  source: KernelSource;
  spec: S;
  /** Names of what is bound. */
  bound: readonly string[];
  compiled: CompiledKernel | undefined;
}

/** Declares a kernel: bindings and parameters once; struct, layout and packing come from that. */
export function defineKernel<S extends Spec>(): <B extends string, P extends string>(
  definition: KernelDefinition<S, B, P>,
) => Kernel<S, B, P> {
  return (definition) => {
    const params = Object.entries(definition.params) as [keyof typeof definition.params, ParamType][];
    const cache = new WeakMap<Device, Map<string, Prepared<S>>>();
    const sources = new Map<string, KernelSource>(); // of all devices: one may rehearse what another runs

    const choose: Kernel<S, never, never>["choose"] = (capabilities, given, forced) => {
      for (const variant of definition.variants) {
        const spec = { ...variant.spec, ...given } as S;
        if (forced ? variant.name === forced : variant.when(capabilities, spec)) return { variant, spec };
      }
      const names = definition.variants.map((variant) => variant.name).join(", ");
      throw new KernelError(
        `${definition.name}: no variant fits spec ${JSON.stringify(given)}${forced ? ` (asked for "${forced}")` : ""}; there are ${names}`,
      );
    };

    const source: Kernel<S, never, never>["source"] = (variant, spec) => {
      const key = `${definition.name}/${variant.name}/${JSON.stringify(spec)}`;
      const known = sources.get(key);
      if (known) return known;
      const made: KernelSource = {
        key,
        label: `${definition.name} ${variant.name} ${describeSpec(spec)}`,
        wgsl: assemble(definition, spec),
        bindings: boundNames(definition, spec).map((name) =>
          definition.bindings[name].access === "read" ? "read-only-storage" : "storage",
        ),
        paramsBytes: Math.ceil(Math.max(params.length, 1) / 4) * 16,
      };
      sources.set(key, made);
      return made;
    };

    const find = (device: Device, given: Partial<S>): Prepared<S> => {
      let known = cache.get(device);
      if (!known) cache.set(device, (known = new Map()));
      const forced = device.recorder.variants.get(definition.name);
      let key = forced ?? "";
      for (const field in given) key += `,${given[field]}`;
      let entry = known.get(key);
      if (!entry) {
        const { variant, spec } = choose(device.capabilities, given, forced);
        known.set(key, (entry = { source: source(variant, spec), spec, bound: boundNames(definition, spec), compiled: undefined }));
      }
      return entry;
    };

    const kernel: Kernel<S, never, never> = {
      ...(definition as unknown as KernelDefinition<S, never, never>),
      choose,
      source,
      specOn: (device, given) => find(device, given).spec,
      run(device, tensors, values, given) {
        const prepared = find(device, given);
        if (device.recorder.isRehearsing) {
          device.recorder.anticipate(prepared.source);
          return;
        }
        const compiled = (prepared.compiled ??= device.recorder.pipeline(prepared.source));
        const grid = definition.grid(values as never, prepared.spec);
        if (grid[0] === 0 || grid[1] === 0 || grid[2] === 0) return;
        const ranges = prepared.bound.map((name) => {
          const tensor = (tensors as Record<string, Tensor>)[name]!;
          tensor.expectAlive(definition.name);
          return bindingOf(tensor);
        });
        device.recorder.dispatch(compiled, ranges, (view) => packParams(view, params, values), grid);
      },
    };
    declareVariants(
      "kernel",
      definition.name,
      definition.variants.map(({ name }) => name),
    );
    kernelRegistry.set(definition.name, kernel as unknown as Kernel<never, string, string>);
    return kernel as never;
  };
}

/** The bindings that a spec has a use for, in the order of their declaration. */
function boundNames<S extends Spec, B extends string>(definition: KernelDefinition<S, B, string>, spec: S): B[] {
  const unused: readonly string[] = definition.unused?.(spec) ?? [];
  return (Object.keys(definition.bindings) as B[]).filter((name) => !unused.includes(name));
}

function packParams(view: DataView, params: [string, ParamType][], values: Record<string, number>): void {
  params.forEach(([name, type], index) => {
    if (type === "f32") view.setFloat32(4 * index, values[name]!, true);
    else if (type === "i32") view.setInt32(4 * index, values[name]!, true);
    else view.setUint32(4 * index, values[name]!, true);
  });
}

function describeSpec(spec: Spec): string {
  return Object.entries(spec)
    .map(([name, value]) => (typeof value === "string" ? value : `${name}=${value}`))
    .join(" ");
}

function assemble<S extends Spec>(definition: KernelDefinition<S, string, string>, spec: S): string {
  const bound = boundNames(definition, spec).map((name) => [name, definition.bindings[name]!] as const);
  const types = bound.map(([, binding]) => elementType(binding, spec));
  const enables = new Set(definition.enables?.(spec) ?? []);
  if (types.some((type) => type.includes("f16")) || Object.values(spec).includes("f16")) enables.add("enable f16;");
  const fields = Object.entries(definition.params).map(([name, type]) => `  ${name}: ${type},`);
  const constants = Object.entries(spec).flatMap(([name, value]) => {
    if (name === "dtype") return [`alias Dtype = ${value};`];
    if (typeof value === "number") return [`const ${upperSnake(name)} = ${Number.isInteger(value) ? `${value}u` : value};`];
    return typeof value === "boolean" ? [`const ${upperSnake(name)} = ${value};`] : [];
  });
  const bindings = bound.map(
    ([name, binding], index) =>
      `@group(0) @binding(${index + 1}) var<storage, ${binding.access}> ${name}: array<${elementType(binding, spec)}>;`,
  );
  return [
    ...[...enables].sort(),
    `struct Params {\n${(fields.length > 0 ? fields : ["  unused: u32,"]).join("\n")}\n}`,
    "@group(0) @binding(0) var<uniform> params: Params;",
    ...bindings,
    ...constants,
    "",
    definition.wgsl(spec),
  ].join("\n");
}

/** The element type of a binding: the value of the spec field it names (also inside vec4<…>, and if that value names another field), else its own text. */
function elementType<S extends Spec>(binding: Binding, spec: S): string {
  return binding.type.replace(/[A-Za-z_]\w*/g, (word) =>
    typeof spec[word] === "string" ? elementType({ ...binding, type: spec[word] }, spec) : word,
  );
}

function upperSnake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}
