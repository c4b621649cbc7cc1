import { expect, it } from "vitest";
import { unroll } from "./unroll.js";

it("repeats text with the number in it, line by line", () => {
  expect(unroll(2, "let a@i = 1.0;\nlet b@i = a@i;")).toBe("let a0 = 1.0;\nlet b0 = a0;\nlet a1 = 1.0;\nlet b1 = a1;");
  expect(unroll(0, "let a@i = 1.0;")).toBe("");
});

it("nests by other marks, and puts other text for further ones", () => {
  expect(unroll(2, unroll(2, "sum@i_@j += 1.0;", "@j"))).toBe("sum0_0 += 1.0;\nsum0_1 += 1.0;\nsum1_0 += 1.0;\nsum1_1 += 1.0;");
  expect(unroll(2, "x@i = k[@place];", "@i", { "@place": (n) => `${4 * n}u` })).toBe("x0 = k[0u];\nx1 = k[4u];");
});

it("refuses text without the mark", () => {
  expect(() => unroll(3, "total += 1.0;")).toThrow("unroll: expected @i in the text, got none in: total += 1.0;");
});
