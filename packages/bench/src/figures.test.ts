import { expect, it } from "vitest";
import { readFigures, withFigures } from "./figures.js";

const figures = { program: "cuBLAS", device: "H200", date: "2026-12-01", milliseconds: { product: 2 } };

it("a measurement is shown beside another program's of the same name on a device of the same kind, and nowhere else", () => {
  const measured = { name: "product", milliseconds: 3 };
  const beside = { program: "cuBLAS", milliseconds: 2, date: "2026-12-01" };
  expect(withFigures(measured, figures, "NVIDIA H200")).toEqual({ ...measured, beside });
  expect(withFigures(measured, figures, "NVIDIA H100")).toBe(measured);
  expect(withFigures({ ...measured, name: "other" }, figures, "NVIDIA H200")).not.toHaveProperty("beside");
  expect(withFigures(measured, undefined, "NVIDIA H200")).toBe(measured);
  expect(withFigures(measured, figures, undefined)).toBe(measured);
});

it.each([
  null,
  3,
  [],
  {},
  { ...figures, milliseconds: {} },
  { ...figures, milliseconds: { product: "2" } },
  { ...figures, date: undefined },
])("figures that are none are refused: %j", (json) => {
  expect(() => readFigures(json, "f.json")).toThrow("bench: f.json holds no figures; expected {program, device, date, milliseconds");
  expect(readFigures(figures, "f.json")).toEqual(figures);
});
