import { wayRegistry, type Capabilities } from "@kto/tensor";
import type { AnyKernel } from "../packages/testing/src/kernels/sources.js";
import { kernelRegistry } from "./all-kernels.js";
import { readKernelDocs, type KernelDoc } from "./kernel-docs.js";
import { readKernelMeasurements, type MeasuredSteps } from "./kernel-measurements.js";

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
  const measured = readKernelMeasurements(root);
  const kernels = [...kernelRegistry.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  return [
    "# Kernels",
    "",
    "Every kernel of `@kto/tensor` and `@kto/nf4`, from its declaration. Written by `npm run kernels:catalogue`; do not edit. What goes to the compiler is printed by the command that stands with each.",
    "A variant is chosen from the capabilities of the device and the spec, the first that fits; `device.recorder.variants.set(kernel, variant)` forces one.",
    `Ops that choose between sets of kernels have ways, most demanding first, and \`device.recorder.variants.set(op, way)\` forces one: ${ways()}.`,
    "",
    kernels.map(({ name }) => `[${name}](#${name.toLowerCase()})`).join(" · "),
    "",
    ...hottest(measured, new Set(kernels.map(({ name }) => name))),
    ...kernels.map((kernel) => section(kernel, docs.get(kernel.name), measured)),
  ].join("\n");
}

/** "`causalAttention` (matrix, vector)" */
function ways(): string {
  const ops = [...wayRegistry.values()].sort((a, b) => (a.op < b.op ? -1 : 1));
  return ops.map((each) => `\`${each.op}\` (${each.ways.map(({ name }) => name).join(", ")})`).join(", ");
}

/** A table of the recorded kernels, those that take most of a step first. */
function hottest(measured: readonly MeasuredSteps[], there: ReadonlySet<string>): string[] {
  return measured.flatMap(({ path, device, date, kernels }) => {
    const runs = [...new Set([...kernels.values()].flat().map(({ run }) => run))];
    const inLast = (name: string): number => kernels.get(name)!.find(({ run }) => run === runs.at(-1))?.ms ?? 0;
    const names = [...kernels.keys()].filter((name) => there.has(name.split(" ")[0]!)).sort((a, b) => inLast(b) - inLast(a));
    const cells = (name: string): string[] =>
      runs.map((run) => {
        const found = kernels.get(name)!.find((each) => each.run === run);
        return found
          ? `${found.ms.toFixed(1)} | ${found.launches.toFixed(0)} | ${((1000 * found.ms) / found.launches).toFixed(0)}`
          : " | | ";
      });
    return [
      `## Measured on ${device.split(",")[0]}, ${date}`,
      "",
      `What a KTO step of the 1.5B shape spends on its hottest kernels, by timestamps: ${device}, ${date}, [${path.split("/").at(-1)}](../${path}). A batch is rows × tokens; launches of a variant with different specs are added. Kernels that are not listed were not among the hottest; [how it was measured](../bench/results/README.md).`,
      "",
      `| kernel |${runs.map((run) => ` ${run}: ms a step | launches | µs a launch |`).join("")}`,
      `| --- |${runs.map(() => " --: | --: | --: |").join("")}`,
      ...names.map((name) => `| [${name}](#${name.split(" ")[0]!.toLowerCase()}) | ${cells(name).join(" | ")} |`),
      "",
    ];
  });
}

/** "4 × 512: 173.1 ms in 803 launches" for each run, with its device and date. */
function measuredOf(kernel: string, variant: string, measured: readonly MeasuredSteps[]): string {
  return measured
    .flatMap(({ device, date, kernels }) => {
      const found = kernels.get(`${kernel} ${variant}`);
      if (!found) return [];
      const times = found.map(({ run, ms, launches }) => `${run}: ${((1000 * ms) / launches).toFixed(0)} µs`);
      return [`${times.join(", ")} (${device.split(",")[0]}, ${date})`];
    })
    .join("; ");
}

function section(kernel: AnyKernel, doc: KernelDoc | undefined, measured: readonly MeasuredSteps[]): string {
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
    `- Source: [${doc.path.split("/").at(-1)}](../${doc.path}) · WGSL: \`npm run kernels:print ${kernel.name}\``,
    `- Bindings: ${bindings.join(" · ")}`,
    `- Parameters: ${params.join(" · ") || "none"}`,
    ...(doc.cost ? [`- Cost: \`${doc.cost}\``] : []),
    "",
    ...variantsTable(kernel, measured),
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

/** Variants and their constants, and what a launch took where that was measured. */
function variantsTable(kernel: AnyKernel, measured: readonly MeasuredSteps[]): string[] {
  const rows = kernel.variants.map(({ name, spec }) => ({
    name,
    constants: describe(spec),
    time: measuredOf(kernel.name, name, measured),
  }));
  if (rows.every(({ time }) => time === ""))
    return ["| variant | constants |", "| --- | --- |", ...rows.map(({ name, constants }) => `| ${name} | ${constants} |`)];
  return [
    "| variant | constants | a launch in a KTO step |",
    "| --- | --- | --- |",
    ...rows.map(({ name, constants, time }) => `| ${name} | ${constants} | ${time} |`),
  ];
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
