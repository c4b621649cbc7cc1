import { errorCodes } from "@kto/core";
import { describe, expect, it } from "vitest";
import { explanations, printedCodes } from "./explain/index.js";
import { kto } from "./testing/run-kto.js";

describe("explanations", () => {
  it("there is one of every code, and none of a code that there is not", () => {
    expect(Object.keys(explanations).sort()).toEqual([...Object.keys(errorCodes), "FILE", "UNEXPECTED"].sort());
    expect(Object.keys(printedCodes).sort()).toEqual(Object.keys(explanations).sort());
  });

  it.each(Object.entries(explanations))("%s has causes and cures in whole sentences", (_code, { about, remedies }) => {
    expect(remedies.length).toBeGreaterThan(0);
    for (const text of [about, ...remedies.flatMap(({ cause, cure }) => [cause, cure])]) expect(text).toMatch(/^\S.* .*[.…]$/s);
    expect(new Set(remedies.map(({ cause }) => cause)).size).toBe(remedies.length);
  });
});

describe("kto explain", () => {
  it("prints what a code means, its causes and cures, in lines that fit the terminal", async () => {
    const { status, stdout, stderr } = await kto(["explain", "NON_FINITE_LOSS"], { terminal: { isTTY: true, columns: 60 } });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toContain("NON_FINITE_LOSS: the loss or a gradient became infinite");
    expect(stdout.replaceAll(/\s+/g, " ")).toContain("Lower it by 3 to 10 times");
    expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(60);
  });

  it("gives one JSON value", async () => {
    const { stdout } = await kto(["explain", "SHAPE", "--json"]);
    const { code, text } = JSON.parse(stdout) as { code: string; text: string };
    expect(code).toBe("SHAPE");
    expect(text).toContain(explanations.SHAPE.about);
  });

  it.each(["shape", "error[SHAPE]", "kto: error[SHAPE]: a: b"])("takes %s for SHAPE", async (word) => {
    expect((await kto(["explain", word])).stdout).toMatch(/^SHAPE: /);
  });

  it.each([
    [["explain"], /explain: expected one code, got none; name one of ADAPTER_FILE, /],
    [["explain", "SHAPE", "ROW"], /expected one code, got 2/],
    [["explain", "SHAP"], /there is no code "SHAP"; did you mean SHAPE\?/],
    [["explain", "constructor"], /there is no code "constructor"; expected one of ADAPTER_FILE/],
    [["explain", "SHAPE", "--model", "m"], /--model/],
  ])("%j is exit 2", async (argv, message) => {
    const { status, stdout, stderr } = await kto(argv);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toMatch(message);
  });
});
