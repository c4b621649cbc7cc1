import { DtypeError, isKtoError } from "@kto/core";
import { describe, expect, it } from "vitest";
import { ShapeError } from "./index.js";
import { checkShape, expectDtype, expectShape, rowsOf, sizeOf } from "./shape.js";

describe("shapes", () => {
  it("count elements and rows", () => {
    expect([sizeOf([]), sizeOf([2, 3, 4]), sizeOf([3, 0])]).toEqual([1, 24, 0]);
    expect([rowsOf([2, 3, 4]), rowsOf([4])]).toEqual([6, 1]);
  });

  it("are refused with what was expected and what came", () => {
    const error = thrown(() => expectShape("rmsNorm", "weight", { shape: [3] }, [4]));
    expect(error).toBeInstanceOf(ShapeError);
    expect(isKtoError(error) && error.code).toBe("SHAPE");
    expect(String(error)).toBe("ShapeError: rmsNorm: weight has the wrong shape; expected [4], got [3]");
    expect(() => checkShape("empty", [2, -1])).toThrow("empty: sizes must be non-negative integers; got [2, -1]");
    expect(() => checkShape("empty", [1.5])).toThrow(ShapeError);
  });

  it("dtypes likewise", () => {
    expect(thrown(() => expectDtype("cast", "x", { dtype: "u32" }, "f32", "f16"))).toBeInstanceOf(DtypeError);
    expect(() => expectDtype("cast", "x", { dtype: "u32" }, "f32", "f16")).toThrow(
      "cast: x has the wrong dtype; expected f32 or f16, got u32",
    );
  });
});

function thrown(body: () => void): unknown {
  try {
    body();
    return undefined;
  } catch (error) {
    return error;
  }
}
