import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { DataNotes, Dataset, type DataRow } from "@kto/datasets";
import { loadDataset } from "@kto/datasets/node";
import { fixturePath } from "@kto/testing/workspace";
import { Tokenizer, type TokenizerParts } from "@kto/tokenizer";
import { loadTokenizer } from "@kto/tokenizer/node";
import {
  batchTokenizer,
  prepareKtoDataset,
  preparePairDataset,
  prepareSftDataset,
  type OpenWorkers,
  type PrepareOptions,
  type PrepareSftOptions,
  type TokenCache,
} from "@kto/trainer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tokenCacheFolder, tokenFolder } from "./token-folder.js";
import { tokenizeWorkers } from "../tokenize-workers.js";

const root = mkdtempSync(join(tmpdir(), "kto-tokens-"));
afterAll(() => rmSync(root, { recursive: true }));

let tokenizer: Tokenizer;
beforeAll(async () => {
  tokenizer = await loadTokenizer(fixturePath("model"));
});

let count = 0;
function newFolder(): string {
  return join(root, `cache-${count++}`);
}
function load(rows: readonly DataRow[]): Promise<Dataset> {
  const path = join(root, `rows-${count++}.jsonl`);
  writeFileSync(path, rows.map((row) => JSON.stringify(row)).join("\n"));
  return loadDataset(path);
}

const turn = (role: string, content: string, more: DataRow = {}): DataRow => ({ role, content, ...more });
/** Conversations, with all that gives notes and drops. */
const rows: DataRow[] = Array.from({ length: 80 }, (_, index) => ({
  prompt: index % 40 === 7 ? [] : [turn("user", `Question ${index} ${"why? ".repeat(index % 30)}`, index % 9 === 4 ? { mood: "odd" } : {})],
  completion: [turn("assistant", `Answer ${index}`, index > 60 ? { [`field_${index % 12}`]: "lost" } : {})],
  label: index % 3 === 0 ? "true" : "false",
  ...(index % 10 === 3 && { tools: [{ type: "function", function: { name: "f", parameters: { maximum: 1.0, minimum: 0.5 } } }] }),
}));
const pairs: DataRow[] = Array.from({ length: 51 }, (_, index) => ({
  prompt: `Q ${index}`,
  chosen: " yes".repeat(1 + (index % 5)),
  rejected: index % 50 === 0 ? " yes".repeat(1 + (index % 5)) : " no",
}));

const marked = readFileSync(fixturePath("templates", "chatml-generation.jinja"), "utf8");
const texts: DataRow[] = Array.from({ length: 60 }, (_, index) => ({
  text: index % 17 === 3 ? "" : `Text ${index} ${"word ".repeat(index % 30)}`,
}));
const completions: DataRow[] = rows.map(({ prompt, completion, tools }) => ({ prompt, completion, ...(tools !== undefined && { tools }) }));
const conversations: DataRow[] = rows.map(({ prompt, completion }) => ({
  messages: [...(prompt as DataRow[]), ...(completion as DataRow[]), turn("user", "And?"), turn("assistant", "So.")],
}));
const sequences: DataRow[] = texts.map((_row, index) => ({
  input_ids: Array.from({ length: 3 + (index % 20) }, (_id, at) => at + index),
  assistant_masks: Array.from({ length: 3 + (index % 20) }, (_id, at) => Number((at + index) % 5 < 2)),
}));
const sftCases: [string, DataRow[], PrepareSftOptions][] = [
  ["texts", texts, {}],
  ["texts with another EOS, packed", texts, { eosToken: "<|im_end|>", packing: true, maxLength: 40 }],
  ["completions", completions, { maxLength: 60 }],
  ["completions with their prompts, shuffled", completions, { completionOnlyLoss: false, shuffleDataset: true }],
  ["what the assistant says", conversations, { assistantOnlyLoss: true, chatTemplate: marked }],
  [
    "what the assistant says, wrapped",
    conversations,
    { assistantOnlyLoss: true, chatTemplate: marked, packing: true, packingStrategy: "wrapped", maxLength: 30 },
  ],
  ["ids with masks, in pieces", sequences, { packing: true, packingStrategy: "bfd_split", maxLength: 16 }],
];

