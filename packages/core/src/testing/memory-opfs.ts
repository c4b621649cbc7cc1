/** A browser's private file system in memory, with the parts that `opfsStore` uses: what is written is there when the stream is closed. */
export class MemoryFolder {
  readonly kind = "directory";
  readonly #entries = new Map<string, MemoryFolder | MemoryFile>();

  constructor(
    readonly name: string,
    /** Bytes that may still be written; then `QuotaExceededError`. */
    readonly quota: { left: number } = { left: Infinity },
  ) {}

  /** As the browser's type. */
  get handle(): FileSystemDirectoryHandle {
    return this as unknown as FileSystemDirectoryHandle;
  }

  async getDirectoryHandle(name: string, options: { create?: boolean } = {}): Promise<MemoryFolder> {
    return this.#entry(name, options.create === true, MemoryFolder, () => new MemoryFolder(name, this.quota));
  }

  async getFileHandle(name: string, options: { create?: boolean } = {}): Promise<MemoryFile> {
    return this.#entry(name, options.create === true, MemoryFile, () => new MemoryFile(name, this.quota, this));
  }

  async removeEntry(name: string): Promise<void> {
    if (!this.#entries.delete(name)) throw new DOMException("no entry", "NotFoundError");
  }

  async *entries(): AsyncGenerator<[string, MemoryFolder | MemoryFile]> {
    yield* Array.from(this.#entries); // as it is now: entries may go while they are walked
  }

  async *values(): AsyncGenerator<MemoryFolder | MemoryFile> {
    yield* Array.from(this.#entries.values());
  }

  put(file: MemoryFile, name: string): void {
    this.#entries.set(name, file);
  }

  #entry<T extends MemoryFolder | MemoryFile>(name: string, create: boolean, kind: new (...args: never[]) => T, make: () => T): T {
    const found = this.#entries.get(name);
    if (found instanceof kind) return found;
    if (found) throw new DOMException("another kind", "TypeMismatchError");
    if (!create) throw new DOMException("no entry", "NotFoundError");
    const made = make();
    this.#entries.set(name, made);
    return made;
  }
}

class MemoryFile {
  readonly kind = "file";
  #content = new Blob([]);

  constructor(
    public name: string,
    readonly quota: { left: number },
    private parent: MemoryFolder,
  ) {}

  async getFile(): Promise<Blob> {
    return this.#content;
  }

  async move(folder: MemoryFolder, name: string): Promise<void> {
    await this.parent.removeEntry(this.name);
    folder.put(this, name);
    this.name = name;
    this.parent = folder;
  }

  async createWritable({ keepExistingData }: { keepExistingData: boolean }): Promise<object> {
    let content = keepExistingData ? this.#content : new Blob([]);
    let at = 0;
    return {
      seek: async (position: number) => void (at = position),
      write: async (data: Uint8Array<ArrayBuffer> | Blob) => {
        const piece = new Blob([data]);
        this.quota.left -= piece.size;
        if (this.quota.left < 0) throw new DOMException("full", "QuotaExceededError");
        content = new Blob([content.slice(0, at), piece]);
        at += piece.size;
      },
      close: async () => void (this.#content = content),
      abort: async () => {},
    };
  }
}
