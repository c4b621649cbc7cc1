import { expect, it } from "vitest";
import { fourBitSibling } from "./four-bit-sibling.js";
import { checkRevision, isRepoId, parseRepoId } from "./repo-id.js";

it("reads ids, with a revision after @", () => {
  expect(parseRepoId("Qwen/Qwen2-0.5B")).toEqual({ repo: "Qwen/Qwen2-0.5B" });
  expect(parseRepoId("gpt2")).toEqual({ repo: "gpt2" });
  expect(parseRepoId("owner/name@refs/pr/1")).toEqual({ repo: "owner/name", revision: "refs/pr/1" });
});

it.each([
  "",
  "/",
  "a/",
  "/a",
  "a/b/c",
  "./a",
  "../a",
  "a/..",
  "a--b/c",
  "a/b.git",
  "-a/b",
  "a/b-",
  "a b/c",
  "a/b@",
  "a/b@c@d",
  "a/b@../c",
  "a/b@c..d",
  "a\\b",
  "a/ü",
  `a/${"b".repeat(96)}`,
])("refuses %j", (text) => {
  expect(isRepoId(text)).toBe(false);
  expect(() => parseRepoId(text)).toThrow(/^parseRepoId: not the name of a repository; expected "owner\/name"/);
});

it("refuses revisions that an address or a folder could not hold", () => {
  for (const revision of ["main", "v1.0", "refs/pr/12", "a".repeat(40), "feature/x+y"])
    expect(checkRevision(revision, "a/b")).toBe(revision);
  for (const revision of ["", "..", "a/../b", "/a", "a/", "a//b", "a b", "a?b", "a#b", ".a", "a."]) {
    expect(() => checkRevision(revision, "a/b")).toThrow("not a revision of a/b");
  }
});

it("names the four-bit siblings of a 16-bit model, and none of one that is quantised", () => {
  expect(fourBitSibling("deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B")).toEqual([
    "unsloth/DeepSeek-R1-Distill-Qwen-1.5B-unsloth-bnb-4bit",
    "unsloth/DeepSeek-R1-Distill-Qwen-1.5B-bnb-4bit",
  ]);
  for (const repo of ["a/b-bnb-4bit", "a/b-GPTQ", "a/b-AWQ", "a/b-GGUF", "a/b-8bit"]) expect(fourBitSibling(repo)).toEqual([]);
});
