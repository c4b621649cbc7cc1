import { mkdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";

/** Variables that `@sparticuz/chromium` reads, and changes, while it unpacks. */
const variables = ["TMPDIR", "AWS_EXECUTION_ENV", "LD_LIBRARY_PATH", "FONTCONFIG_PATH", "HOME"];

/**
 * A headless Chromium that npm brings (`@sparticuz/chromium`), with WebGPU on its software adapter and with its own libraries and fonts: nothing of the machine's is
 * needed. The caller closes it.
 */
export async function openBrowser(): Promise<Browser> {
  const folder = join(tmpdir(), "kto-chromium");
  await mkdir(folder, { recursive: true });
  const executablePath = await unpacked(folder);
  const fonts = join(folder, "fonts.conf"); // the package's own names a folder that is not there, and pages would show no text
  await writeFile(fonts, `<fontconfig><dir>${join(folder, "fonts")}</dir><cachedir>${join(folder, "cache")}</cachedir></fontconfig>`);
  const { chromium } = await import("playwright-core"); // it changes globals when it is loaded
  return chromium.launch({
    executablePath,
    env: {
      ...process.env,
      LANG: "en_US.UTF-8",
      LC_ALL: "en_US.UTF-8",
      FONTCONFIG_FILE: fonts,
      LD_LIBRARY_PATH: join(folder, "al2023", "lib"),
    },
    args: ["--no-sandbox", "--enable-unsafe-webgpu"],
  });
}

/** Path of the browser, unpacked into a folder unless it lies there, with the libraries that the package brings where it believes to be on Amazon's Linux. */
async function unpacked(folder: string): Promise<string> {
  const before = variables.map((name) => [name, process.env[name]] as const);
  process.env["TMPDIR"] = folder;
  process.env["AWS_EXECUTION_ENV"] = "AWS_Lambda_nodejs20.x";
  try {
    const { default: chromium } = await import("@sparticuz/chromium");
    return await chromium.executablePath();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

/** What a page says from now on: errors of its scripts, and messages of the console that are errors or warnings. */
export function watchErrors(page: Page): string[] {
  const said: string[] = [];
  page.on("pageerror", (error) => said.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") said.push(message.text());
  });
  return said;
}
