import { errorMessage } from "@kto/core";
import { parseRepoId, type RepoType } from "@kto/hub";
import { snapshotDownload } from "@kto/hub/node";
import { checkFields } from "../config/read-config.js";
import { choice, patterns, text } from "../config/field-types.js";
import { ConfigError, exitStatus, isHubError } from "../errors.js";
import { downloading, hubAccess } from "../load/hub-access.js";
import { formatCount } from "../render/format.js";
import { formatSize } from "../render/transfer-line.js";
import type { Command, CommandInput } from "./command.js";

export const downloadCommand: Command = {
  name: "download",
  summary: "a model or data set from the hub",
  usage: "kto download ID [--revision R] [--include GLOB …] [--exclude GLOB …] [--repo_type dataset]",
  fields: {
    revision: text(null),
    include: patterns(null),
    exclude: patterns(null),
    repo_type: choice(["model", "dataset"], "model"),
  },
  run: download,
};

interface DownloadValues {
  revision: string | null;
  include: string[] | null;
  exclude: string[] | null;
  repo_type: RepoType;
}

async function download({ operands, fields, options, io, console }: CommandInput): Promise<number> {
  const { values: checked, mistakes } = checkFields(downloadCommand.fields, fields);
  if (operands.length !== 1)
    mistakes.push(
      `download: not usable; expected one name on the hub (owner/name), got ${operands.length === 0 ? "none" : operands.join(" ")}; see kto download --help`,
    );
  const values = checked as unknown as DownloadValues;
  const id = operands[0] ?? "";
  mistakes.push(...idMistakes(operands, values));
  if (mistakes.length > 0) throw new ConfigError(mistakes);
  const access = hubAccess(io, console);
  const { path, files, bytes } = await downloading(access, () =>
    snapshotDownload(id, {
      ...access.options,
      repoType: values.repo_type,
      ...(values.revision === null ? {} : { revision: values.revision }),
      ...(values.include ? { include: values.include } : {}),
      ...(values.exclude ? { exclude: values.exclude } : {}),
    }),
  );
  const { cached } = access.display.counts;
  console.line(
    `${formatCount(files.length)} ${files.length === 1 ? "file" : "files"}, ${formatSize(bytes)}B${cached > 0 ? `; ${cached === files.length ? "all" : formatCount(cached)} were in the cache` : ""}`,
  );
  io.stdout.write(`${options.json ? JSON.stringify({ path, files, bytes }) : path}\n`);
  return exitStatus.done;
}

/** What is wrong with the name, as mistakes of the command line. */
function idMistakes([id]: readonly string[], { revision }: DownloadValues): string[] {
  if (id === undefined) return [];
  try {
    const named = parseRepoId(id).revision;
    return named === undefined || revision === null || named === revision
      ? []
      : [`--revision: ${id} names a revision too; expected one of the two, got ${JSON.stringify(revision)}; remove one`];
  } catch (error) {
    if (!isHubError(error)) throw error;
    return [error.parts === undefined ? error.message : errorMessage({ ...error.parts, operation: "download" })];
  }
}
