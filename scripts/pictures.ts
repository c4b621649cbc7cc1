// `npm run pictures`: the README's pictures, each of them of what it shows: the demo's own output, and the page that its run left.
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { openBrowser, watchErrors } from "@kto/testing/browser";
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

mkdirSync(folder, { recursive: true });
await pictureDemo(await runDemo());
await pictureReport(join(ROOT, "examples", "quickstart", "out", "report.html"));

/** Everything that the demo prints in a terminal, escape codes and all; it is seen here too. */
async function runDemo(): Promise<string> {
  const demo = [process.execPath, "--conditions=@kto/source", "--import=tsx", "examples/quickstart/src/demo.ts"];
  const [command, ...args] = inTerminal(demo, { columns, rows: 50 });
  const { NO_COLOR: _, ...env } = process.env;
  const child = spawn(command!, args, { cwd: ROOT, env: { ...env, TERM: "xterm-256color" }, stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    process.stdout.write(text);
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
  const browser = await openBrowser();
  try {
    for (const colorScheme of ["light", "dark"] as const) {
      const page = await browser.newPage({ viewport: { width: 1200, height: 900 }, colorScheme });
      const said = watchErrors(page);
      await page.goto(pathToFileURL(file).href);
      await page.locator(".u-over").first().waitFor();
      keep(`report-${colorScheme}.png`, await page.screenshot());
      if (said.length > 0) throw new Error(`pictures: the report complains; expected nothing in the console, got ${said.join("; ")}`);
      await page.close();
    }
  } finally {
    await browser.close();
  }
}

/** Writes a picture. Throws for one that is too large. */
function keep(name: string, picture: string | Uint8Array): void {
  const bytes = Buffer.byteLength(picture);
  if (bytes > maxBytes)
    throw new Error(`pictures: ${name} is too large; expected at most ${maxBytes} bytes, got ${bytes}; show less of it`);
  writeFileSync(join(folder, name), picture);
  process.stdout.write(`${join("docs", "pictures", name)}: ${bytes} bytes\n`);
}
