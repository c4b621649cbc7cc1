import { requestDevice, type Device } from "@kto/tensor";
import { afterAll, afterEach, beforeAll, describe, it } from "vitest";
import { checkCase } from "../check/check-case.js";
import { oracleCases } from "./index.js";

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterEach(() => device.recorder.variants.clear());
afterAll(() => device?.dispose());

describe("on the device an op agrees with its oracle, in every variant", () => {
  it.each(oracleCases.map((oracle) => [oracle.name, oracle] as const))("%s", async (_name, oracle) => {
    await checkCase(device, oracle);
  });
});
