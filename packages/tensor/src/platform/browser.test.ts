import { afterEach, expect, it, vi } from "vitest";
import { noAdapter, openGpu } from "./browser.js";

afterEach(() => vi.unstubAllGlobals());

it("takes the browser's WebGPU", async () => {
  const gpu = {};
  vi.stubGlobal("navigator", { gpu });
  expect((await openGpu()).gpu).toBe(gpu);
});

it("tells the person at the browser what to do where there is none, and nothing of Node", async () => {
  vi.stubGlobal("navigator", {});
  await expect(openGpu()).rejects.toMatchObject({
    code: "CAPABILITY",
    missing: "navigator.gpu",
    message:
      "requestDevice: this browser has no WebGPU; expected navigator.gpu, got nothing; use a current Chrome, Edge, Safari or Firefox, and turn WebGPU on where it is off",
  });
  vi.stubGlobal("isSecureContext", false);
  await expect(openGpu()).rejects.toThrow(/not loaded securely.*open it over https:\/\/, or from localhost$/);
  for (const text of Object.values(noAdapter)) expect(text).not.toMatch(/Node|npm|libvulkan|@kto/);
});

it("names no adapters", async () => {
  await expect(openGpu({ adapter: "H100" })).rejects.toThrow(
    /^requestDevice: a browser does not let a page name an adapter; expected no adapter, got .*H100.*; use powerPreference/,
  );
});
