import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { entriesOf, type Package } from "./workspace.js";

/** The line of a README that states the size of its package. */
export const SIZE_LINE: RegExp = /^Size, minified and gzipped, without dependencies: .*$/m;

/** Bytes of each entry as a user's bundler would make it: minified and gzipped; what it depends on is not counted. */
export async function measureEntries(pack: Package): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for (const { path, browser } of entriesOf(pack)) {
    const source = (pack.manifest.exports![path] as Record<string, string>)["@kto/source"]!;
    const result = await build({
      entryPoints: [join(pack.folder, source)],
      bundle: true,
      write: false,
      minify: true,
      format: "esm",
      target: "es2022",
      platform: browser ? "browser" : "node",
      conditions: ["@kto/source"],
      plugins: [
        {
          name: "dependencies",
          setup: ({ onResolve }) =>
            onResolve({ filter: /^[^.#/]/ }, ({ kind }) => (kind === "entry-point" ? undefined : { external: true })),
        },
      ],
      logLevel: "silent",
    });
    sizes.set(path, gzipSync(result.outputFiles[0]!.contents).byteLength);
  }
  return sizes;
}

/** `Size, minified and gzipped, without dependencies: 12.3 kB; ./node 3.1 kB.` */
export function sizeLine(sizes: ReadonlyMap<string, number>): string {
  const parts = [...sizes].map(([path, bytes]) => `${path === "." ? "" : `\`${path}\` `}${(bytes / 1000).toFixed(1)} kB`);
  return `Size, minified and gzipped, without dependencies: ${parts.join(", ")}.`;
}

/** The bytes that a README states, in the order of the entries; empty where it states none. */
export function statedSizes(readme: string): number[] {
  const line = SIZE_LINE.exec(readme)?.[0] ?? "";
  return [...line.matchAll(/([\d.]+) kB/g)].map(([, kilobytes]) => Number(kilobytes) * 1000);
}
