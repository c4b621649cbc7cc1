import type siteConfig from "../site/config.js";

// Asked for by its address, so that Vite does not bundle it: from a fresh clone its imports are there as sources alone, which Vite's bundler of configs cannot resolve.
const { default: config } = (await import(new URL("../site/config.ts", import.meta.url).href)) as { default: typeof siteConfig };

export default config;
