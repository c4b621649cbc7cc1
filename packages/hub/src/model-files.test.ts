import { expect, it } from "vitest";
import { filterFiles } from "./glob.js";
import { expectSafetensors, modelFilePatterns, pickleFiles } from "./model-files.js";

const files = (...paths: string[]): { path: string; size: number }[] => paths.map((path) => ({ path, size: 1 }));

it("chooses what loading a model can need", () => {
  const all = files(
    "config.json",
    "model.safetensors",
    "chat_template.jinja",
    "pytorch_model.bin",
    "model.gguf",
    "flax_model.msgpack",
    "LICENSE",
    "onnx/model.onnx",
  );
  expect(filterFiles(all, modelFilePatterns).map(({ path }) => path)).toEqual([
    "config.json",
    "model.safetensors",
    "chat_template.jinja",
    "LICENSE",
  ]);
});

it("tells pickled weights from what training leaves", () => {
  expect(
    pickleFiles(files("pytorch_model.bin", "training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state_0.pth", "a/model.pth")).map(
      ({ path }) => path,
    ),
  ).toEqual(["pytorch_model.bin", "a/model.pth"]);
});

it("refuses a model with pickled weights alone", () => {
  expectSafetensors("a/b", files("config.json"));
  expectSafetensors("a/b", files("pytorch_model.bin", "model.safetensors"));
  const shards = files("1.bin", "2.bin", "3.bin", "4.bin");
  expect(() => expectSafetensors("a/b", shards)).toThrow(
    "hub: a/b holds only pickle weights (1.bin, 2.bin, 3.bin, and 1 more); expected *.safetensors",
  );
});
