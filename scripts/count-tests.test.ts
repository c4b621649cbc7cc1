import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";

const script = fileURLToPath(new URL("count-tests.mjs", import.meta.url));
let workspace: string;
beforeEach(() => {
  workspace = mkdtempSync(join(tmpdir(), "kto-count-"));
  mkdirSync(join(workspace, "packages/a/src"), { recursive: true });
  for (const file of ["one.test.ts", "two.gpu.test.ts", "plain.ts"]) writeFileSync(join(workspace, "packages/a/src", file), "");
});
afterEach(() => rmSync(workspace, { recursive: true, force: true }));

/** Runs the script on a report with these statuses per test file; gives its one line of output and what it named. */
function count(results: Record<string, string[]> | undefined, exitStatus = 0): { line: string; named: string } {
  const testResults = Object.entries(results ?? {}).map(([file, statuses]) => ({
    name: join(workspace, "packages/a/src", file),
    assertionResults: statuses.map((status, i) => ({ status, fullName: `test ${i}` })),
  }));
  if (results) writeFileSync(join(workspace, "report.json"), JSON.stringify({ testResults }));
  const { stdout, stderr } = spawnSync(process.execPath, [script, "report.json", String(exitStatus)], { cwd: workspace, encoding: "utf8" });
  return { line: stdout.trim(), named: stderr };
}

it("sums what passed", () => {
  expect(count({ "one.test.ts": ["passed", "passed"], "two.gpu.test.ts": ["passed"] })).toEqual({ line: "3 0", named: "" });
});

it("counts a failed, a skipped and a todo test as failed", () => {
  const { line, named } = count({ "one.test.ts": ["passed", "failed", "skipped", "todo"], "two.gpu.test.ts": ["passed"] }, 1);
  expect(line).toBe("2 3");
  expect(named).toContain("packages/a/src/one.test.ts: test 2: skipped");
});

it("counts a GPU test file that did not run, and one in which no test ran", () => {
  expect(count({ "one.test.ts": ["passed"] }).named).toContain("packages/a/src/two.gpu.test.ts: did not run");
  expect(count({ "one.test.ts": ["passed"], "two.gpu.test.ts": [] }).line).toBe("1 1");
});

it("fails without a report, and when vitest failed though every test passed", () => {
  expect(count(undefined, 1).line).toBe("0 2");
  expect(count({ "one.test.ts": ["passed"], "two.gpu.test.ts": ["passed"] }, 1)).toMatchObject({ line: "2 1" });
});
