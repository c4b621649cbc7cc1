import { benchCases, benchShapes, readFigures, runBench, type CaseResult, type Figures } from "@kto/bench";
import { excerpt, FormatError, nearestName } from "@kto/core";
import { boolean, choice, field, orNull, path } from "@kto/core/config";
import { readFile } from "node:fs/promises";
import type { Device } from "@kto/tensor";
import { commandValues } from "../config/check-command.js";
import { exitStatus } from "../errors.js";
import { adapterInfo, type AdapterInfo } from "../load/adapter-info.js";
import { hubAccess } from "../load/hub-access.js";
import { findModel } from "../load/inputs.js";
import { commandDevice } from "../load/on-device.js";
import { caseLines } from "../render/bench.js";
import { versions } from "../versions.js";
import type { Command, CommandInput } from "./command.js";

const names = benchCases.map(({ name }) => name);

const benchFields = {
  shape: field(orNull(choice(benchShapes)), null, {
    group: "model",
    help: "the sizes: those of DeepSeek-R1-Distill-Qwen-1.5B or 7B, or tiny; by default 1.5b on a GPU and tiny without one",
  }),
  model: field(orNull(path("a path or a name on the hub")), null, {
    group: "model",
    help: "the model whose weights are loaded, and whose tokenizer is used; the other cases make up their weights",
    aliases: ["model_name_or_path"],
  }),
  quick: field(boolean(), false, { group: "batches", help: "fewer sizes and repeats, for a first look" }),
  beside: field(orNull(path("a JSON file")), null, {
    group: "output",
    help: "what another program needed for the same on such a device, as bench/python/beside.py of the repository prints it: each time is shown beside it",
  }),
};

/** A case with what it was run on, as `--json` prints it. */
interface BenchRecord extends CaseResult {
  device: (AdapterInfo & { software: boolean }) | null;
  date: string;
  versions: Record<string, string>;
  /** Of the sources, where the environment says it (`KTO_COMMIT`). */
  commit: string | null;
}

export const benchCommand: Command = {
  name: "bench",
  summary: "timings of kernels, a training step, generation and more, on this device",
  usage: `kto bench [${names.join("|")} …] [--quick] [--model M]`,
  examples: [
    ["kto bench --quick", "a first look at everything that needs no model"],
    ["kto bench kernels step --shape 7b --json", "kernels and a training step at the sizes of a 7B model, a JSON line each"],
    ["kto bench loading tokenizing --model Qwen/Qwen2-0.5B", "a model's weights to the device, and its tokenizer"],
  ],
  fields: benchFields,
  run: bench,
};

async function bench(input: CommandInput): Promise<number> {
  const { operands, io, options, console } = input;
  const hasModel = ["model", "model_name_or_path"].some((flag) => input.fields.values.has(flag));
  const values = commandValues("bench", benchFields, input, [
    ...operands.flatMap(unknownCase),
    ...(hasModel ? [] : operands.flatMap(withoutModel)),
  ]);
  const asked = operands.length === 0 ? undefined : benchCases.filter(({ name }) => operands.includes(name));
  const cases = asked ?? benchCases.filter(({ needs }) => needs.model !== true || values.model !== null);
  const figures = values.beside === null ? undefined : await figuresIn(values.beside);
  const needsModel = cases.some(({ needs }) => needs.model);
  const model = values.model !== null && needsModel ? await findModel(values.model, hubAccess(io, console), console) : undefined;
  let device: Device | undefined;
  let isWhole = true;
  try {
    const results = runBench({
      cases,
      openDevice: async () => (device = await commandDevice(input)),
      shape: values.shape ?? undefined,
      quick: values.quick,
      model: model?.directory,
      figures,
      signal: io.signal,
      onProgress: (name, measurement) => {
        if (!measurement) console.line(console.colors.dim(`timing ${name}`));
      },
    });
    for await (const result of results) {
      input.begin();
      isWhole &&= result.problem === undefined;
      const record = recordOf(result, device, io.env);
      const lines = options.json ? [JSON.stringify(record)] : caseLines(record, io);
      for (const line of lines) io.stdout.write(`${line}\n`);
      if (result.problem !== undefined) console.warn(`${result.case}: ${result.problem}`);
    }
  } finally {
    await device?.[Symbol.asyncDispose]();
  }
  return isWhole ? exitStatus.done : exitStatus.failed;
}

function unknownCase(operand: string): string[] {
  if (names.includes(operand)) return [];
  const close = nearestName(operand, names, 2);
  return [
    `bench: ${excerpt(operand)} is no case; ${close === undefined ? `expected some of ${names.join(", ")}` : `did you mean ${close}?`}`,
  ];
}

function withoutModel(operand: string): string[] {
  const needsModel = benchCases.some(({ name, needs }) => name === operand && needs.model === true);
  return needsModel ? [`bench: ${operand} needs a model; expected --model with a folder or a name on the hub, got none`] : [];
}

async function figuresIn(file: string): Promise<Figures> {
  const text = await readFile(file, "utf8");
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new FormatError(`bench: ${file} is no JSON; expected what bench/python/beside.py prints, got ${excerpt(text, 60)}`, {
      source: file,
      cause,
    });
  }
  return readFigures(json, file);
}

function recordOf(result: CaseResult, device: Device | undefined, env: CommandInput["io"]["env"]): BenchRecord {
  return {
    ...result,
    device: device ? { ...adapterInfo(device), software: device.capabilities.software } : null,
    date: new Date().toISOString().slice(0, 10),
    versions: versions(),
    commit: env["KTO_COMMIT"] ?? null,
  };
}
