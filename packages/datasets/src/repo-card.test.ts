import { describe, expect, it } from "vitest";

import { findSplitFiles, parseYaml } from "./index.js";
import { memoryDirectory } from "./testing/memory-directory.js";

const withCard = (card: string, ...paths: string[]) =>
  memoryDirectory({ ...Object.fromEntries(paths.map((path) => [path, "x"])), "README.md": card });
const head = (yaml: string): string => `---\n${yaml}\n---\n# Data\n`;
const milliseconds = async (use: () => Promise<unknown>): Promise<number> => {
  const started = process.cpuUsage();
  await use();
  const { user, system } = process.cpuUsage(started);
  return (user + system) / 1000;
};

describe("a data card that means harm", () => {
  it.each<[string, string]>([
    ["80,000 keys", Array.from({ length: 80_000 }, (_, index) => `k${index}: ${index}`).join("\n")],
    ["100,000 anchors", Array.from({ length: 100_000 }, (_, index) => `- &a${index} x`).join("\n")],
    ["20,000 aliases of one list", `a: &a [x, y]\nb:\n${"- *a\n".repeat(20_000)}`],
    ["a pattern of 30 stars", `configs:\n- config_name: a\n  data_files: "${"*a".repeat(30)}"`],
    ["a pattern of 40 stars in a row", `configs:\n- config_name: a\n  data_files: "tr${"*".repeat(40)}"`],
    ["twelve double stars", `configs:\n- config_name: a\n  data_files: "${"**a".repeat(12)}"`],
    [
      "5,000 configurations of one list",
      `x: &x [${"a.csv, ".repeat(5000)}]\nconfigs:\n${Array.from({ length: 5000 }, (_, index) => `- {config_name: c${index}, data_files: *x}`).join("\n")}`,
    ],
  ])("takes a second at most: %s", async (_what, yaml) => {
    const directory = withCard(head(yaml), "train.csv", `tr${"a".repeat(2000)}b.csv`);
    const used = await milliseconds(() => findSplitFiles(directory, { config: "c1" }).catch(expectTyped));
    expect(used).toBeLessThan(2000); // a second, and one for a machine that is busy
  });

  it.each<[string, string, string]>([
    ["deep lists", "[".repeat(5000), "nesting exceeded"],
    ["a key twice", "a: 1\na: 2", "duplicated mapping key"],
    ["an alias of nothing", "a: *b", "b"],
    ["many patterns", `configs:\n- config_name: a\n  data_files: [${"'*.csv', ".repeat(1001)}]`, "at most 1000 patterns"],
    ["a pattern longer than any path", `configs:\n- config_name: a\n  data_files: "${"[".repeat(5000)}"`, "data_files"],
    ["a name that is none", "configs:\n- config_name: {}", "config_name"],
    ["a name twice", "configs:\n- config_name: a\n- config_name: a", "without repeated names"],
    ["a folder that is none", "configs:\n- config_name: a\n  data_dir: 3", "data_dir"],
    ["a default that is none", "configs:\n- config_name: a\n  default: [1]", "default"],
    ["splits as a mapping", "configs:\n- config_name: a\n  data_files:\n    train: a.csv", "data_files"],
    ["a path that is none", "configs:\n- config_name: a\n  data_files:\n  - {split: train, path: [[a]]}", "data_files"],
    ["a list of lists of itself", "configs:\n- config_name: a\n  data_files: &a [*a]", "data_files"],
  ])("is refused where it is malformed: %s", async (_what, yaml, message) => {
    await expect(findSplitFiles(withCard(head(yaml), "a.csv"))).rejects.toMatchObject({
      code: "FORMAT",
      source: "owner/name/README.md",
      message: expect.stringContaining(message),
    });
  });

  it("is refused where its head has no end within four MiB", async () => {
    await expect(findSplitFiles(withCard(`---\n${"a\n".repeat(2 ** 21 + 10)}`, "a.csv"))).rejects.toThrow("is too long");
    expect((await findSplitFiles(withCard(`---\n${"a\n".repeat(1000)}`, "a.csv"))).files).toHaveLength(1);
  });
});

describe("parseYaml", () => {
  it("reads YAML 1.2 with merge keys, nothing as undefined, and names the line", async () => {
    expect(await parseYaml("a: &a {x: 1}\nb: {<<: *a, y: on}", { name: "x.yaml" })).toEqual({ a: { x: 1 }, b: { x: 1, y: "on" } });
    expect(await parseYaml("# nothing\n\n", { name: "x.yaml" })).toBeUndefined();
    await expect(parseYaml("a: 1\nb: [", { name: "x.yaml", firstLine: 10 })).rejects.toMatchObject({
      code: "FORMAT",
      source: "x.yaml",
      line: expect.any(Number),
    });
  });
});

function expectTyped(error: unknown): void {
  expect(error).toMatchObject({ code: expect.stringMatching(/^(FORMAT|DATA_FILE)$/) });
}
