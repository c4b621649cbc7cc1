import { kernelRegistry } from "../../scripts/all-kernels.js";
import { exampleSources, type AnyKernel } from "../../packages/testing/src/kernels/sources.js";
import type { MadePage } from "./guides.js";

/** Names of all kernels, sorted. */
export const kernelNames: readonly string[] = [...kernelRegistry.keys()].sort();

/** A page per kernel: what `npm run kernels:print` prints of it, each variant with its first canonical spec. */
export function kernelPages(): MadePage[] {
  return kernelNames.map((name) => ({ params: { name, title: name }, content: pageOf(kernelRegistry.get(name)!) }));
}

function pageOf(kernel: AnyKernel): string {
  const sources = exampleSources(kernel);
  const sections = kernel.variants.map(({ name }) => {
    const { wgsl } = sources.find(({ variant }) => variant === name)!;
    return `## ${name}\n\n\`\`\`wgsl\n${wgsl}\n\`\`\`\n`;
  });
  const others = kernel.examples.length - 1;
  return [
    `# WGSL of ${kernel.name}`,
    "",
    `What the compiler is given, in each variant, with the first of ${kernel.examples.length === 1 ? "one canonical spec" : `${kernel.examples.length} canonical specs`}. [What it computes, and which variant runs where](../kernels.md#${kernel.name.toLowerCase()}).`,
    ...(others > 0
      ? [
          "",
          `The ${others === 1 ? "other" : "others"}, in the repository: \`npm run kernels:print -- ${kernel.name} ${kernel.variants[0]!.name} 1\`.`,
        ]
      : []),
    "",
    ...sections,
  ].join("\n");
}
