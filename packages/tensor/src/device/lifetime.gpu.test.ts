import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const root = fileURLToPath(new URL("../../../../", import.meta.url));

/** Runs a module in a process of its own, from source. */
function run(body: string): { status: number | null; stdout: string; stderr: string } {
  const install = process.env["KTO_DEVICE"] === "gpu" ? "" : 'await (await import("@kto/software-gpu")).installSoftwareGpu();\n';
  const code = `${install}const { full, requestDevice, scale } = await import("@kto/tensor");\n${body}`;
  const flags = ["--expose-gc", "--conditions=@kto/source", "--import=tsx", "--input-type=module", "--eval", code];
  return spawnSync(process.execPath, flags, { cwd: root, encoding: "utf8", timeout: 60_000 });
}

it("the process exits by itself once the device is disposed", () => {
  const { status, stdout, stderr } = run(`
    const device = await requestDevice();
    console.log(await scale(full(device, [1], 21, "f32"), 2).item());
    device.dispose();`);
  expect({ status, stdout }, stderr).toEqual({ status: 0, stdout: "42\n" });
});

it("what `await using` calls waits and disposes", () => {
  const { status, stdout, stderr } = run(`
    const device = await requestDevice();
    scale(full(device, [1], 21, "f32"), 2);
    await device[Symbol.asyncDispose]();
    console.log(device.isDisposed);`);
  expect({ status, stdout }, stderr).toEqual({ status: 0, stdout: "true\n" });
});

it("a live device survives the garbage collector", () => {
  const { status, stdout, stderr } = run(`
    const device = await requestDevice();
    const x = full(device, [1], 1, "f32");
    for (let round = 0; round < 8; round++) {
      for (let i = 0; i < 200; i++) new Array(10_000).fill({ i });
      gc();
      await new Promise((resolve) => setTimeout(resolve, 5));
      await scale(x, 2).item();
    }
    console.log(await x.item());
    device.dispose();
    gc();`);
  expect({ status, stdout }, stderr).toEqual({ status: 0, stdout: "1\n" });
});
