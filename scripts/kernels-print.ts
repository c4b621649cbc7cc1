import { exampleSources } from "../packages/testing/src/kernels/sources.js";
import { kernelRegistry } from "./all-kernels.js";

/*
 * npm run kernels:print                        the names of all kernels and their variants
 * npm run kernels:print rmsNorm                every variant with its first canonical spec
 * npm run kernels:print rmsNorm subgroup 1     one variant with one canonical spec
 */
const [name, variant, example = "0"] = process.argv.slice(2);

if (name === undefined) {
  for (const kernel of kernelRegistry.values())
    console.log(`${kernel.name}: ${kernel.variants.map((each) => each.name).join(", ")} (${kernel.examples.length} specs)`);
} else {
  const kernel = kernelRegistry.get(name);
  if (!kernel) fail(`there is no kernel "${name}"; expected one of ${[...kernelRegistry.keys()].join(", ")}`);
  const variants = kernel.variants.filter((each) => variant === undefined || each.name === variant);
  if (variants.length === 0)
    fail(`${name} has no variant "${variant}"; expected one of ${kernel.variants.map((each) => each.name).join(", ")}`);
  for (const each of variants) {
    const source = exampleSources(kernel).filter((candidate) => candidate.variant === each.name)[Number(example)];
    if (!source) fail(`${name} has no canonical spec ${example}; expected 0 to ${kernel.examples.length - 1}`);
    console.log(`// ${source.label}\n${source.wgsl}\n`);
  }
}

function fail(message: string): never {
  console.error(`kernels:print: ${message}`);
  process.exit(1);
}
