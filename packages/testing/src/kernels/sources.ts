import type { Kernel, KernelSource } from "@kto/tensor";

/** A kernel whose spec, bindings and parameters are not known to the compiler: what `kernelRegistry` holds. */
export type AnyKernel = Kernel<never, string, string>;

/** The source of every variant with every canonical spec, whether or not a device could run it. */
export function exampleSources(kernel: AnyKernel): (KernelSource & { variant: string })[] {
  return kernel.variants.flatMap((variant) =>
    kernel.examples.map((example) => ({
      variant: variant.name,
      ...kernel.source(variant, Object.assign<object, object, object>({}, variant.spec, example) as never),
    })),
  );
}
