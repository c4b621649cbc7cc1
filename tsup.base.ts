import { defineConfig, type Options } from "tsup";

/** One library build for all packages: ESM for Node 20 and browsers, `using` lowered, readable and without source maps, declarations left to tsc. */
export function libraryBuild(entry: string[]): Options | Options[] {
  return defineConfig({
    entry: Object.fromEntries(entry.map((file) => [file.replace(/^src\//, "").replace(/\.ts$/, ""), file])),
    format: "esm",
    target: "node20",
    platform: "neutral",
    dts: false,
    clean: true,
    sourcemap: false,
    splitting: true,
    external: ["#platform", /^node:/],
  }) as Options;
}
