import type { ByteDirectory, ListedDirectory } from "@kto/core";
import { TokenizerError } from "./errors.js";
import { FILE_NAMES, TEMPLATE_FOLDER, type TokenizerFiles } from "./files.js";

/** JavaScript keeps no longer text in one string. */
const MAX_FILE_BYTES = 2 ** 29 - 24;

/** Templates that models keep in their folder of templates, looked for where a directory cannot be listed. */
const USUAL_TEMPLATES = ["tool_use", "rag"];
/** Templates of one model. */
const MAX_TEMPLATES = 64;

/**
 * The tokenizer files of a model directory; all but `tokenizer.json` may be missing. Templates in `additional_chat_templates` are found by listing the
 * directory, or by their usual names where that cannot be.
 * Throws `TokenizerError` when that is missing or a file gives another number of bytes; what the directory itself throws is passed on.
 */
export async function readTokenizerFiles(operation: string, directory: ByteDirectory): Promise<TokenizerFiles> {
  const read = (file: string): Promise<Uint8Array | undefined> => readWhole(operation, directory, file);
  const names = Object.keys(FILE_NAMES) as (keyof typeof FILE_NAMES)[];
  const [contents, templates] = await Promise.all([
    Promise.all(names.map((name) => read(FILE_NAMES[name]))),
    readTemplates(directory, read),
  ]);
  const files = Object.fromEntries(
    names.flatMap((name, index) => (contents[index] ? [[name, contents[index]]] : [])),
  ) as Partial<TokenizerFiles>;
  const { tokenizerJson } = files;
  if (!tokenizerJson) {
    throw new TokenizerError(
      `${operation}: ${directory.name} has no ${FILE_NAMES.tokenizerJson}; expected a fast tokenizer's file, as tokenizer.save_pretrained() writes; copy it from the base model`,
      { file: FILE_NAMES.tokenizerJson, directory: directory.name },
    );
  }
  return { ...files, tokenizerJson, ...(Object.keys(templates).length > 0 && { additionalChatTemplates: templates }) };
}

async function readTemplates(
  directory: ByteDirectory,
  read: (file: string) => Promise<Uint8Array | undefined>,
): Promise<Record<string, Uint8Array>> {
  const found = await Promise.all(
    (await templateNames(directory)).map(async (name) => [name, await read(`${TEMPLATE_FOLDER}/${name}.jinja`)] as const),
  );
  return Object.fromEntries(found.flatMap(([name, bytes]) => (bytes ? [[name, bytes]] : [])));
}

async function templateNames(directory: ByteDirectory): Promise<string[]> {
  if (!("list" in directory)) return USUAL_TEMPLATES;
  const files = await (directory as ListedDirectory).list().catch(() => undefined); // a folder inside that nobody may read is no obstacle
  if (!files) return USUAL_TEMPLATES;
  const names = files.flatMap(({ path }) => new RegExp(`^${TEMPLATE_FOLDER}/([^/]+)\\.jinja$`).exec(path)?.[1] ?? []);
  return names.slice(0, MAX_TEMPLATES);
}

async function readWhole(operation: string, directory: ByteDirectory, file: string): Promise<Uint8Array | undefined> {
  const { name } = directory;
  const source = await directory.open(file);
  if (!source) return undefined;
  const expectBytes = (holds: boolean, expected: string, got: number): void => {
    if (!holds) {
      throw new TokenizerError(`${operation}: ${file} in ${name} cannot be read; expected ${expected} bytes, got ${got}; copy it again`, {
        file,
        directory: name,
      });
    }
  };
  try {
    const { byteLength } = source;
    expectBytes(byteLength <= MAX_FILE_BYTES, `at most ${MAX_FILE_BYTES}`, byteLength);
    const bytes = await source.slice(0, byteLength);
    expectBytes(bytes.byteLength === byteLength, String(byteLength), bytes.byteLength);
    return bytes;
  } finally {
    await source.dispose?.();
  }
}
