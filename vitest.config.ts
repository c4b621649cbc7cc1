import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

const conditions = ["@kto/source", "node", "import", "module", "default"];
const shared = { resolve: { conditions }, ssr: { resolve: { conditions } } };

/** Where .ci/run wants the results as JSON, beside the usual output. */
const report = process.env["KTO_TEST_REPORT"];

/** Short files that take a minute or more, the slowest first. */
const slow = ["oracle.exhaustive.gpu", "oracle.gpu", "parity.exhaustive.gpu", "parity.gpu"].map((name) => `/${name}.test.ts`);

/** Begins with what takes longest, so that no worker is left alone with it. Vitest by itself goes by the sizes of files on a fresh clone. */
class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => slow.findIndex((name) => moduleId.endsWith(name)) >>> 0; // −1 goes last
    return (await super.sort(files)).toSorted((a, b) => place(a) - place(b));
  }
}

const nowhere = ["**/node_modules/**", "**/dist/**"];
const exhaustive = "{packages,examples,scripts,docs}/**/*.exhaustive.gpu.test.ts";
const alone = "{packages,examples,scripts,docs}/**/*.alone.test.ts";
const aloneOnGpu = "{packages,examples,scripts,docs}/**/*.alone.gpu.test.ts";
const mpi = "{packages,examples,scripts,docs}/**/*.mpi.test.ts";
const unit = {
  maxWorkers: Math.max(2, availableParallelism() - 1), // one worker, vitest's choice on two cores, leaves the other core idle
  testTimeout: 60_000,
} as const;
const onGpu = {
  setupFiles: "packages/testing/src/gpu-setup.ts",
  pool: "forks",
  isolate: false, // the files of a worker share its lent devices, and so what was compiled there
  maxWorkers: 2,
  testTimeout: 600_000,
  hookTimeout: 120_000,
} as const;

/**
 * `unit` needs no GPU, nor does `unit-alone` (*.alone.test.ts): files that put modules of their own in place of others; `gpu` (*.gpu.test.ts) runs on the software adapter unless KTO_DEVICE=gpu, and so does `exhaustive`
 * (*.exhaustive.gpu.test.ts): repetitions of what `gpu` does once of each kind. `gpu-alone` (*.alone.gpu.test.ts) has files that measure their process and need one
 * of their own. `mpi` (*.mpi.test.ts) starts ranks with `mpirun`, which not every machine has: `npm run test:mpi`. `npm test` is all but that and the exhaustive
 * ones, `npm run test:all` everything but that.
 */
export default defineConfig({
  ...shared,
  test: {
    reporters: report ? ["default", ["json", { outputFile: report }]] : ["default"],
    sequence: { sequencer: SlowestFirst },
    projects: [
      {
        ...shared,
        test: {
          ...unit,
          name: "unit",
          isolate: false, // the files of a worker share what they import, which takes longer than most tests
          include: ["{packages,examples,scripts,docs}/**/*.test.ts"],
          exclude: [...nowhere, "**/*.gpu.test.ts", alone, mpi],
        },
      },
      { ...shared, test: { ...unit, name: "unit-alone", include: [alone], exclude: nowhere } },
      {
        ...shared,
        test: {
          ...onGpu,
          name: "gpu",
          include: ["{packages,examples,scripts,docs}/**/*.gpu.test.ts"],
          exclude: [...nowhere, exhaustive, aloneOnGpu],
          sequence: { groupOrder: 1 }, // after the unit tests: both together would want four cores
        },
      },
      {
        ...shared,
        test: { ...onGpu, isolate: true, name: "gpu-alone", include: [aloneOnGpu], exclude: nowhere, sequence: { groupOrder: 2 } },
      },
      {
        ...shared,
        test: { ...onGpu, name: "exhaustive", include: [exhaustive], exclude: nowhere, sequence: { groupOrder: 1 } },
      },
      {
        ...shared,
        test: {
          name: "mpi",
          include: [mpi],
          exclude: nowhere,
          globalSetup: "packages/cli/src/testing/mpi-setup.ts",
          fileParallelism: false,
          testTimeout: 400_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
