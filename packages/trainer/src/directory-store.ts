import { mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomic } from "@kto/core/node";
import { checkpointStep, type CheckpointStore } from "./checkpoint-store.js";

/** Checkpoints as folders inside `outputDir`. A folder is written beside its place and renamed when complete. */
export function directoryStore(outputDir: string): CheckpointStore {
  return {
    async save(name, files) {
      const target = join(outputDir, name);
      const partial = `${target}.partial`;
      await rm(partial, { recursive: true, force: true });
      try {
        await mkdir(partial, { recursive: true });
        for (const [file, bytes] of files) await writeFileAtomic(join(partial, file), async (sink) => sink.write(bytes));
        await rm(target, { recursive: true, force: true });
        await rename(partial, target);
      } catch (error) {
        await rm(partial, { recursive: true, force: true });
        throw error;
      }
      return target;
    },
    async read(name, file) {
      try {
        return new Uint8Array(await readFile(join(outputDir, name, file)));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
        throw error;
      }
    },
    async list() {
      try {
        const entries = await readdir(outputDir, { withFileTypes: true });
        return entries.filter((entry) => entry.isDirectory() && checkpointStep(entry.name) !== undefined).map(({ name }) => name);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
        throw error;
      }
    },
    remove: (name) => rm(join(outputDir, name), { recursive: true, force: true }),
  };
}
