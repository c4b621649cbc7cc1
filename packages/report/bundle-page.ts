import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { build, transform } from "esbuild";

// Bundles the script and the style of the page, uPlot among them, as text into src/page-source.ts: `npm run page`. The text is committed, so that tests and
// editors need no build; a test makes it again and compares.

const folder = fileURLToPath(new URL(".", import.meta.url));
const TARGET = `${folder}src/page-source.ts`;

async function bundleScript(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [`${folder}page/main.ts`],
    bundle: true,
    minify: true,
    charset: "utf8",
    format: "iife",
    target: "es2022",
    conditions: ["@kto/source"],
    legalComments: "inline",
    write: false,
  });
  return outputFiles[0]!.text.trim();
}

async function bundleStyle(): Promise<string> {
  const uplot = readFileSync(createRequire(import.meta.url).resolve("uplot/dist/uPlot.min.css"), "utf8");
  const { code } = await transform(`${uplot}\n${readFileSync(`${folder}page/page.css`, "utf8")}`, { loader: "css", minify: true });
  return code.trim();
}

/** The text of page-source.ts. */
export async function pageSource(): Promise<string> {
  const [script, style] = await Promise.all([bundleScript(), bundleStyle()]);
  if (/<\/(script|style)|<!--/i.test(script + style)) throw new Error("the page's script would end its own element");
  return `// Made of page/ by \`npm run page\`; not to be edited.

/** The script of the page, with uPlot (MIT, Leon Sorokin) in it. */
export const pageScript: string = ${JSON.stringify(script)};

/** Its style. */
export const pageStyle: string = ${JSON.stringify(style)};
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(TARGET, await pageSource());
