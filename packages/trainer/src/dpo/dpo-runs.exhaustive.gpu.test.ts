import { requestDevice, type Device } from "@kto/tensor";
import { listFixtures } from "@kto/testing/workspace";
import { afterAll, beforeAll, it } from "vitest";
import { expectDpoRun } from "../testing/dpo-runs.js";

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device.dispose());

// `npm test` has one of them, through the command (parity.gpu.test.ts of @kto/cli).
it.each(listFixtures("dpo", "runs"))(
  "DPOTrainer follows trl's run %s within the rule of fixtures/README.md, in float32",
  (name) => expectDpoRun(device, name),
  300_000,
);

it(
  "computing layers again changes nothing that the rule sees",
  () => expectDpoRun(device, "sigmoid", { gradientCheckpointing: true }),
  300_000,
);
