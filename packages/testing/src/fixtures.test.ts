import { existsSync } from "node:fs";
import { expect, it } from "vitest";
import { fixturePath, listFixtures, readFixtureJson, readFixtureJsonl } from "./fixtures.js";

it("finds files of the reference set", () => {
  expect(existsSync(fixturePath("model", "model.safetensors"))).toBe(true);
  expect(readFixtureJson<{ model_type: string }>("model", "config.json").model_type).toBe("qwen2");
  expect(readFixtureJsonl("kto", "rows.jsonl")).toHaveLength(56);
});

it("lists the cases of a folder, without its README", () => {
  expect(listFixtures("kto", "runs")).toContain("main");
  expect(listFixtures("schedule")).toEqual(["metric-schedules.json", "more-schedules.json", "schedules.json"]);
  expect(() => listFixtures("no such folder")).toThrow(/no such folder/);
});
