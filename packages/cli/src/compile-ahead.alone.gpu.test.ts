import { fixturePath } from "@kto/testing/workspace";
import { requestDevice } from "@kto/tensor";
import { expect, it, vi } from "vitest";
import { kto, temporaryFolder } from "./testing/run-kto.js";

it("the kernels of a run compile while its weights are on their way", async () => {
  using folder = temporaryFolder();
  (await requestDevice()).dispose(); // which makes the globals
  const compile = vi.spyOn(GPUDevice.prototype, "createComputePipelineAsync");
  const compileLate = vi.spyOn(GPUDevice.prototype, "createComputePipeline");
  let [byThen, late] = [0, 0];
  const { status } = await kto(
    ["train", "--model", fixturePath("model"), "--data", fixturePath("kto", "rows.jsonl"), "--output_dir", folder.file("run")].concat(
      "--use_peft --lora_target_modules all-linear --max_length 96 --max_steps 1 --num_prompts 0".split(" "),
    ),
    {
      onStderr(text) {
        if (text.startsWith("adapter ")) byThen = compile.mock.calls.length;
        if (text.startsWith("memory ")) late = compileLate.mock.calls.length;
      },
    },
  );
  expect(status).toBe(0);
  expect(byThen).toBeGreaterThan(30);
  expect(compile.mock.calls).toHaveLength(byThen); // the plan of the whole run needs no other
  expect(compileLate.mock.calls.length - late).toBeLessThanOrEqual(1);
});
