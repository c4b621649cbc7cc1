import { defineConfig } from "vitest/config";

const conditions = ["@kto/source", "node", "import", "module", "default"];
const shared = { resolve: { conditions }, ssr: { resolve: { conditions } } };

/** Where .ci/run wants the results as JSON, beside the usual output. */
const report = process.env["KTO_TEST_REPORT"];

/** Two projects: `unit` needs no GPU; `gpu` (*.gpu.test.ts) runs on the software adapter unless KTO_DEVICE=gpu. */
export default defineConfig({
  ...shared,
  test: {
    reporters: report ? ["default", ["json", { outputFile: report }]] : ["default"],
    projects: [
      {
        ...shared,
        test: {
          name: "unit",
          include: ["{packages,examples,scripts}/**/*.test.ts"],
          exclude: ["**/node_modules/**", "**/dist/**", "**/*.gpu.test.ts"],
          testTimeout: 60_000,
        },
      },
      {
        ...shared,
        test: {
          name: "gpu",
          include: ["{packages,examples,scripts}/**/*.gpu.test.ts"],
          exclude: ["**/node_modules/**", "**/dist/**"],
          setupFiles: ["packages/testing/src/gpu-setup.ts"],
          pool: "forks",
          maxWorkers: 2,
          sequence: { groupOrder: 1 }, // after the unit tests: both together would want four cores
          testTimeout: 600_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
