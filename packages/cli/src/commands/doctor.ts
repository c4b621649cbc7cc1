import { gpuMemoryAtOpening, mendingCommand, NoAdapterError, whyNoHardware, type GpuMemory } from "@kto/kit/node";
import type { Device } from "@kto/tensor";
import { exitStatus } from "../errors.js";
import { commandValues, expectNoOperands } from "../config/check-command.js";
import { hubStatus, type HubStatus } from "../load/hub-status.js";
import { adapterInfo, type AdapterInfo } from "../load/adapter-info.js";
import { commandDevice } from "../load/on-device.js";
import { maxWidth, wrap } from "../render/console.js";
import { formatBytes, formatCount } from "../render/format.js";
import { versions } from "../versions.js";
import { selfTest, type SelfTest } from "../self-test.js";
import type { Command, CommandInput } from "./command.js";

export const doctorCommand: Command = {
  name: "doctor",
  summary: "the device, what it can do, the hub, and what is missing",
  usage: "kto doctor [--device auto|gpu|software]",
  examples: [],
  fields: {},
  run: doctor,
};

/** Something missing, and what mends it. */
interface Problem {
  message: string;
  /** A command, where there is one. */
  command?: string;
}

interface DoctorReport {
  adapter: (AdapterInfo & { software: boolean }) | null;
  features: string[];
  limits: Record<string, number>;
  memory: GpuMemory | null;
  selfTest: SelfTest | null;
  hub: HubStatus;
  problems: Problem[];
  versions: Record<string, string>;
}

/** Largest error of the self-test that a sound device makes: f16 operands, f32 sums. */
const largestError = 2e-3;

async function doctor(input: CommandInput): Promise<number> {
  const { operands, options, io, begin } = input;
  commandValues("doctor", {}, input, expectNoOperands("doctor", operands));
  const hub = hubStatus(io);
  const report: Omit<DoctorReport, "hub"> = {
    adapter: null,
    features: [],
    limits: {},
    memory: null,
    selfTest: null,
    problems: [],
    versions: versions(),
  };
  begin();
  const reason = options.device === "auto" ? whyNoHardware(io.env) : undefined; // before the software adapter names its own driver
  let device: Device | undefined;
  try {
    device = await commandDevice(input);
    await examine(device, report);
  } catch (error) {
    report.problems.push({
      message:
        error instanceof NoAdapterError ? `no hardware adapter: ${error.reason}` : error instanceof Error ? error.message : String(error),
      ...mending(),
    });
  } finally {
    await device?.[Symbol.asyncDispose]();
  }
  if (reason !== undefined) report.problems.push({ message: `no hardware adapter: ${reason}`, ...mending() });
  const whole: DoctorReport = { ...report, hub: await hub };
  if (whole.hub.reachable === false) report.problems.push(unreachable(whole.hub));
  if (options.json) io.stdout.write(`${JSON.stringify(whole)}\n`);
  else for (const line of render(whole)) io.stdout.write(`${line}\n`);
  return report.adapter === null || report.selfTest === null ? exitStatus.failed : exitStatus.done;
}

function unreachable({ endpoint, reason }: HubStatus): Problem {
  return {
    message: `the hub is not reachable: ${endpoint}: ${reason}; folders and what is in the cache can be used, with HF_HUB_OFFLINE=1 without asking`,
  };
}

async function examine(device: Device, report: Omit<DoctorReport, "hub">): Promise<void> {
  const { capabilities, gpuDevice } = device;
  report.adapter = { ...adapterInfo(device), software: capabilities.software };
  report.features = [...gpuDevice.features].sort();
  report.limits = limitsOf(gpuDevice.limits);
  report.memory = gpuMemoryAtOpening(device) ?? null;
  report.selfTest = await selfTest(device);
  const { maxRelativeError } = report.selfTest;
  if (!(maxRelativeError <= largestError))
    report.problems.push({
      message: `the GEMM self-test is off by ${maxRelativeError.toExponential(1)}, expected at most ${largestError}: do not trust this device's numbers; update its driver`,
    });
  if (!capabilities.shaderF16)
    report.problems.push({ message: "no shader-f16: training runs in float32, with twice the memory; a newer driver may have it" });
  if (!capabilities.software && !capabilities.timestampQuery)
    report.problems.push({ message: "no timestamp-query: kernels cannot be timed" });
}

/** Numbers of a GPUSupportedLimits, whose properties lie on its prototype. */
function limitsOf(limits: GPUSupportedLimits): Record<string, number> {
  const names = new Set<string>();
  for (
    let level: object | null = limits;
    level !== null && level !== Object.prototype;
    level = Object.getPrototypeOf(level) as object | null
  )
    for (const name of Object.getOwnPropertyNames(level)) names.add(name);
  const entries = [...names].sort().map((name) => [name, (limits as unknown as Record<string, unknown>)[name]] as const);
  return Object.fromEntries(entries.filter((entry): entry is readonly [string, number] => typeof entry[1] === "number"));
}

function mending(): { command?: string } {
  const command = mendingCommand();
  return command === undefined ? {} : { command };
}

/** Limits that decide what can be trained. */
const shownLimits = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxStorageBuffersPerShaderStage",
];

function render({ adapter, features, limits, memory, selfTest: test, hub, problems, versions: numbers }: DoctorReport): string[] {
  const lines: string[] = [];
  const fact = (name: string, value: string): void => void lines.push(`${name.padEnd(12)}${value}`);
  fact(
    "versions",
    Object.entries(numbers)
      .map(([name, version]) => `${name} ${version}`)
      .join(", "),
  );
  fact("adapter", adapter ? `${adapter.name}${adapter.software ? " (software)" : ""}` : "none");
  if (adapter?.driver) fact("driver", adapter.driver);
  if (adapter)
    fact(
      "memory",
      memory
        ? `${formatBytes(memory.freeBytes)} of ${formatBytes(memory.totalBytes)} free`
        : adapter.software
          ? "the machine's own"
          : "unknown (no nvidia-smi)",
    );
  features.forEach((feature, index) => fact(index === 0 ? "features" : "", feature));
  for (const [index, name] of shownLimits.filter((limit) => limits[limit] !== undefined).entries())
    fact(index === 0 ? "limits" : "", `${name} ${name.endsWith("Size") ? formatBytes(limits[name]!) : formatCount(limits[name]!)}`);
  if (test)
    fact(
      "self-test",
      `GEMM ${test.gemmTflops.toPrecision(3)} TFLOP/s, copy ${test.copyGBs.toPrecision(3)} GB/s, error ${test.maxRelativeError.toExponential(1)}`,
    );
  fact("hub", `${hub.endpoint} (${hub.reachable ? "reachable" : (hub.reason ?? "")})`);
  fact("", hub.token ? "with a token" : "no token: set HF_TOKEN for private and gated repositories");
  fact("", `cache ${hub.cache}`);
  fact("problems", problems.length === 0 ? "none" : String(problems.length));
  for (const { message, command } of problems) {
    lines.push(...wrap(message, maxWidth - 4).map((part, index) => `${index === 0 ? "  - " : "    "}${part}`));
    if (command !== undefined) lines.push(...wrap(`→ ${command}`, maxWidth - 4).map((part) => `    ${part}`));
  }
  return lines;
}
