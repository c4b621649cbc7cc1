import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import type { AxeResults } from "axe-core";
import type { Page } from "playwright-core";

/**
 * What axe-core finds serious or critical on a page as it stands, one line a rule with the elements that break it. `screenshot` is where a picture of it is kept, for
 * people to look at; `within` a selector of the part that is looked at.
 */
export async function seriousFaults(page: Page, screenshot?: string, within?: string): Promise<string[]> {
  if (!(await page.evaluate(() => "axe" in globalThis)))
    await page.evaluate(await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8"));
  const { violations } = await page.evaluate(
    (root) =>
      (globalThis as unknown as { axe: { run(root: unknown, options: object): Promise<AxeResults> } }).axe.run(root ?? document, {
        resultTypes: ["violations"],
      }),
    within,
  );
  if (screenshot !== undefined) {
    await mkdir(dirname(screenshot), { recursive: true });
    await page.screenshot({ path: screenshot });
  }
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(" ")}`);
}
