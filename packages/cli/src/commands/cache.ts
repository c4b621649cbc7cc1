import { boolean, field, orNull, path } from "@kto/core/config";
import { clearTokenCache, listTokenCache, tokenCacheFolder, type TokenCacheEntry } from "@kto/kit/node";
import { commandValues } from "../config/check-command.js";
import { exitStatus } from "../errors.js";
import { formatBytes, formatCount } from "../render/format.js";
import type { Command, CommandInput } from "./command.js";

const cacheFields = {
  tokenCache: field(orNull(path("a folder")), null, {
    group: "data",
    help: "the folder, where it is not the usual one: what `token_cache` of kto train names",
  }),
  clear: field(boolean(), false, { group: "data", help: "removes all that is kept; runs that are reading it go on" }),
};

export const cacheCommand: Command = {
  name: "cache",
  summary:
    "tokenised rows, and log-probabilities of references, that are kept from one run to the next: where, how large, and how to clear them",
  usage: "kto cache [--clear] [--token_cache FOLDER]",
  examples: [
    ["kto cache", "the folder and what is in it, the largest first"],
    ["kto cache --clear", "removes all of it; the next run tokenises and scores its rows again"],
  ],
  fields: cacheFields,
  run: cache,
};

const kinds: Readonly<Record<TokenCacheEntry["kind"], string>> = {
  tokens: "tokenised rows",
  rows: "where rows begin",
  reference: "log-probabilities of a reference",
  unfinished: "left by a run that was killed",
};

async function cache(input: CommandInput): Promise<number> {
  const { operands, io, options } = input;
  const mistakes =
    operands.length === 0 ? [] : [`cache: not usable; expected flags alone, got ${operands.join(" ")}; see kto cache --help`];
  const values = commandValues("cache", cacheFields, input, mistakes);
  const folder = values.tokenCache ?? tokenCacheFolder(io.env);
  let entries = await listTokenCache(folder);
  if (values.clear) {
    input.begin();
    entries = await clearTokenCache(folder);
  }
  const bytes = entries.reduce((sum, { byteLength }) => sum + byteLength, 0);
  if (options.json) {
    const listed = entries.map(({ path: file, kind, byteLength, writtenMs }) => ({
      path: file,
      kind,
      bytes: byteLength,
      written: new Date(writtenMs).toISOString(),
    }));
    io.stdout.write(`${JSON.stringify({ path: folder, bytes, entries: listed, cleared: values.clear })}\n`);
    return exitStatus.done;
  }
  const count = `${formatCount(entries.length)} ${entries.length === 1 ? "entry" : "entries"}`;
  const said = values.clear ? `removed ${count}, ${formatBytes(bytes)}` : `${count}, ${formatBytes(bytes)}`;
  io.stdout.write([folder, said, ...(values.clear ? [] : entries.map(lineOf))].join("\n") + "\n");
  return exitStatus.done;
}

function lineOf({ path: file, kind, byteLength, writtenMs }: TokenCacheEntry): string {
  const written = new Date(writtenMs).toISOString().slice(0, 16).replace("T", " ");
  const name = file.split(/[\\/]/).at(-1)!.slice(0, 12);
  return `  ${formatBytes(byteLength).padStart(8)}  ${written}  ${name}  ${kinds[kind]}`;
}
