import type * as kernels from "../site/kernels.js";

// A page per kernel with its printed WGSL, which the catalogue leads to. Asked for by its address, so that Vite does not bundle it: it would leave out kernels that nobody names.
const { kernelPages } = (await import(new URL("../site/kernels.ts", import.meta.url).href)) as typeof kernels;

export default { watch: ["../../packages/*/src/kernels/**/*.ts"], paths: () => kernelPages() };