/** What threads do, without any. */
const inPlace: OpenWorkers = async (setup) => {
  const { tokenizer: parts, ...asked } = structuredClone(setup);
  const tokenize = batchTokenizer({ ...asked, tokenizer: parts }, Tokenizer.fromParts(parts as TokenizerParts));
  return { size: 2, tokenize: async (batch) => structuredClone(tokenize(structuredClone(batch))), dispose: () => {} };
};

/** All that comes of preparing for SFT, but where it is kept. */
async function preparedSft(dataset: Dataset, options: PrepareSftOptions): Promise<unknown> {
  const { rows: lazy, cache: _, ...rest } = await prepareSftDataset(dataset, { tokenizer, ...options });
  return { rows: [...lazy], ...rest };
}

/** All that comes of preparing, but where it is kept. */
async function prepared(dataset: Dataset, options: PrepareOptions): Promise<unknown> {
  const { rows: lazy, cache: _, ...rest } = await prepareKtoDataset(dataset, { tokenizer, maxLength: 60, ...options });
  return { rows: [...lazy], ...rest };
}

const isHit = async (dataset: Dataset, cache: TokenCache, options: PrepareOptions = {}): Promise<boolean> =>
  (await prepareKtoDataset(dataset, { tokenizer, cache, ...options })).cache!.isHit;

