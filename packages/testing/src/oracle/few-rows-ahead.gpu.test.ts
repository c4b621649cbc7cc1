import { requestDevice, type Device } from "@kto/tensor";
import { afterAll, beforeAll, describe, it } from "vitest";
import { usesF16 } from "../check/case.js";
import { checkCase } from "../check/check-case.js";
import { fewRowsAheadCases } from "./few-rows-ahead.js";

let device: Device;
const seen = new Set<string>();

beforeAll(async () => {
  device = await requestDevice();
  const { software, subgroups } = device.capabilities;
  if (software && subgroups) device.recorder.variants.set("fewRows", "four"); // a GPU chooses such a variant itself
});
afterAll(() => device?.dispose());

describe("lanes of subgroups add up what was made ahead, and agree with float64", () => {
  const cases = fewRowsAheadCases.filter((each) => !usesF16(each));
  it.each(cases.map((each) => [each.name, each] as const))("%s", async (_name, oracle) => {
    await checkCase(device, oracle, seen);
  });
});
