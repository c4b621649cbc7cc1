import { expect, it } from "vitest";
import { expandHome } from "../expand-home.js";
import { memoryStore } from "../store/memory-store.js";
import { readText } from "./read-text.js";

it("reads a file as text and gives it back; a missing one is undefined; one that gives other bytes is an error", async () => {
  const store = memoryStore();
  await store.write("a/b.txt", "ü");
  expect(await readText(store, "a/b.txt")).toBe("ü");
  expect(await readText(store, "none")).toBeUndefined();
  let disposed = 0;
  const short = {
    name: "short",
    open: async () => ({ byteLength: 3, slice: async () => new Uint8Array(2), dispose: () => void disposed++ }),
  };
  await expect(readText(short, "x")).rejects.toThrow(/another number of bytes; expected 3, got 2/);
  expect(disposed).toBe(1);
});

it("~ at the beginning of a path is the home folder", () => {
  const paths = ["~", "~/m", "~m", "a/~", "/~"];
  expect(paths.map((path) => expandHome(path, "/h$&"))).toEqual(["/h$&", "/h$&/m", "~m", "a/~", "/~"]);
});
