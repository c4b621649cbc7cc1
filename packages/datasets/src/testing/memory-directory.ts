import type { ByteSource, ListedDirectory } from "@kto/core";

/** A directory in memory that remembers what was opened, how many bytes of it were read, and what was given back. */
export function memoryDirectory(files: Record<string, string | Uint8Array>): ListedDirectory & {
  opened: string[];
  bytesRead: Record<string, number>;
  numOpen(): number;
} {
  const contents = new Map(
    Object.entries(files).map(([path, text]) => [path, typeof text === "string" ? new TextEncoder().encode(text) : text]),
  );
  const opened: string[] = [];
  const bytesRead: Record<string, number> = {};
  let numOpen = 0;
  const sourceOf = (path: string, bytes: Uint8Array): ByteSource & { dispose(): void } => ({
    byteLength: bytes.byteLength,
    async slice(start, end) {
      bytesRead[path] = (bytesRead[path] ?? 0) + end - start;
      return bytes.slice(start, end);
    },
    dispose: () => void numOpen--,
  });
  return {
    name: "owner/name",
    opened,
    bytesRead,
    numOpen: () => numOpen,
    list: async () => Array.from(contents, ([path, { byteLength: size }]) => ({ path, size })),
    async open(path) {
      const bytes = contents.get(path);
      if (!bytes) return undefined;
      opened.push(path);
      numOpen++;
      return sourceOf(path, bytes);
    },
  };
}
