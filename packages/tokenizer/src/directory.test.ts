import { readFileSync } from "node:fs";
import type { ByteDirectory } from "@kto/core";
import { expect, it } from "vitest";
import { Tokenizer } from "./index.js";
import { loadTokenizer } from "./node.js";

const fixtures = new URL("../../testing/fixtures/model/", import.meta.url);

/** The tiny model's files as a directory; `files` replaces some, or with null takes them away. */
function directoryWith(files: Record<string, Uint8Array | null> = {}): ByteDirectory & { numOpen(): number } {
  let numOpen = 0;
  return {
    name: "owner/name",
    numOpen: () => numOpen,
    async open(fileName) {
      const replaced = files[fileName];
      const isThere = ["tokenizer.json", "tokenizer_config.json"].includes(fileName) && replaced !== null;
      if (!isThere && !replaced) return undefined;
      const bytes = replaced ?? new Uint8Array(readFileSync(new URL(fileName, fixtures)));
      numOpen++;
      return {
        byteLength: bytes.byteLength,
        slice: async (start, end) => bytes.slice(start, end),
        dispose: () => void numOpen--,
      };
    },
  };
}

it("reads a directory of any kind, and gives its files back", async () => {
  const directory = directoryWith();
  const tokenizer = await Tokenizer.fromPretrained(directory);
  expect(tokenizer.encode("Hello world")).toEqual([491, 39, 445, 75, 78, 389, 345, 75, 67]);
  expect((await loadTokenizer(directory)).chatTemplate).toBe(tokenizer.chatTemplate);
  expect(directory.numOpen()).toBe(0);
  const template = new TextEncoder().encode("{{ messages }}");
  expect((await Tokenizer.fromPretrained(directoryWith({ "chat_template.jinja": template }))).chatTemplate).toBe("{{ messages }}");
});

it("lists a directory for its templates, and looks for the usual ones where it cannot", async () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  const files = { "additional_chat_templates/rag.jinja": bytes("RAG"), "additional_chat_templates/mine.jinja": bytes("MINE") };
  const names = async (list?: () => Promise<{ path: string; size: number }[]>): Promise<string[]> => [
    ...(await Tokenizer.fromPretrained({ ...directoryWith(files), ...(list && { list }) })).chatTemplates.keys(),
  ];
  expect(await names()).toEqual(["rag"]);
  expect(await names(async () => Object.keys(files).map((path) => ({ path, size: 3 })))).toEqual(["rag", "mine"]);
  expect(await names(() => Promise.reject(new Error("EACCES")))).toEqual(["rag"]);
});

it("says which file is missing, broken or short, and passes on what the directory throws", async () => {
  await expect(Tokenizer.fromPretrained(directoryWith({ "tokenizer.json": null }))).rejects.toMatchObject({
    code: "TOKENIZER",
    file: "tokenizer.json",
    directory: "owner/name",
    message: expect.stringContaining("Tokenizer.fromPretrained: owner/name has no tokenizer.json; expected"),
  });
  await expect(Tokenizer.fromPretrained(directoryWith({ "tokenizer.json": new Uint8Array(3) }))).rejects.toThrow("not valid JSON");
  const failing = { name: "owner/name", open: () => Promise.reject(new Error("401")) };
  await expect(loadTokenizer(failing)).rejects.toThrow(/^401$/);
  const short = { name: "owner/name", open: async () => ({ byteLength: 9, slice: async () => new Uint8Array(2) }) };
  await expect(loadTokenizer(short)).rejects.toThrow("expected 9 bytes, got 2");
});
