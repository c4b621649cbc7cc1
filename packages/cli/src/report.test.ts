import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { kto, temporaryFolder } from "./testing/run-kto.js";

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
  for (const [name, rate] of [["first", "1.e-6"], ["second", "2.e-5"]] as const) writeRun(name, rate); // prettier-ignore
});
afterEach(() => folder[Symbol.dispose]());

function writeRun(name: string, learningRate: string): void {
  mkdirSync(folder.file("runs", name), { recursive: true });
  writeFileSync(folder.file("runs", name, "metrics.jsonl"), '{"step": 1, "loss": 0.5}\n{"step": 2, "loss": 0.4}\n');
  writeFileSync(folder.file("runs", name, "resolved_config.yaml"), `learning_rate: ${learningRate}\nbeta: 0.1\nmodel_name_or_path: tiny\n`);
}

interface Page {
  runs: { name: string; config: { name: string; isDefault?: boolean }[]; series: { name: string; values: number[] }[] }[];
}

const pageOf = (path: string): Page => JSON.parse(/id="report">(.*?)<\/script>/s.exec(readFileSync(path, "utf8"))![1]!) as Page;

/** What was said, however its lines were broken. */
const unwrapped = (text: string): string => text.replaceAll(/\s+/g, " ");

describe("kto report", () => {
  it("writes report.html into the folder of a run, and says where", async () => {
    const run = folder.file("runs", "first");
    const { status, stdout, stderr } = await kto(["report", run]);
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: `${run}/report.html\n`, stderr: "" });
    const [page] = pageOf(`${run}/report.html`).runs;
    expect(page).toMatchObject({ name: "first", series: [{ name: "loss", values: [0.5, 0.4] }] });
    expect(page!.config.map(({ name, isDefault }) => [name, isDefault])).toEqual([
      ["learning_rate", true],
      ["beta", true],
      ["model_name_or_path", undefined],
    ]);
  });

  it("compares several, to a file of one's own; --json is its path", async () => {
    const out = folder.file("both.html");
    const { status, stdout } = await kto(["report", folder.file("runs", "first"), folder.file("runs", "second"), "--out", out, "--json"]);
    expect({ status, json: JSON.parse(stdout) as unknown }).toEqual({ status: 0, json: { path: resolve(out) } });
    const { runs } = pageOf(out);
    expect(runs.map(({ name }) => name)).toEqual(["first", "second"]);
    expect(runs[1]!.config[0]).toMatchObject({ name: "learning_rate", isDefault: false });
  });

  it("tells of what could not be read, and shows the rest", async () => {
    const run = folder.file("runs", "first");
    writeFileSync(`${run}/metrics.jsonl`, '{"step": 1, "loss": NaN}\n{"step": 2, "lo');
    const { status, stderr } = await kto(["report", run]);
    expect(status).toBe(0);
    expect(unwrapped(stderr)).toContain("metrics.jsonl: the last line is cut off and was left out");
    expect(pageOf(`${run}/report.html`).runs[0]!.series).toEqual([{ name: "loss", steps: 0, values: [null] }]);
  });

  it.each([
    ["no folder", [], "report: no run is named; expected one folder or more, got none"],
    [
      "a folder that is not there",
      ["nowhere"],
      'report: "nowhere" is no folder; expected the output_dir of a run, got nothing of that name',
    ],
    [
      "a folder of runs",
      ["RUNS"],
      "the folder holds runs and is none itself; expected a folder with metrics.jsonl or resolved_config.yaml, got one with first, second in it",
    ],
    ["a folder that is no run", ["RUNS/.."], "the folder holds no run"],
    ["a flag that there is not", ["RUNS/first", "--output", "x"], "--output: there is no such field"],
  ])("refuses %s", async (_, argv, message) => {
    const given = argv.map((word) => word.replace("RUNS", folder.file("runs")));
    const { status, stdout, stderr } = await kto(["report", ...given]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(unwrapped(stderr)).toContain(message);
    expect(existsSync(folder.file("runs", "report.html"))).toBe(false);
  });
});
