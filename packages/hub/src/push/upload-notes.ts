import { createHash } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

/** An upload in parts that has begun: where its parts go, and which have arrived. */
export interface BegunUpload {
  /** Address that joins the parts. */
  href: string;
  /** Address of each part, as the hub gave them. */
  urls: readonly string[];
  chunkSize: number;
  /** `ETag` of each part that arrived; empty for the others. */
  etags: string[];
  /** When it was begun, in milliseconds since 1970. */
  begunMs: number;
}

/** Storages let unfinished uploads lie for a day; after that the addresses are worth no attempt. */
const MAX_AGE_MS = 24 * 3600_000;

/**
 * What this machine knows of an upload in parts, so that the process after one that was killed sends only the missing parts. A file that only its owner
 * may read, since its addresses permit to write those parts. A cache that cannot be written does without.
 */
export class UploadNotes {
  readonly #path: string;
  #writing: Promise<void> = Promise.resolve();

  constructor(cacheDir: string, repository: string, sha256: string) {
    const name = createHash("sha256").update(repository).digest("hex").slice(0, 16);
    this.#path = join(cacheDir, ".locks", "kto-uploads", `${name}-${sha256}.json`); // Python's tools pass over .locks
  }

  /** An upload that was begun for a file of this size and may still be gone on with. */
  async read(size: number): Promise<BegunUpload | undefined> {
    try {
      const begun = JSON.parse(await readFile(this.#path, "utf8")) as BegunUpload;
      const isWhole =
        typeof begun.href === "string" &&
        begun.urls.length === Math.ceil(size / begun.chunkSize) &&
        begun.etags.length === begun.urls.length &&
        [...begun.urls, ...begun.etags].every((text) => typeof text === "string");
      return isWhole && Date.now() - begun.begunMs < MAX_AGE_MS ? begun : undefined;
    } catch {
      return undefined; // none, or nonsense
    }
  }

  async write(begun: BegunUpload): Promise<void> {
    const text = JSON.stringify(begun);
    const write = this.#writing.then(async () => {
      const temporary = `${this.#path}.${process.pid}.tmp`;
      try {
        await mkdir(dirname(this.#path), { recursive: true });
        await writeFile(temporary, text, { mode: 0o600 });
        await rename(temporary, this.#path);
      } catch {
        await rm(temporary, { force: true }).catch(() => {}); // without notes a killed push begins the file anew
      }
    });
    this.#writing = write;
    await write;
  }

  async remove(): Promise<void> {
    await this.#writing;
    await rm(this.#path, { force: true }).catch(() => {});
  }
}
