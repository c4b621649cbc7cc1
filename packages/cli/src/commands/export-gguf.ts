import { basename, dirname, join } from "node:path";
import { excerpt, type Store } from "@kto/core";
import type { Values } from "@kto/core/config";
import { fileSource, folderStore } from "@kto/core/node";
import { type ExportedGguf, exportGguf, exportGgufAdapter, readImportanceMatrix } from "@kto/gguf-export";
import { type AdapterFiles, type ModelFiles, openGgufAdapter, openGgufModel, writeModelfile } from "@kto/kit";
import { isFolder } from "@kto/kit/node";
import { commandValues, expectNoOperands } from "../config/check-command.js";
import { exportGgufFields } from "../config/export-gguf-fields.js";
import { adapterType, ownType, typeMistakes, typesOf } from "../config/gguf-types.js";
import { ConfigError, exitStatus, interruption } from "../errors.js";
import { hubAccess } from "../load/hub-access.js";
import { findAdapter, findModel } from "../load/inputs.js";
import { formatBytes, formatNumber } from "../render/format.js";
import type { Command, CommandInput } from "./command.js";

type ExportValues = Values<typeof exportGgufFields>;

/** A file as it is listed; an adapter has no bits of a weight. */
type ListedFile = Pick<ExportedGguf, "path" | "type" | "bytes"> & { bpw?: number };

export const exportGgufCommand: Command = {
  name: "export-gguf",
  summary: "GGUF files of a model, for llama.cpp and Ollama",
  usage: "kto export-gguf --model M [--adapter A] --out FILE --type Q4_K_M … [--imatrix FILE] [--split_max_size 2G] [--adapter_only]",
  examples: [
    [
      "kto export-gguf --model Qwen/Qwen2-0.5B --adapter outputs --out model.gguf --type Q4_K_M",
      "what was trained, with a Modelfile beside it",
    ],
    ["kto export-gguf --model Qwen/Qwen2-0.5B --out gguf --type F16 Q8_0 Q4_K_M", "several kinds into a folder, from one read"],
    ["kto export-gguf --model Qwen/Qwen2-0.5B --adapter outputs --adapter-only --out adapter.gguf", "the adapter alone"],
  ],
  fields: exportGgufFields,
  run: exportCommand,
};

async function exportCommand(input: CommandInput): Promise<number> {
  const { io, options, console } = input;
  const values = commandValues("export-gguf", exportGgufFields, input, expectNoOperands("export-gguf", input.operands));
  expectUsable(values);
  const access = hubAccess(io, console);
  const adapter = values.adapter === null ? undefined : await findAdapter(values.adapter, access);
  const files = await findModel(values.model, access, console);
  const out = dirname(values.out);
  const store = folderStore(out);
  const written = values.adapterOnly
    ? await writeAdapter(adapter!, files, store, values, input)
    : await writeModel(adapter, files, store, values, input);
  const listed = written.map((file) => ({ ...file, path: join(out, file.path) }));
  for (const { path, type, bytes, bpw } of listed)
    console.line(`${path}: ${type}, ${formatBytes(bytes)}${bpw === undefined ? "" : `, ${formatNumber(bpw, 3)} bits a weight`}`);
  const paths = listed.map(({ path }) => `${path}\n`).join("");
  io.stdout.write(options.json ? `${JSON.stringify({ files: listed })}\n` : paths);
  return exitStatus.done;
}

/** Throws ConfigError with everything that does not fit together. */
function expectUsable({ type, adapter, adapterOnly, imatrix, splitMaxSize, out }: ExportValues): void {
  const mistakes = typeMistakes(type, adapterOnly);
  if (adapterOnly && adapter === null) mistakes.push("--adapter_only: there is no adapter; expected --adapter too, got none; give it");
  const unused = { imatrix, split_max_size: splitMaxSize };
  for (const [flag, value] of Object.entries(unused))
    if (adapterOnly && value !== null)
      mistakes.push(`--${flag}: has no effect on an adapter alone; expected it unset, got ${excerpt(value)}; remove it`);
  if ((type?.length ?? 1) === 1 && isFolder(out))
    mistakes.push(`--out: ${out} is a folder; expected the path of a file for one type, got a folder; add the name of the file`);
  if (mistakes.length > 0) throw new ConfigError(mistakes);
}

async function writeModel(
  adapter: AdapterFiles | undefined,
  files: ModelFiles,
  store: Store,
  values: ExportValues,
  input: CommandInput,
): Promise<ListedFile[]> {
  const { io, console } = input;
  const importance = values.imatrix === null ? undefined : await readMatrix(values.imatrix);
  const model = await openGgufModel(files, { adapter, signal: io.signal });
  try {
    if (model.base === "nf4")
      console.note("the model is in four bits; what is written is what they say, dequantised, and not the 16 bits that it was made from");
    for (const note of model.notes) console.note(note);
    using progress = console.progress("writing", "bytes");
    const { files: written } = await exportGguf(model, {
      store,
      out: basename(values.out),
      types: typesOf(values.type ?? [], ownType(model.config)),
      importance,
      splitMaxSize: values.splitMaxSize ?? undefined,
      signal: io.signal,
      onPlan: () => input.begin(),
      onProgress: ({ writtenBytes: done, totalBytes: total }) => progress.update({ done, total }),
    });
    progress.stop();
    const modelfile = await writeModelfile(written, { files, model, store });
    if (modelfile.note !== undefined) console.note(modelfile.note);
    if (modelfile.path !== undefined) {
      const path = join(store.name, modelfile.path);
      console.line(`${path}: ollama create NAME -f ${path}`);
    }
    return written;
  } catch (error) {
    throw interruption(error, io.signal, "interrupted; nothing was written");
  } finally {
    await model.dispose();
  }
}

async function writeAdapter(
  files: AdapterFiles,
  model: ModelFiles,
  store: Store,
  values: ExportValues,
  input: CommandInput,
): Promise<ListedFile[]> {
  const { io } = input;
  const adapter = await openGgufAdapter(files, model);
  try {
    const [path, type] = [basename(values.out), adapterType(values.type)];
    const { bytes } = await exportGgufAdapter(adapter, { store, out: path, type, signal: io.signal, onPlan: () => input.begin() });
    return [{ path, type, bytes }];
  } catch (error) {
    throw interruption(error, io.signal, "interrupted; nothing was written");
  } finally {
    await adapter.dispose();
  }
}

async function readMatrix(path: string): Promise<Awaited<ReturnType<typeof readImportanceMatrix>> & { name: string }> {
  const source = await fileSource(path);
  try {
    return { ...(await readImportanceMatrix(source)), name: basename(path) };
  } finally {
    await source.dispose();
  }
}