describe("tokens from the cache", () => {
  it("are those made afresh: rows, drops, notes, lengths, classes", async () => {
    const dataset = await load(rows);
    const fresh = await prepared(dataset, {});
    expect((fresh as { notes: unknown[] }).notes.length).toBeGreaterThan(3);
    expect((fresh as { dropped: unknown[] }).dropped.length).toBeGreaterThan(5);
    const cache = tokenFolder(newFolder());
    expect(await prepared(dataset, { cache }), "made").toEqual(fresh);
    expect(await isHit(dataset, cache)).toBe(true);
    expect(await prepared(dataset, { cache }), "read").toEqual(fresh);
    expect(await prepared(dataset, { cache, maxLength: 40 }), "of another length").toEqual(await prepared(dataset, { maxLength: 40 }));
  });

  it("are those made afresh for pairs too", async () => {
    const dataset = await load(pairs);
    const cache = tokenFolder(newFolder());
    const prepare = async (options: PrepareOptions): Promise<unknown> => {
      const { rows: lazy, cache: _, ...rest } = await preparePairDataset(dataset, { tokenizer, ...options });
      return { rows: [...lazy], ...rest };
    };
    const fresh = await prepare({});
    expect(fresh).toMatchObject({ numIdentical: 2 });
    expect(await prepare({ cache })).toEqual(fresh);
    expect(await prepare({ cache })).toEqual(fresh);
  });

  it("are those made afresh for parts of several layouts", async () => {
    const parts = [await load(rows.slice(0, 9)), await load(pairs)];
    const together = Dataset.concatenate(parts, { names: ["labels", "pairs"] });
    const cache = tokenFolder(newFolder());
    const fresh = await prepared(together, { maxLength: 100 });
    expect((fresh as { format: object }).format).toHaveProperty("parts");
    expect(await prepared(together, { maxLength: 100, cache })).toEqual(fresh);
    expect(await prepared(together, { maxLength: 100, cache, onProgress: () => expect.unreachable() })).toEqual(fresh);
  });

  it.each(sftCases)("are those made afresh for SFT too, and those of workers: %s", async (_what, given, options) => {
    const dataset = await load(given);
    const cache = tokenFolder(newFolder());
    const fresh = await preparedSft(dataset, options);
    expect((fresh as { rows: unknown[] }).rows.length).toBeGreaterThan(5);
    expect(await preparedSft(dataset, { ...options, workers: inPlace, cache }), "by workers").toEqual(fresh);
    expect(await preparedSft(dataset, { ...options, cache, onProgress: () => expect.unreachable() }), "read").toEqual(fresh);
    const shorter = { ...options, maxLength: 24 };
    expect(await preparedSft(dataset, { ...shorter, cache }), "of another length").toEqual(await preparedSft(dataset, shorter));
  });

  it("are not taken for SFT that scores something else or reads another column", async () => {
    const dataset = await load(texts.map((row) => ({ ...row, prompt: "Q", completion: " A" })));
    const cache = tokenFolder(newFolder());
    const isSftHit = async (options: PrepareSftOptions): Promise<boolean> =>
      (await prepareSftDataset(dataset, { tokenizer, cache, ...options })).cache!.isHit;
    expect(await isSftHit({})).toBe(false);
    for (const options of [
      { completionOnlyLoss: false },
      { datasetTextField: "body" },
      { eosToken: "<|im_end|>" },
      { completionOnlyLoss: true },
    ]) {
      expect(await isSftHit(options), JSON.stringify(options)).toBe(false);
      expect(await isSftHit(options)).toBe(true);
    }
    expect(await isSftHit({ packing: true, shuffleDataset: true, maxLength: 9 })).toBe(true);
  });

  it("are not taken for other rows, templates or tokenizers, nor for rows that a program made", async () => {
    const dataset = await load(rows);
    const cache = tokenFolder(newFolder());
    expect(await isHit(dataset, cache)).toBe(false);
    expect(await isHit(dataset, cache)).toBe(true);
    expect(await isHit(await load(rows.slice(1)), cache)).toBe(false);
    expect(await isHit(dataset.take(70), cache)).toBe(false);
    const chatTemplate = "{% for m in messages %}{{ m.content }}{% endfor %}";
    expect(await isHit(dataset, cache, { chatTemplate })).toBe(false);
    expect(await isHit(dataset, cache, { tokenizer: tokenizer.withChatTemplate(chatTemplate) })).toBe(false);
    const made = await prepareKtoDataset(
      dataset.map((row) => row),
      { tokenizer, cache },
    );
    expect(made.cache).toBeUndefined();
    expect(await isHit(dataset, cache)).toBe(true);
  });

  it("remember that the stand-in template was rendered with", async () => {
    const dataset = await load(rows);
    const cache = tokenFolder(newFolder());
    const bare = (): Tokenizer => {
      const own = Tokenizer.fromParts(tokenizer.parts());
      own.chatTemplate = null;
      return own;
    };
    const [first, second] = [bare(), bare()];
    await prepareKtoDataset(dataset, { tokenizer: first, cache });
    await prepareKtoDataset(dataset, { tokenizer: second, cache });
    expect(second.files().get("chat_template.jinja")).toBe(first.files().get("chat_template.jinja"));
    expect(second.files().get("chat_template.jinja")).not.toBe(tokenizer.files().get("chat_template.jinja"));
  });
});

describe("a damaged entry", () => {
  it.each<[string, (bytes: Uint8Array) => Uint8Array]>([
    ["cut off", (bytes) => bytes.subarray(0, -1)],
    ["cut to a few bytes", (bytes) => bytes.subarray(0, 5)],
    ["empty", () => new Uint8Array(0)],
    ["with an id changed", (bytes) => changed(bytes, 10)],
    ["with its index changed", (bytes) => changed(bytes, bytes.length / 2)],
    ["with its facts changed", (bytes) => changed(bytes, bytes.length - 80)],
    ["with its sum changed", (bytes) => changed(bytes, bytes.length - 1)],
    ["longer", (bytes) => Uint8Array.of(...bytes, 0)],
  ])("%s is made again", async (_, damage) => {
    const dataset = await load(rows.slice(0, 20));
    const folder = newFolder();
    const cache = tokenFolder(folder);
    const fresh = await prepared(dataset, { cache });
    const [name] = readdirSync(folder);
    const whole = new Uint8Array(readFileSync(join(folder, name!)));
    writeFileSync(join(folder, name!), damage(whole));
    expect(await isHit(dataset, cache)).toBe(false);
    expect(await prepared(dataset, { cache })).toEqual(fresh);
    expect(new Uint8Array(readFileSync(join(folder, name!)))).toEqual(whole);
  });

  function changed(bytes: Uint8Array, at: number): Uint8Array {
    return bytes.map((byte, index) => (index === Math.floor(at) ? byte ^ 1 : byte));
  }
});

