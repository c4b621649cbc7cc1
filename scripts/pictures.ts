// `npm run pictures`: the README's pictures, each of them of what it shows: the demo's own output, its page while it runs, and the page that its run leaves.
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { openBrowser, type Page, watchErrors } from "@kto/testing/browser";
import { inTerminal } from "../packages/cli/src/testing/pseudo-terminal.js";
import { ROOT } from "../packages/testing/src/structure/workspace.js";
import { type Palette, terminalSvg } from "./pictures/terminal-svg.js";

const folder = join(ROOT, "docs", "pictures");
/** More is too much for a page that one looks at for a moment. */
const maxBytes = 200_000;
const columns = 88;

/** Numbers of colours as programs use them: red to white, plain and bright. */
const palettes: Readonly<Record<"light" | "dark", Palette>> = {
  light: { background: "#f6f8fa", text: "#1f2328", colors: { 1: "#cf222e", 2: "#116329", 3: "#9a6700", 4: "#0969da", 5: "#8250df", 6: "#1b7c83" } }, // prettier-ignore
  dark: { background: "#0d1117", text: "#e6edf3", colors: { 1: "#ff7b72", 2: "#3fb950", 3: "#d29922", 4: "#58a6ff", 5: "#bc8cff", 6: "#39c5cf" } }, // prettier-ignore
};

/** The update from which on the live page is looked at: half of the demo's. */
const liveFrom = 64;

mkdirSync(folder, { recursive: true });
const browser = await openBrowser();
try {
  let live: Promise<void> | undefined;
  const output = await runDemo((address) => {
    live ??= pictureLive(address);
    live.catch(() => {}); // it is waited for when the demo is done
  });
  if (!live) throw new Error("pictures: the demo said no address of its page; expected one, got none; see what it printed");
  await live;
  await pictureDemo(output);
  await pictureReport(join(ROOT, "examples", "quickstart", "out", "report.html"));
} finally {
  await browser.close();
}

/** Everything that the demo prints in a terminal, escape codes and all; it is seen here too. The address of its page is told as soon as it is there. */
async function runDemo(onAddress: (address: string) => void): Promise<string> {
  const demo = [process.execPath, "--conditions=@kto/source", "--import=tsx", "examples/quickstart/src/demo.ts", "--ui=0"];
  const [command, ...args] = inTerminal(demo, { columns, rows: 50 });
  const { NO_COLOR: _, ...env } = process.env;
  const child = spawn(command!, args, { cwd: ROOT, env: { ...env, TERM: "xterm-256color" }, stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    process.stdout.write(text);
    const address = /the run is shown at\s+(http[^\s\u001b]+)\s/.exec(output)?.[1];
    if (address !== undefined) onAddress(address);
  });
  const status = await new Promise<number | null>((resolve) => void child.on("close", resolve));
  if (status !== 0) throw new Error(`pictures: the demo failed; expected exit status 0, got ${status}; see what it printed`);
  return output;
}

/** From the curves of the run to the sums before and after. */
async function pictureDemo(output: string): Promise<void> {
  for (const [theme, palette] of Object.entries(palettes)) {
    const title = "The end of the demo in a terminal: loss and margin as curves, and sums before and after";
    keep(`demo-${theme}.svg`, await terminalSvg(output, { columns, from: /^loss .*→/, until: /^data {2,}/, palette, title }));
  }
}

async function pictureReport(file: string): Promise<void> {
  await picturePage("report", pathToFileURL(file).href, (page) => page.locator(".u-over").first().waitFor());
}

/** The page of the run when half of it is done. */
async function pictureLive(address: string): Promise<void> {
  await picturePage("live", address, async (page) => {
    await page.waitForFunction(
      (from) => Number(/^update (\d+)/.exec(document.querySelector(".run .values")?.textContent ?? "")?.[1]) >= from,
      liveFrom,
      { timeout: 600_000 },
    );
  });
}

/** A page in light and in dark, once it is as it is wanted. Throws for one that complains. */
async function picturePage(name: string, address: string, wanted: (page: Page) => Promise<void>): Promise<void> {
  const page = await browser.newPage({ viewport: { width: 1200, height: 900 } });
  const said = watchErrors(page);
  await page.goto(address);
  await wanted(page);
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    keep(`${name}-${colorScheme}.png`, await page.screenshot());
  }
  await page.close();
  if (said.length > 0) throw new Error(`pictures: the page of ${name} complains; expected nothing in the console, got ${said.join("; ")}`);
}

/** Writes a picture. Throws for one that is too large. */
function keep(name: string, picture: string | Uint8Array): void {
  const bytes = Buffer.byteLength(picture);
  if (bytes > maxBytes)
    throw new Error(`pictures: ${name} is too large; expected at most ${maxBytes} bytes, got ${bytes}; show less of it`);
  writeFileSync(join(folder, name), picture);
  process.stdout.write(`${join("docs", "pictures", name)}: ${bytes} bytes\n`);
}
