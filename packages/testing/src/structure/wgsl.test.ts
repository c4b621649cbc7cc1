import { join } from "node:path";
import { expect, it } from "vitest";
import { listPackages, ROOT, sourceFiles } from "./workspace.js";

/** The only packages whose sources hold WGSL. */
const WITH_WGSL = ["@kto/tensor", "@kto/nf4"];

const wgsl = /\bwgsl`|@compute\b|@workgroup_size\b|@group\(|var<(storage|uniform|workgroup)|createShaderModule/;

it("WGSL stands only in the packages tensor and nf4", () => {
  const others = listPackages().filter(({ name }) => !WITH_WGSL.includes(name) && name !== "@kto/testing");
  const files = others.flatMap(({ folder }) => sourceFiles(join(folder, "src"), { tests: true }));
  expect(files.filter(({ path, text }) => path.endsWith(".wgsl.ts") || wgsl.test(text)).map(({ path }) => path)).toEqual([]);
});

it("there a file with an entry point is a *.wgsl.ts below kernels/", () => {
  const files = sourceFiles(join(ROOT, "packages/tensor/src"));
  const kernels = files.filter(({ text }) => /\bdefineKernel\b.*\(\{/.test(text) && !/export (function|const) defineKernel\b/.test(text));
  expect(kernels.map(({ path }) => path).filter((path) => !/\/kernels\/.*\.wgsl\.ts$/.test(path))).toEqual([]);
});
