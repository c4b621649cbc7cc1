import { expect, test } from "vitest";
import { readArguments, usage } from "./arguments.js";

test("flags go to the command as they are; the demo heeds two of them", () => {
  const argv = ["--beta", "0.5", "--device", "software", "--output-dir=elsewhere", "--quiet"];
  expect(readArguments(argv)).toEqual({
    help: false,
    refused: [],
    device: "software",
    outputDir: "elsewhere",
    resumes: false,
    flags: argv,
    again: "npm run demo -- --beta 0.5 --device software --output-dir=elsewhere --quiet",
  });
  expect(readArguments([])).toMatchObject({ flags: [], device: undefined, outputDir: undefined, again: "npm run demo --" });
});

test("the last of a flag wins, and a flag without a value takes no other flag for it", () => {
  const read = readArguments(["--device", "gpu", "--device", "software", "--output_dir", "--beta", "1"]);
  expect(read).toMatchObject({ device: "software", outputDir: undefined });
});

test.each([
  [["--resume_from_checkpoint", "out/checkpoint-7", "--beta", "0.5"]],
  [["--beta", "0.5", "--resume_from_checkpoint=true"]],
  [["--resume-from-checkpoint", "--beta", "0.5"]],
])("%j is run again without its checkpoint", (argv) => {
  expect(readArguments(argv)).toMatchObject({ resumes: true, again: "npm run demo -- --beta 0.5" });
});

test("--resume_from_checkpoint false is none", () => {
  expect(readArguments(["--resume_from_checkpoint", "false"]).resumes).toBe(false);
});

test("what is run again is quoted for a shell", () => {
  expect(readArguments(["--output_dir", "my 'out'"]).again).toBe(String.raw`npm run demo -- --output_dir 'my '\''out'\'''`);
});

test.each(["--model", "--model_name_or_path=x", "--model-revision", "--data", "--train_file", "--dataset_name", "--config", "--json"])(
  "%s is refused",
  (flag) => expect(readArguments([flag, "x"]).refused).toEqual([flag]),
);

test("--help, in three lines", () => {
  expect(readArguments(["--beta", "1", "--help"]).help).toBe(true);
  expect(readArguments(["-h"]).help).toBe(true);
  expect(usage.split("\n")).toHaveLength(3);
});
