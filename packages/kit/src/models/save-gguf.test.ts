import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bytesSource, memoryStore, readExactly, type Store } from "@kto/core";
import { openGguf } from "@kto/gguf-export";
import { fixturePath } from "@kto/testing/workspace";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openAdapter, openModel } from "./open-model.js";
import { savePretrainedGguf } from "./save-gguf.js";

let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), "kto-save-gguf-"))));
afterAll(() => rmSync(folder, { recursive: true }));

const bytesOf = async (store: Store, path: string): Promise<Uint8Array> => {
  const source = (await store.open(path))!;
  return readExactly(source, 0, source.byteLength);
};

it("writes a model into a folder by its path, one kind or several, with a Modelfile", async () => {
  const model = await openModel(fixturePath("model"));
  const place = join(folder, "one");
  const { files, base } = await savePretrainedGguf(model, place);
  expect({ files, base }).toEqual({ files: [{ path: expect.stringMatching(/^\w.*-Q4_K_M\.gguf$/), type: "Q4_K_M", bytes: expect.any(Number), bpw: expect.any(Number) }], base: "plain" }); // prettier-ignore
  expect(readdirSync(place).sort()).toEqual([files[0]!.path, "Modelfile"].sort());
  expect(readFileSync(join(place, "Modelfile"), "utf8")).toContain(`FROM ./${files[0]!.path}\n`);
  expect((await openGguf(bytesSource(readFileSync(join(place, files[0]!.path))))).metadata.get("general.file_type")?.value).toBe(15);

  const store = memoryStore();
  const several = await savePretrainedGguf(model, store, { types: ["Q4_K_M", "F16"] });
  expect(several.files.map(({ path }) => path.includes("/"))).toEqual([false, false]);
  expect(await bytesOf(store, several.files[0]!.path)).toEqual(new Uint8Array(readFileSync(join(place, files[0]!.path))));
});

it("merges an adapter on the way, dequantises, and leaves what is there", async () => {
  const model = await openModel(fixturePath("model"));
  const adapter = await openAdapter(fixturePath("lora", "main"));
  const [plain, merged] = [memoryStore(), memoryStore()];
  const [file] = (await savePretrainedGguf(model, plain, { types: ["F32"] })).files;
  await savePretrainedGguf(model, merged, { types: ["F32"], adapter });
  const query = async (store: Store): Promise<Uint8Array> =>
    (await openGguf(bytesSource(await bytesOf(store, file!.path)))).read("blk.0.attn_q.weight");
  expect(await query(merged)).not.toEqual(await query(plain));

  await expect(savePretrainedGguf(model, merged, { types: ["F32"] })).rejects.toThrow("is there already");
  const notes: string[] = [];
  await savePretrainedGguf(model, merged, { types: ["F32"], overwrite: true, onNote: (note) => notes.push(note) });
  expect(await query(merged)).toEqual(await query(plain));
  expect(notes).toEqual([expect.stringMatching(/\/Modelfile is there already, and stays as it is$/)]);
});
