import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { expectFreshProcess, expectMainThread, expectPlatform } from "./install.js";

const cache = mkdtempSync(join(tmpdir(), "kto-install-"));
afterAll(() => rmSync(cache, { recursive: true, force: true }));

/** Runs TypeScript in a process of its own, which has loaded no Dawn yet and has no setting for Vulkan; gives what it printed as JSON. */
function runInChild(source: string): unknown {
  const { VK_DRIVER_FILES: _, VK_ICD_FILENAMES: __, ...env } = process.env;
  const argv = ["--expose-gc", "--import", "tsx", "--conditions=@kto/source", "--input-type=module", "-e", source];
  return JSON.parse(
    execFileSync(process.execPath, argv, { cwd: import.meta.dirname, env: { ...env, XDG_CACHE_HOME: cache }, encoding: "utf8" }),
  );
}

describe("installSoftwareGpu", () => {
  it("makes the unpacked loader the only one in the process, and SwiftShader the adapter", () => {
    const report = runInChild(`
      import { readFileSync } from "node:fs";
      import { installSoftwareGpu } from "@kto/software-gpu";
      const [first, second] = [await installSoftwareGpu(), await installSoftwareGpu()];
      for (let i = 0; i < 3; i++) { globalThis.gc(); await new Promise((resolve) => setTimeout(resolve, 1)); } // the loader must outlive a collection
      const { create } = await import("webgpu");
      let gpu = create([]);
      const adapter = await gpu.requestAdapter();
      const device = await adapter.requestDevice();
      const maps = readFileSync("/proc/self/maps", "utf8");
      const mapped = (name) => [...new Set(maps.split("\\n").map((line) => line.split(/\\s+/)[5] ?? "").filter((path) => path.includes(name)))];
      device.destroy();
      const info = [adapter.info.vendor, adapter.info.architecture, adapter.info.device, adapter.info.description].join(" ");
      gpu = undefined;
      console.log(JSON.stringify({ first, second, info, loaders: mapped("libvulkan"), drivers: mapped("swiftshader") }));
    `) as { first: { loaderPath: string; icdPath: string }; second: unknown; info: string; loaders: string[]; drivers: string[] };

    expect(report.first.loaderPath.startsWith(join(cache, "kto/software-gpu/"))).toBe(true);
    expect(report.loaders).toEqual([report.first.loaderPath]);
    expect(report.drivers).toEqual([report.first.icdPath.replace("vk_swiftshader_icd.json", "libvk_swiftshader.so")]);
    expect(report.second).toEqual(report.first);
    expect(report.info).toMatch(/swiftshader/i);
  });

  it("lets the process sleep while Dawn waits", () => {
    const counts = runInChild(`
      const counts = { ticks: 0, timers: 0 };
      const { setImmediate: immediate, setTimeout: timer } = globalThis;
      globalThis.setImmediate = (...args) => (counts.ticks++, immediate(...args));
      globalThis.setTimeout = (callback, ms) => (counts.timers++, timer(callback, ms));
      const { installSoftwareGpu } = await import("@kto/software-gpu");
      await installSoftwareGpu();
      Object.assign(counts, { ticks: 0, timers: 0 });
      const { create, globals } = await import("webgpu");
      Object.assign(globalThis, globals);
      let gpu = create([]);
      const device = await (await gpu.requestAdapter()).requestDevice();
      const buffer = device.createBuffer({ size: 64, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
      await buffer.mapAsync(GPUMapMode.READ);
      device.destroy();
      gpu = undefined;
      console.log(JSON.stringify(counts));
    `) as { ticks: number; timers: number };
    expect(counts.ticks).toBe(0);
    expect(counts.timers).toBeGreaterThan(0);
  });

  it("refuses a process that has loaded webgpu", () => {
    const error = runInChild(`
      await import("webgpu");
      const { installSoftwareGpu } = await import("@kto/software-gpu");
      const { isKtoError } = await import("@kto/core");
      const error = await installSoftwareGpu().catch((error) => error);
      console.log(JSON.stringify({ isKtoError: isKtoError(error), name: error.name, code: error.code, missing: error.missing, message: error.message }));
    `);
    expect(error).toMatchObject({ isKtoError: true, name: "CapabilityError", code: "CAPABILITY", missing: "a process without webgpu" });
    expect((error as Error).message).toMatch(/webgpu was loaded before \(.*dawn\.node\); call installSoftwareGpu first/);
  });

  it("runs the sample of the README", () => {
    const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
    const sample = /```js.*\n([\s\S]*?)```/.exec(readme)![1]!;
    expect(runInChild(`console.log = (value) => process.stdout.write(JSON.stringify(String(value)));${sample}`)).toMatch(/swiftshader/i);
  });
});

describe("what a process must be", () => {
  it("linux-x64", () => {
    expectPlatform("linux", "x64");
    for (const [platform, arch] of [
      ["darwin", "arm64"],
      ["win32", "x64"],
      ["linux", "arm64"],
    ] as const) {
      expect(() => expectPlatform(platform, arch)).toThrow(expect.objectContaining({ missing: "linux-x64" }) as Error);
      expect(() => expectPlatform(platform, arch)).toThrow(`expected linux-x64, got ${platform}-${arch}`);
    }
  });

  it("the main thread", () => {
    expectMainThread(true);
    expect(() => expectMainThread(false)).toThrow(expect.objectContaining({ code: "CAPABILITY", missing: "main thread" }) as Error);
  });

  it("without Vulkan", () => {
    expectFreshProcess("7f00-7f01 r-xp 00000000 08:01 42   /usr/lib/libc.so.6\n");
    const maps = "7f00-7f01 r-xp 00000000 08:01 42   /usr/lib/x86_64-linux-gnu/libvulkan.so.1.3.204\n";
    expect(() => expectFreshProcess(maps)).toThrow(
      /another Vulkan loader was loaded before \(\/usr\/lib\/x86_64-linux-gnu\/libvulkan\.so\.1\.3\.204\)/,
    );
  });
});
