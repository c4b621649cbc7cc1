import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { pageSource } from "../bundle-page.js";
import { pageData } from "./page-data.js";
import { pageScript, pageStyle } from "./page-source.js";
import { reportHtml } from "./report-html.js";
import { runOf } from "./testing/run-of.js";

const dataOf = (html: string): ReturnType<typeof pageData> =>
  JSON.parse(/<script type="application\/json" id="report">(.*?)<\/script>/s.exec(html)![1]!) as ReturnType<typeof pageData>;

describe("reportHtml", () => {
  it("holds the run's numbers with nine digits, integers with all", async () => {
    const run = runOf({ numSteps: 3, loss: (step) => step / 3 + 1e-12, more: { gpu_memory_bytes: 12_345_678_901 } });
    const [page] = dataOf(await reportHtml([run])).runs;
    const values = (name: string): readonly (number | null)[] => page!.series.find((series) => series.name === name)!.values;
    expect(values("loss")).toEqual([0.333333333, 0.666666667, 1]);
    expect(values("gpu_memory_bytes")).toEqual([12_345_678_901, 12_345_678_901, 12_345_678_901]);
    expect(page!.steps).toEqual([[1, 2, 3]]);
  });

  it("of 1,000 steps is smaller than 400 kB, and of 100,000 not much larger, with every extreme", async () => {
    const loss = (step: number): number => Math.fround(0.5 + 0.01 * Math.sin(step * 7.7));
    const small = await reportHtml([runOf({ numSteps: 1000, loss })]);
    expect(small.length).toBeLessThan(400_000);
    expect(dataOf(small).runs[0]!.series[0]!.values).toHaveLength(1000);
    const large = await reportHtml([runOf({ numSteps: 100_000, loss: (step) => (step === 54_321 ? 77 : loss(step)) })]);
    expect(large.length).toBeLessThan(2_000_000);
    expect(dataOf(large).runs[0]!.series[0]!.values).toContain(77);
  });

  it("keeps text as data, and lets no script run but its own", async () => {
    const evil = "</script><img src=x onerror=alert(1)><!--";
    const run = runOf({ numSteps: 1, name: evil, samples: [{ prompt: evil, after: evil }] });
    const html = await reportHtml([run]);
    expect(html.match(/<\/script>/g)).toHaveLength(2);
    expect(html).not.toContain("<img");
    expect(dataOf(html).runs[0]!.samples[0]!.after).toBe(evil);
    const hash = (text: string): string => createHash("sha256").update(text).digest("base64");
    expect(html).toContain(
      `content="default-src 'none'; script-src 'sha256-${hash(pageScript)}'; style-src 'sha256-${hash(pageStyle)}'; base-uri 'none'; form-action 'none'"`,
    );
  });

  it("shows fifty samples, and says how many more there are", () => {
    const samples = Array.from({ length: 53 }, (_, index) => ({ prompt: String(index) }));
    const [page] = pageData([runOf({ numSteps: 1, samples })]).runs;
    expect([page!.samples.length, page!.problems]).toEqual([50, ["samples.jsonl: 3 more samples are not shown"]]);
  });
});

it("page-source.ts is what `npm run page` makes of page/", async () => {
  expect(readFileSync(new URL("page-source.ts", import.meta.url), "utf8")).toBe(await pageSource());
});
