import { describe, expect, it } from "vitest";
import { wgsl } from "./wgsl.js";

describe("wgsl", () => {
  it("indents what is inserted like the line it stands in, and takes the margin away", () => {
    const inner = wgsl`
      let a = 1;
      let b = 2;`;
    expect(wgsl`
      fn f() {
        ${inner}
      }`).toBe("fn f() {\n  let a = 1;\n  let b = 2;\n}");
  });

  it.each([undefined, Number.NaN, Infinity])("refuses %s and says where", (value) => {
    expect(() => wgsl`const size = ${value as number};`).toThrow(/value 1 is .*; after: const size = /);
  });
});