describe("the folder of the cache", () => {
  it("holds whole entries and nothing else, also after an error and where one was killed", async () => {
    const folder = newFolder();
    mkdirSync(folder);
    writeFileSync(join(folder, `abc.${hostname()}.999999999.12345678.tmp`), "half");
    writeFileSync(join(folder, `abc.${hostname()}.${process.pid}.12345678.tmp`), "another's, at work");
    const cache = tokenFolder(folder);
    const wrong = await load([...rows.slice(0, 3), { ...rows[3], tools: "no list" }]);
    await expect(prepareKtoDataset(wrong, { tokenizer, cache })).rejects.toThrow();
    await isHit(await load(rows.slice(0, 5)), cache);
    expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([`abc.${hostname()}.${process.pid}.12345678.tmp`]);
    expect(readdirSync(folder).filter((name) => name.endsWith(".tokens"))).toHaveLength(1);
  });

  it("is that of the environment", () => {
    expect(tokenCacheFolder({ HOME: "/h" })).toBe("/h/.cache/kto/tokens");
    expect(tokenCacheFolder({ HOME: "/h", XDG_CACHE_HOME: "/x" })).toBe("/x/kto/tokens");
    expect(tokenCacheFolder({ HOME: "/h", XDG_CACHE_HOME: "/x", KTO_CACHE: "~/k" })).toBe("/h/k/tokens");
  });

  it("that cannot be one is told of, and done without", async () => {
    const file = join(root, "a-file");
    writeFileSync(file, "");
    const notes: string[] = [];
    const cache = tokenFolder(join(file, "tokens"), { onNote: (note) => notes.push(note) });
    expect((await prepareKtoDataset(await load(rows.slice(0, 5)), { tokenizer, cache })).cache).toBeUndefined();
    expect(notes).toEqual([expect.stringMatching(/^tokens are not cached: .*a-file\/tokens cannot be written to \(ENOTDIR\); KTO_CACHE/)]);
  });
});

describe("worker threads", () => {
  it("make of rows what one thread makes, with the same notes", async () => {
    const dataset = await load(rows);
    const [notes, ofWorkers] = [new DataNotes(), new DataNotes()];
    const fresh = await prepared(dataset, { notes });
    expect(await prepared(dataset, { notes: ofWorkers, workers: tokenizeWorkers(2) })).toEqual(fresh);
    expect(ofWorkers.list()).toEqual(notes.list());
    const options = { assistantOnlyLoss: true, chatTemplate: marked };
    const chats = await load(conversations);
    expect(await preparedSft(chats, { ...options, workers: tokenizeWorkers(1) }), "for SFT").toEqual(await preparedSft(chats, options));
  });

  it("tell what is wrong as one thread does", async () => {
    const wrong = rows.map((row, index) => (index % 40 === 39 ? { ...row, tools: "no list" } : row));
    const dataset = await load(wrong);
    const errorOf = (options: PrepareOptions): Promise<unknown> => prepared(dataset, options).catch((error: unknown) => error);
    const [alone, together] = [await errorOf({}), await errorOf({ workers: inPlace })];
    expect((together as Error).message).toBe((alone as Error).message);
    expect((alone as Error).message).toMatch(/"tools" is not a list.*rows 39, 79/);
  });

  it("that cannot start or end too soon are an error", async () => {
    const dataset = await load(rows.slice(0, 5));
    const broken = { ...tokenizer.parts(), files: { tokenizerJson: "{}" } };
    const own = Object.assign(Object.create(tokenizer) as Tokenizer, { parts: () => broken });
    await expect(prepareKtoDataset(dataset, { tokenizer: own, workers: tokenizeWorkers(1) })).rejects.toThrow(
      /tokenize: a worker thread failed; got .*; free memory, or lower datasetNumProc/,
    );
  });
});
