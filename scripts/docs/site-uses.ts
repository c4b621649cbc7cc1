import { watchErrors, type Browser } from "@kto/testing/browser";

/** The search finds a page by its words with the keyboard alone, without a request to anywhere else. */
export async function searchFaults(browser: Browser, url: string): Promise<string[]> {
  const page = await browser.newPage();
  const said = watchErrors(page);
  await page.goto(url, { waitUntil: "load" });
  await page.waitForFunction(() => "__vue_app__" in document.querySelector("#app")!);
  await page.keyboard.press("Control+k");
  await page.waitForSelector(".VPLocalSearchBox input");
  await page.keyboard.type("NON_FINITE_LOSS");
  await page.waitForSelector(".VPLocalSearchBox .result");
  await page.keyboard.press("Enter");
  await page.waitForURL(/NON_FINITE_LOSS/i, { timeout: 10_000 });
  return said.map((message) => `search: it says ${message}`);
}

/** The memory calculator plans in its worker, plans anew when a field is changed, and says what is wrong with one. */
export async function calculatorFaults(browser: Browser, url: string): Promise<string[]> {
  const page = await browser.newPage();
  const said = watchErrors(page);
  await page.goto(`${url}start/memory.html`, { waitUntil: "load" });
  const bytes = async (): Promise<number> => Number(await page.getAttribute("[data-planned-bytes]", "data-bytes"));
  const first = await bytes();
  await page.getByLabel("Batch, rows").fill("0");
  await page.getByText("the batch is not a whole number above 0").waitFor();
  await page.getByLabel("Batch, rows").fill("2");
  await page.getByLabel("Model held in").selectOption("16-bit");
  await page.waitForFunction(
    (before) => Number(document.querySelector<HTMLElement>("[data-planned-bytes]")?.dataset["bytes"]) > before,
    first,
  );
  const faults = first > 2 ** 30 && first < 2 ** 32 ? [] : [`it plans ${first} bytes to begin with`];
  return [...faults, ...said.map((message) => `it says ${message}`)].map((fault) => `memory calculator: ${fault}`);
}
