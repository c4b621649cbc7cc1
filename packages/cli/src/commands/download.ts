import { errorMessage, excerpt } from "@kto/core";
import { choice, field, orNull, patterns, text } from "@kto/core/config";
import { parseRepoId } from "@kto/hub";
import { snapshotDownload } from "@kto/hub/node";
import { commandValues } from "../config/check-command.js";
import { exitStatus, isHubError } from "../errors.js";
import { downloading, hubAccess } from "../load/hub-access.js";
import { formatCount, formatCounted } from "../render/format.js";
import { formatSize } from "../render/progress-line.js";
import type { Command, CommandInput } from "./command.js";

const downloadFields = {
  revision: field(orNull(text()), null, { group: "hub", help: "branch, tag or commit", aliases: ["model_revision"] }),
  include: field(orNull(patterns()), null, { group: "hub", help: "fetches the files that match one of them" }),
  exclude: field(orNull(patterns()), null, { group: "hub", help: "leaves out the files that match one of them" }),
  repoType: field(choice(["model", "dataset"]), "model", { group: "hub", help: "what the name is the name of" }),
};

export const downloadCommand: Command = {
  name: "download",
  summary: "a model or data set from the hub",
  usage: "kto download ID [--revision R] [--include GLOB …] [--exclude GLOB …] [--repo_type dataset]",
  examples: [["kto download trl-lib/kto-mix-14k --repo_type dataset", "into the cache; prints the folder"]],
  fields: downloadFields,
  run: download,
};

async function download(input: CommandInput): Promise<number> {
  const { operands, fields, options, io, console } = input;
  const [id = ""] = operands;
  const mistakes = operands.length === 1 ? idMistakes(id, fields) : [notOne(operands)];
  const values = commandValues("download", downloadFields, input, mistakes);
  const access = hubAccess(io, console);
  const { path, files, bytes } = await downloading(access, () =>
    snapshotDownload(id, {
      ...access.hub,
      signal: io.signal,
      repoType: values.repoType,
      ...(values.revision === null ? {} : { revision: values.revision }),
      ...(values.include ? { include: [...values.include] } : {}),
      ...(values.exclude ? { exclude: [...values.exclude] } : {}),
    }),
  );
  const { cached } = access.display.counts;
  console.line(
    `${formatCounted(files.length, "file")}, ${formatSize(bytes)}B${cached > 0 ? `; ${cached === files.length ? "all" : formatCount(cached)} were in the cache` : ""}`,
  );
  io.stdout.write(`${options.json ? JSON.stringify({ path, files, bytes }) : path}\n`);
  return exitStatus.done;
}

function notOne(operands: readonly string[]): string {
  return `download: not usable; expected one name on the hub (owner/name), got ${operands.length === 0 ? "none" : operands.join(" ")}; see kto download --help`;
}

/** What is wrong with the name, as mistakes of the command line. */
function idMistakes(id: string, { values }: CommandInput["fields"]): string[] {
  const revision = values.get("revision") ?? values.get("model_revision") ?? null;
  try {
    const named = parseRepoId(id).revision;
    return named === undefined || revision === null || named === revision
      ? []
      : [`--revision: ${id} names a revision too; expected one of the two, got ${excerpt(revision)}; remove one`];
  } catch (error) {
    if (!isHubError(error)) throw error;
    return [error.parts === undefined ? error.message : errorMessage({ ...error.parts, operation: "download" })];
  }
}
