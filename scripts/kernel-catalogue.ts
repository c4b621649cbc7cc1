import { wayRegistry, type Capabilities } from "@kto/tensor";
import type { AnyKernel } from "../packages/testing/src/kernels/sources.js";
import { kernelRegistry } from "./all-kernels.js";
import { readKernelDocs, type KernelDoc } from "./kernel-docs.js";

/** Devices for which the page says what would run. */
const devices: Record<string, Capabilities> = {
  "software adapter": pretend({ software: true, subgroups: true, subgroupMinSize: 4, subgroupMaxSize: 4 }),
  "GPU without options": pretend({}),
  "GPU with subgroups and f16": pretend({ subgroups: true, shaderF16: true, subgroupMinSize: 32, subgroupMaxSize: 32 }),
  "GPU with tensor cores": pretend({
    subgroups: true,
    shaderF16: true,
    subgroupMinSize: 32,
    subgroupMaxSize: 32,
    subgroupMatrix: ["f16 f32 16x16x16", "f16 f16 16x16x16", "f16 f32 16x8x16"],
    maxWorkgroupStorageBytes: 49_152,
    maxInvocationsPerWorkgroup: 1024,
  }),
};

/** The text of docs/kernels.md. */
export function kernelCatalogue(root: string): string {
  const docs = readKernelDocs(root);
  const kernels = [...kernelRegistry.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  return [
    "# Kernels",
    "",
    "Every kernel of `@kto/tensor` and `@kto/nf4`, from its declaration. Written by `npm run kernels:catalogue`; do not edit. The WGSL itself: `npm run kernels:print <kernel> <variant>`.",
    "A variant is chosen from the capabilities of the device and the spec, the first that fits; `device.recorder.variants.set(kernel, variant)` forces one.",
    `Ops that choose between sets of kernels have ways, most demanding first, and \`device.recorder.variants.set(op, way)\` forces one: ${ways()}.`,
    "",
    kernels.map(({ name }) => `[${name}](#${name.toLowerCase()})`).join(" · "),
    "",
    ...kernels.map((kernel) => section(kernel, docs.get(kernel.name))),
  ].join("\n");
}

/** "`causalAttention` (matrix, vector)" */
function ways(): string {
  const ops = [...wayRegistry.values()].sort((a, b) => (a.op < b.op ? -1 : 1));
  return ops.map((each) => `\`${each.op}\` (${each.ways.map(({ name }) => name).join(", ")})`).join(", ");
}

function section(kernel: AnyKernel, doc: KernelDoc | undefined): string {
  if (!doc?.formula)
    throw new Error(`kernels:catalogue: ${kernel.name} has no doc comment above it or above its spec; write the formula there`);
  const bindings = Object.entries(kernel.bindings).map(
    ([name, { access, type }]) => `${name} \`${type}\`${access === "read" ? "" : ", written"}`,
  );
  const params = Object.entries(kernel.params).map(([name, type]) => `${name} \`${type}\``);
  return [
    `## ${kernel.name}`,
    "",
    "```text",
    doc.formula,
    "```",
    "",
    `- Source: [${doc.path.split("/").at(-1)}](../${doc.path})`,
    `- Bindings: ${bindings.join(" · ")}`,
    `- Parameters: ${params.join(" · ") || "none"}`,
    ...(doc.cost ? [`- Cost: \`${doc.cost}\``] : []),
    "",
    "| variant | constants |",
    "| --- | --- |",
    ...kernel.variants.map(({ name, spec }) => `| ${name} | ${describe(spec)} |`),
    "",
    `| canonical spec | ${Object.keys(devices).join(" | ")} |`,
    `| --- |${Object.keys(devices)
      .map(() => " --- |")
      .join("")}`,
    ...kernel.examples.map(
      (example) =>
        `| ${describe(example) || "–"} | ${Object.values(devices)
          .map((device) => chosen(kernel, device, example))
          .join(" | ")} |`,
    ),
    "",
  ].join("\n");
}

function chosen(kernel: AnyKernel, device: Capabilities, example: object): string {
  try {
    return kernel.choose(device, example as never).variant.name;
  } catch {
    return "–";
  }
}

function describe(spec: object): string {
  return Object.entries(spec)
    .map(([name, value]) => `${name} \`${value}\``)
    .join(", ");
}

function pretend(capabilities: Partial<Capabilities>): Capabilities {
  return {
    description: "pretended",
    vendor: "",
    architecture: "",
    shaderF16: false,
    subgroups: false,
    subgroupMinSize: 0,
    subgroupMaxSize: 0,
    subgroupMatrix: [],
    timestampQuery: true,
    software: false,
    maxWorkgroupStorageBytes: 32_768,
    maxInvocationsPerWorkgroup: 256,
    maxBufferBytes: 2 ** 32,
    maxBindingBytes: 2 ** 31 - 4,
    maxStorageBuffers: 16,
    ...capabilities,
  };
}
